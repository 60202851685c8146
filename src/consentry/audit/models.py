"""The audit trail as data."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AuditEvent(models.Model):
    """One deed. ``action`` is ``source:subject:action``, for example ``web:connector:created``."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    actor = models.CharField(max_length=320)  # e-mail, "token NAME", "command line" or "consentry"
    action = models.CharField(max_length=80)
    subject = models.CharField(max_length=400)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["account", "-at"], name="audit_account_at")]
