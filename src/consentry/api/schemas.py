"""The shapes that the API answers with; they may grow, what stands here keeps its meaning."""

from __future__ import annotations

from datetime import date
from typing import Any, Generic, Literal, TypeVar

from ninja import Schema
from pydantic import Field, JsonValue

T = TypeVar("T")
Level = Literal["none", "low", "medium", "high", "critical"]
DecisionName = Literal["unclassified", "in_review", "sanctioned", "unsanctioned", "risk_accepted", "needs_removal"]


class Listed(Schema, Generic[T]):
    """One page of a list."""

    items: list[T]
    count: int = Field(description="How many there are on all pages.")
    page: int
    page_size: int


class Paging(Schema):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=1_000_000)
    page_size: int = Field(50, ge=1, le=200)


class DelegatedPermission(Schema):
    resource: str
    value: str
    consent: Literal["admin", "user"]
    users: int


class ApplicationPermission(Schema):
    resource: str
    value: str


class Credential(Schema):
    kind: str
    key_id: str
    ends_at: str | None
    last_used: str | None


class PublisherTenant(Schema):
    name: str
    domain: str


class OwnerOut(Schema):
    id: str
    name: str | None
    user_principal_name: str | None
    kind: str | None


class InheritedPermission(Schema):
    """What an agent identity has from its blueprint's principal, whose name is ``inherited_from``."""

    kind: Literal["delegated", "application"]
    resource: str
    value: str
    inherited_from: str


class Reason(Schema):
    signal: str | None
    points: float | None
    severity: str | None
    evidence: JsonValue
    remedy: str | None


class Risk(Schema):
    score: float = Field(ge=0, le=10)
    level: Level
    axes: dict[str, float]
    reasons: list[Reason]


class Decided(Schema):
    state: DecisionName
    by: str | None
    at: str | None
    until: str | None
    note: str


class Plugin(Schema):
    """A plugin as data (see the reference); the same object as in ``consentry export plugins --format json``."""

    id: str
    connector: str
    service_principal_id: str
    app_id: str | None
    name: str
    publisher: str | None
    verified_publisher: bool | None
    owner_tenant_id: str | None
    publisher_tenant: PublisherTenant | None
    origin: Literal["third_party", "own", "microsoft", "managed_identity", "agent_identity", "unknown"]
    enabled: bool | None
    created_at: str | None
    first_seen: str
    consented_at: str | None
    last_used: str | None
    last_used_state: Literal["known", "never", "unknown", "unlicensed"]
    connected_to: list[str]
    delegated_permissions: list[DelegatedPermission]
    application_permissions: list[ApplicationPermission]
    inherited_permissions: list[InheritedPermission]
    assigned_users: int
    assigned_groups: int
    users: int
    all_users: bool
    reply_urls: list[str]
    credentials: list[Credential]
    owners: list[OwnerOut]
    risk: Risk
    decision: Decided
    connector_status: str


class Grant(Schema):
    plugin_id: str
    app_id: str | None
    plugin: str
    kind: Literal["delegated", "application"]
    resource: str
    permission: str
    consent: Literal["admin", "user"]
    principal_id: str | None
    principal: str | None
    principal_name: str | None
    granted_at: str | None
    first_seen: str
    level: Level


class User(Schema):
    """Somebody with a grant of their own to the plugin."""

    id: str
    name: str
    mail: str | None
    department: str | None
    user_type: str | None
    enabled: bool | None
    permissions: list[str]
    granted_at: str | None
    first_seen: str


class Permission(Schema):
    connector: str
    resource: str
    kind: Literal["delegated", "application"]
    value: str
    title: str
    description: str
    service: str
    level: Level
    plugins: int = Field(description="How many plugins hold it.")


class Principal(Schema):
    connector: str
    id: str
    kind: str
    name: str
    user_principal_name: str | None
    mail: str | None
    user_type: str | None
    department: str | None
    enabled: bool | None
    first_seen: str


class Change(Schema):
    connector: str
    id: int
    at: str
    kind: str
    plugin_id: str | None
    plugin: str | None
    principal_id: str | None
    subject: str
    before: JsonValue
    after: JsonValue


class Connector(Schema):
    id: str
    name: str
    vendor: str
    tenant_id: str | None
    tenant_name: str
    tenant_domain: str
    status: str
    status_code: str
    status_reason: str
    status_remedy: str
    licence: dict[str, Any]
    created_at: str


class Integration(Schema):
    id: str
    connector_id: str
    connector: str
    capability: str
    saas_application: str
    description: str
    status: str
    status_code: str
    status_reason: str
    status_remedy: str
    sync_every_minutes: int
    next_sync_at: str | None
    disconnected_at: str | None


class Gap(Schema):
    collection: str
    reason: str
    code: str = ""


class Sync(Schema):
    """One run; the numbers are those of ``consentry sync --json``."""

    id: int
    connector_id: str
    trigger: str
    queued_at: str
    started_at: str | None
    finished_at: str | None
    status: str
    mode: str
    seconds: float
    requests: int
    throttled: int
    retried: int
    resource_units: int
    counts: dict[str, int]
    incomplete: list[Gap]
    changes: dict[str, int]
    error: dict[str, str] | None = None


class DecisionIn(Schema):
    """``until`` is the last day of an accepted risk."""

    state: DecisionName
    until: date | None = None
    note: str = Field("", max_length=4000)
