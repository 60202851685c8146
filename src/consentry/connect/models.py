"""Connectors, integrations, registrations and authorisation attempts as data."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Status(models.TextChoices):
    """The statuses people of this field know."""

    PENDING = "pending_authorisation", "Pending authorisation"
    CONNECTED = "connected", "Connected"
    WARNING = "warning", "Warning"
    FAILURE = "failure", "Failure"


class CapabilityState(models.TextChoices):
    GRANTED = "granted", "Granted"
    MISSING = "missing", "Missing permission"
    UNLICENSED = "unlicensed", "Not licensed"
    UNAVAILABLE = "unavailable", "Not available in this cloud"


class RegistrationRole(models.TextChoices):
    TENANT = "tenant", "Tenant registration"
    READER = "reader", "Reader registration"
    RESPONDER = "responder", "Responder registration"


class Registration(models.Model):
    """An app registration of ours, entered under Administration. The environment, where set, wins over it."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE)
    role = models.CharField(max_length=20, choices=RegistrationRole.choices)
    client_id = models.CharField(max_length=36)
    secret = models.BinaryField(null=True)  # sealed by core.secrets, context "connect.registration.secret:<pk>"
    certificate_pem = models.TextField(blank=True)
    private_key = models.BinaryField(null=True)  # sealed, context "connect.registration.private_key:<pk>"
    tenant_hint = models.CharField(max_length=253, blank=True)  # for registrations made for one tenant only
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["account", "role"], name="one_registration_per_role")
        ]


class Connector(models.Model):
    """The parent authorisation of one Microsoft tenant: "MS Tenant"."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="connectors")
    name = models.CharField(max_length=200)
    vendor = models.CharField(max_length=40, default="microsoft")
    kind = models.CharField(max_length=40, default="ms_tenant")
    tenant_hint = models.CharField(max_length=253, blank=True)  # what the person typed: id or domain
    tenant_id = models.UUIDField(null=True)  # set only when proven by token and /organization
    tenant_name = models.CharField(max_length=300, blank=True)
    tenant_domain = models.CharField(max_length=253, blank=True)
    tenant_domains = models.JSONField(default=list)
    status = models.CharField(max_length=30, choices=Status.choices, default=Status.PENDING)
    status_code = models.CharField(max_length=80, blank=True)  # for example AADSTS65004, to search for
    status_reason = models.TextField(blank=True)
    status_remedy = models.TextField(blank=True)
    licence = models.JSONField(default=dict)  # {"m365_e3": bool|null, "skus": [...], "plans": {...}, "checked_at": iso}
    confirmed_at = models.DateTimeField(null=True)  # the console's administrator has confirmed the proven tenant
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.CharField(max_length=320, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["account", "tenant_id"], name="one_connector_per_tenant"),
            models.UniqueConstraint(fields=["account", "name"], name="connector_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class Integration(models.Model):
    """One capability switched on over a connector: "3rd Party Apps"."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="integrations")
    capability = models.CharField(max_length=40, default="third_party_apps")
    saas_application = models.CharField(max_length=80, default="Microsoft 365")
    description = models.TextField(blank=True)
    status = models.CharField(max_length=30, choices=Status.choices, default=Status.PENDING)
    status_code = models.CharField(max_length=80, blank=True)
    status_reason = models.TextField(blank=True)
    status_remedy = models.TextField(blank=True)
    sync_every_minutes = models.PositiveIntegerField(default=5)
    next_sync_at = models.DateTimeField(null=True)
    disconnected_at = models.DateTimeField(null=True)  # data is kept, nothing is read any more
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=320, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "capability"], name="one_integration_per_capability")
        ]


class Capability(models.Model):
    """What one permission or licence lets us read from one tenant, as last seen."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="capabilities")
    name = models.CharField(max_length=60)  # a collection's name: service_principals, audit_events, ...
    state = models.CharField(max_length=20, choices=CapabilityState.choices)
    detail = models.TextField(blank=True)
    checked_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "name"], name="one_state_per_capability")
        ]


class AttemptOutcome(models.TextChoices):
    OPEN = "open", "Waiting for you at Microsoft"
    SPREADING = "spreading", "Waiting for Microsoft"
    DONE = "done", "Authorised"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Timed out"


class AuthorisationAttempt(models.Model):
    """One trip to Microsoft's consent page: single use, bound to the browser session, expiring."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="attempts")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, null=True, related_name="attempts")
    role = models.CharField(max_length=20, choices=RegistrationRole.choices)
    person = models.ForeignKey("accounts.Person", on_delete=models.SET_NULL, null=True)
    state_hash = models.BinaryField(unique=True)
    session_hash = models.BinaryField()
    expected_tenant = models.UUIDField(null=True)
    claimed_tenant = models.UUIDField(null=True)  # the redirect's word: tried, never trusted
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    returned_at = models.DateTimeField(null=True)  # state was consumed here
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=20, choices=AttemptOutcome.choices, default=AttemptOutcome.OPEN)
    code = models.CharField(max_length=80, blank=True)
    reason = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    tries = models.PositiveIntegerField(default=0)
