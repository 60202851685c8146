"""The only writer of the audit trail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from consentry.audit.models import AuditEvent


def record(account_id: UUID, *, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Append one deed, in the caller's transaction. ``detail`` must hold no secret."""
    AuditEvent.objects.create(account_id=account_id, actor=actor, action=action, subject=subject[:400], detail=detail)
