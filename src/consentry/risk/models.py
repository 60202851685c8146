"""How scores went over time, and what an account changed about how they are made."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from consentry.inventory.models import RiskLevel


class ScorePoint(models.Model):
    """A plugin's score from this moment on."""

    plugin = models.ForeignKey("inventory.Plugin", on_delete=models.CASCADE, db_constraint=False, db_index=False)
    at = models.DateTimeField()
    score = models.FloatField()
    level = models.CharField(max_length=10, choices=RiskLevel.choices)
    version = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["plugin", "at"], name="score_by_plugin")]


class SignalFactor(models.Model):
    """How much a signal counts in an account, as a factor of its usual weight: 0 leaves it out."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE)
    signal = models.CharField(max_length=40)
    factor = models.FloatField()
    by = models.CharField(max_length=320)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "signal"], name="factor_once")]


class RogueApp(models.Model):
    """An app id that an account holds to be rogue, beside the published list."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE)
    app_id = models.UUIDField()
    note = models.TextField(blank=True)
    by = models.CharField(max_length=320)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "app_id"], name="rogue_once")]
