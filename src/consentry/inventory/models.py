"""What the tenant holds, as data.

``sync.merge`` and ``risk.services`` write these tables by set-based SQL; pages and exports read them through
``inventory.queries``. Directory objects refer to each other by their object id inside one connector and not by
foreign key, because Microsoft's collections arrive separately and name objects that no longer exist.
``removed_at`` marks what a complete collection no longer listed; rows are kept for history. The tables that grow with the
tenant (``PARTITIONED``) have a partition for each connector, which a first sync loads before anybody sees it and which is dropped as
a whole. They, plugins and changes have no foreign key constraints (``db_constraint=False``): checking them took longer than writing
the rows, and whoever adds to them (the merge, and the scoring its points) holds the connector's row.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Origin(models.TextChoices):
    THIRD_PARTY = "third_party", "Third party"
    OWN = "own", "Own tenant"
    MICROSOFT = "microsoft", "Microsoft"
    MANAGED_IDENTITY = "managed_identity", "Managed identity"
    AGENT_IDENTITY = "agent_identity", "Agent identity"
    UNKNOWN = "unknown", "Unknown"


class RiskLevel(models.TextChoices):
    NONE = "none", "None"
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class LastUsedState(models.TextChoices):
    KNOWN = "known", "Known"
    NEVER = "never", "Never"
    UNKNOWN = "unknown", "Unknown"
    UNLICENSED = "unlicensed", "Not licensed"


class DecisionState(models.TextChoices):
    UNCLASSIFIED = "unclassified", "Unclassified"
    IN_REVIEW = "in_review", "In review"
    SANCTIONED = "sanctioned", "Sanctioned"
    UNSANCTIONED = "unsanctioned", "Unsanctioned"
    RISK_ACCEPTED = "risk_accepted", "Risk accepted"
    NEEDS_REMOVAL = "needs_removal", "Needs removal"


class Plugin(models.Model):
    """One service principal of a connector's tenant, with aggregates that the merge and the scoring keep fresh."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.ForeignKey(
        "connect.Connector", on_delete=models.CASCADE, related_name="plugins", db_constraint=False, db_index=False
    )
    service_principal_id = models.UUIDField()  # object id
    app_id = models.UUIDField(null=True)
    # As Microsoft gave it
    name = models.TextField(blank=True)
    publisher = models.TextField(blank=True, null=True)
    verified_publisher = models.BooleanField(null=True)
    owner_tenant_id = models.UUIDField(null=True)
    service_principal_type = models.TextField(blank=True, null=True)
    odata_type = models.TextField(blank=True, null=True)
    enabled = models.BooleanField(null=True)
    disabled_by_microsoft = models.TextField(blank=True, null=True)
    created_at = models.DateTimeField(null=True)
    assignment_required = models.BooleanField(null=True)
    sign_in_audience = models.TextField(blank=True, null=True)
    homepage = models.TextField(blank=True, null=True)
    application_template_id = models.TextField(blank=True, null=True)
    single_sign_on_mode = models.TextField(blank=True, null=True)
    reply_urls = ArrayField(models.TextField(), default=list)
    tags = ArrayField(models.TextField(), default=list)
    facts = models.JSONField(default=dict)  # the rest of what is shown: info urls, notes, description, ...
    # Ours
    origin = models.CharField(max_length=20, choices=Origin.choices, default=Origin.UNKNOWN)
    is_console = models.BooleanField(default=False)  # one of our own registrations: never listed
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    consented_at = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    last_used_state = models.CharField(max_length=12, choices=LastUsedState.choices, default=LastUsedState.UNKNOWN)
    # Aggregates, refreshed for what a merge touched
    users = models.IntegerField(default=0)  # people with a grant of their own
    all_users = models.BooleanField(default=False)
    delegated_count = models.IntegerField(default=0)  # distinct delegated permissions
    application_count = models.IntegerField(default=0)
    connected_to = ArrayField(models.TextField(), default=list)
    permission_level = models.CharField(max_length=10, choices=RiskLevel.choices, default=RiskLevel.NONE)
    risk_score = models.FloatField(default=0)
    risk_level = models.CharField(max_length=10, choices=RiskLevel.choices, default=RiskLevel.NONE)
    risk = models.JSONField(default=dict)  # {axes: {takeover, data, trust}, reasons: [...], version}
    decision = models.CharField(max_length=20, choices=DecisionState.choices, default=DecisionState.UNCLASSIFIED)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "service_principal_id"], name="plugin_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connector", "-risk_score", "id"], name="plugin_by_risk"),
            models.Index(fields=["connector", "-users", "id"], name="plugin_by_users"),
            models.Index(fields=["connector", "name", "id"], name="plugin_by_name"),
            models.Index(fields=["connector", "app_id"], name="plugin_by_app"),
        ]

    def __str__(self) -> str:
        return self.name


class ScopeSet(models.Model):
    """One distinct set of delegated scopes, interned: 200,000 grants hold a few thousand distinct sets."""

    id = models.UUIDField(primary_key=True)  # MD5 of ``scope``, so that grants know it before anything is looked up
    scope = models.TextField()  # sorted, single spaces
    values = ArrayField(models.TextField())


class DelegatedGrant(models.Model):
    """An oauth2PermissionGrant. ``principal_id`` is null when it holds for everybody."""

    pk = models.CompositePrimaryKey("connector", "grant_id")
    connector = models.ForeignKey("connect.Connector", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    grant_id = models.TextField(db_collation="C")
    client_id = models.UUIDField()  # object id of the plugin's service principal
    resource_id = models.UUIDField()
    principal_id = models.UUIDField(null=True)
    consent_type = models.TextField()  # AllPrincipals | Principal, unknown values kept
    scope_set = models.ForeignKey(ScopeSet, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    granted_at = models.DateTimeField(null=True)  # from the audit log, where it still knows
    granted_by = models.TextField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["client_id"], name="grant_by_client"),
            models.Index(fields=["principal_id"], name="grant_by_principal"),
        ]


class GrantSummary(models.Model):
    """How many live grants of a plugin have the same scopes: what most questions about permissions need, in a hundredth of the rows."""

    pk = models.CompositePrimaryKey("connector", "client_id", "resource_id", "scope_set", "everybody")
    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_constraint=False, db_index=False)
    client_id = models.UUIDField()
    resource_id = models.UUIDField()
    scope_set = models.ForeignKey(ScopeSet, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    everybody = models.BooleanField()  # granted for the whole organisation; else one grant for each person
    grants = models.IntegerField()


class AppRoleAssignment(models.Model):
    """An appRoleAssignment held by a service principal: an application permission."""

    pk = models.CompositePrimaryKey("connector", "assignment_id")
    connector = models.ForeignKey("connect.Connector", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    assignment_id = models.TextField(db_collation="C")
    principal_id = models.UUIDField()
    principal_type = models.TextField(null=True)
    principal_name = models.TextField(null=True)
    resource_id = models.UUIDField()
    resource_name = models.TextField(null=True)
    app_role_id = models.UUIDField()
    created_at = models.DateTimeField(null=True)
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    granted_by = models.TextField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["principal_id"], name="assignment_by_principal"),
            models.Index(fields=["resource_id"], name="assignment_by_resource"),
        ]


class PermissionDefinition(models.Model):
    """One scope or app role as a resource of the tenant defines it, with its level from our catalogue."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    resource_id = models.UUIDField()  # object id of the resource's service principal
    resource_app_id = models.UUIDField(null=True)
    resource_name = models.TextField(blank=True)
    kind = models.CharField(max_length=12)  # delegated | application
    permission_id = models.UUIDField()
    value = models.TextField()
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    admin_only = models.BooleanField(null=True)  # as its resource says: people can't consent to it
    removed_at = models.DateTimeField(null=True)
    service = models.TextField(blank=True)  # Exchange Online, Teams, ...
    level = models.CharField(max_length=10, choices=RiskLevel.choices, default=RiskLevel.LOW)
    takeover = models.FloatField(default=0)  # 0..10
    data = models.FloatField(default=0)  # 0..10

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "resource_id", "kind", "permission_id"], name="permission_once")
        ]


class Principal(models.Model):
    """A directory user, group or service principal that a grant, assignment or ownership names."""

    pk = models.CompositePrimaryKey("connector", "object_id")
    connector = models.ForeignKey("connect.Connector", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    object_id = models.UUIDField()
    kind = models.CharField(max_length=20)  # user | group | service_principal | unknown
    name = models.TextField(blank=True)
    user_principal_name = models.TextField(null=True)
    mail = models.TextField(null=True)
    user_type = models.TextField(null=True)  # Member | Guest
    department = models.TextField(null=True)
    job_title = models.TextField(null=True)
    enabled = models.BooleanField(null=True)
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)


class Assignee(models.Model):
    """A user or group that is assigned to an app, which lets them sign in to it where it asks for that."""

    pk = models.CompositePrimaryKey("connector", "assignment_id")
    connector = models.ForeignKey("connect.Connector", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    assignment_id = models.TextField(db_collation="C")
    service_principal_id = models.UUIDField()
    principal_id = models.UUIDField()
    kind = models.CharField(max_length=20)  # user | group
    name = models.TextField(blank=True, null=True)
    app_role_id = models.UUIDField()  # all zeros: default access
    created_at = models.DateTimeField(null=True)
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["service_principal_id"], name="assignee_by_plugin"),
        ]


class InheritedPermission(models.Model):
    """A permission that an agent identity has because its blueprint's principal has it; for everybody, as Microsoft inherits no others."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    service_principal_id = models.UUIDField()  # the agent identity's
    kind = models.CharField(max_length=12)  # delegated | application
    resource_id = models.UUIDField()
    permission = models.TextField()  # a scope's value or an app role's id
    source_id = models.UUIDField()  # the service principal that it is inherited from
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["connector", "service_principal_id", "kind", "resource_id", "permission", "source_id"], name="inherited_once"
            )
        ]


class Owner(models.Model):
    """Somebody who owns a service principal or its application object."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    service_principal_id = models.UUIDField()
    owner_id = models.UUIDField()
    source = models.CharField(max_length=20)  # service_principal | application
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "service_principal_id", "owner_id", "source"], name="owner_once")
        ]


class PublisherTenant(models.Model):
    """What a tenant that publishes apps calls itself: Microsoft's public word, the same for every connector. Empty when it is gone."""

    tenant_id = models.UUIDField(primary_key=True)
    name = models.TextField(blank=True)
    domain = models.TextField(blank=True)
    read_at = models.DateTimeField()


class Credential(models.Model):
    """A secret or certificate on a service principal or its application object. Never its value."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    service_principal_id = models.UUIDField()
    source = models.CharField(max_length=20)  # service_principal | application | federated
    kind = models.CharField(max_length=20)  # secret | certificate | federated
    key_id = models.TextField()
    name = models.TextField(blank=True, null=True)
    usage = models.TextField(null=True)  # Verify | Sign
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)  # where Microsoft's report tells
    first_seen = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connector", "service_principal_id", "source", "key_id", "kind"], name="credential_once")
        ]


class ConsentEvent(models.Model):
    """One consent, credential, owner or role event of the audit log, shaped."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    event_id = models.TextField()
    at = models.DateTimeField()
    activity = models.TextField()  # normalised, see providers.entra.shape
    service_principal_id = models.UUIDField(null=True)
    resource_id = models.UUIDField(null=True)
    principal_id = models.UUIDField(null=True)
    initiated_by = models.TextField(null=True)
    initiated_by_id = models.UUIDField(null=True)
    admin_consent = models.BooleanField(null=True)
    scope = models.TextField(null=True)
    facts = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["connector", "event_id"], name="event_once")]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connector", "service_principal_id", "-at"], name="event_by_plugin"),
        ]


class TenantFact(models.Model):
    """A single object of the tenant: its consent policy and the like."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_index=False)
    name = models.CharField(max_length=60)  # authorization_policy, admin_consent_request_policy, ...
    value = models.JSONField()
    read_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["connector", "name"], name="fact_once")]


class Change(models.Model):
    """One difference between two syncs, kept for ever."""

    connector = models.ForeignKey("connect.Connector", on_delete=models.CASCADE, db_constraint=False, db_index=False)
    run_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)  # inventory.changes.ChangeKind
    plugin = models.ForeignKey(Plugin, on_delete=models.CASCADE, null=True, related_name="changes", db_constraint=False, db_index=False)
    principal_id = models.UUIDField(null=True)
    subject = models.TextField(blank=True)  # what changed, for the sentence: a permission, a key id, a field
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connector", "-id"], name="change_recent"),
            models.Index(fields=["plugin", "-id"], name="change_by_plugin"),
        ]


class Decision(models.Model):
    """What people said of a plugin. Kept by app id, so that it survives removal and reinstallation."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE)
    app_id = models.UUIDField()
    state = models.CharField(max_length=20, choices=DecisionState.choices)
    by = models.CharField(max_length=320)
    at = models.DateTimeField()
    until = models.DateField(null=True)
    note = models.TextField(blank=True)
    approved = models.JSONField(
        null=True
    )  # what the plugin had then: {permissions, publisher, verified, reply_urls, directory_roles, azure_roles}
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["account", "app_id", "-at"], name="decision_by_app")]
