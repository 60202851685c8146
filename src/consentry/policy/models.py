"""Policies and alerts as data."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from consentry.inventory.models import RiskLevel


class PolicyState(models.TextChoices):
    ACTIVE = "active", "Active"
    AUDIT = "audit", "Audit only"
    OFF = "off", "Off"


class AlertState(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"
    DISMISSED = "dismissed", "Dismissed"


LIVE = (AlertState.OPEN, AlertState.ACKNOWLEDGED)  # somebody has to do something


class Policy(models.Model):
    """One of the predefined policies (``policy.predefined``) as an account has it, or one of its own.

    A predefined one has no title, words, severity and rule here: they are the product's, so that they improve with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="policies")
    key = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=PolicyState.choices, default=PolicyState.ACTIVE)
    title = models.CharField(max_length=200, blank=True)
    why = models.TextField(blank=True)
    severity = models.CharField(max_length=10, choices=RiskLevel.choices, blank=True)
    rule = models.JSONField(null=True)  # policy.conditions
    cooldown_hours = models.PositiveIntegerField(default=0)  # after an alert was closed, it does not open again for so long
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=320, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "key"], name="policy_once")]


class Alert(models.Model):
    """A policy that matched a plugin: one per policy and plugin, reopened when it comes back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="alerts")
    plugin = models.ForeignKey("inventory.Plugin", on_delete=models.CASCADE, related_name="alerts")
    severity = models.CharField(max_length=10, choices=RiskLevel.choices)
    state = models.CharField(max_length=14, choices=AlertState.choices, default=AlertState.OPEN)
    evidence = models.JSONField()  # frozen when it was opened: score, level, reasons, changes
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=320, blank=True)
    reason = models.TextField(blank=True)  # why it was resolved or dismissed
    assignee = models.CharField(max_length=320, blank=True)
    times = models.PositiveIntegerField(default=1)  # how often it was opened
    audit = models.BooleanField(default=False)  # the policy was in audit mode: nobody was told

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["policy", "plugin"], name="alert_once")]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["policy", "state", "-seen_at"], name="alert_by_state")]


class AlertComment(models.Model):
    """What somebody wrote to an alert, or as an ``event`` what was done with it."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="comments")
    by = models.CharField(max_length=320)
    at = models.DateTimeField()
    text = models.TextField()
    event = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
