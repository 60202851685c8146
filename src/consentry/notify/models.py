"""Channels and the delivery log."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class ChannelKind(models.TextChoices):
    WEBHOOK = "webhook", "Signed webhook"
    OCSF = "ocsf", "Signed webhook, OCSF for a SIEM"
    SYSLOG = "syslog", "Syslog"
    CHAT = "chat", "Mail, Slack, Teams and others"


class Severity(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class Pace(models.TextChoices):
    AT_ONCE = "at_once", "At once"
    HOURLY = "hourly", "Together, every hour"
    DAILY = "daily", "Together, once a day"


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Given up"


class Channel(models.Model):
    """One way to tell somebody. The address is sealed, as it often holds a password."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=10, choices=ChannelKind.choices)
    name = models.CharField(max_length=120)
    address = models.BinaryField()  # sealed by core.secrets, context "notify.channel.address:<pk>"
    shown_address = models.CharField(max_length=300)  # without user, password, path and query
    secret = models.BinaryField(null=True)  # sealed signing secret, context "notify.channel.secret:<pk>"
    least_severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.MEDIUM)
    pace = models.CharField(max_length=10, choices=Pace.choices, default=Pace.AT_ONCE)
    quiet_from = models.TimeField(null=True)  # in ``timezone``; what is critical comes through
    quiet_until = models.TimeField(null=True)
    timezone = models.CharField(max_length=60, default="UTC")
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True)
    tried_at = models.DateTimeField(null=True)  # the last try with the present kind, address and secret
    last_error = models.TextField(blank=True)  # how it went, empty when it arrived
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=320)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "name"], name="channel_name_once")]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message on its way over one channel. ``tries`` is the log: [{at, error, replayed}], the last when a replay came after it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=80)  # the same for every try and replay, so that a receiver can tell repeats
    kind = models.CharField(max_length=40)  # alert.opened, alert.reopened, alert.resolved, alert.dismissed, test
    severity = models.CharField(max_length=10, choices=Severity.choices)
    title = models.TextField()
    body = models.TextField()
    data = models.JSONField()
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    tries = models.JSONField(default=list)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["channel", "-created_at"], name="delivery_by_channel"),
            models.Index(fields=["due_at"], condition=models.Q(state="pending"), name="delivery_due"),
        ]
