"""The filters of the Plugins list. They live in the URL; page, API and export read the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from consentry.core.clock import now
from consentry.inventory.models import (
    AppRoleAssignment,
    DecisionState,
    DelegatedGrant,
    GrantSummary,
    Origin,
    PermissionDefinition,
    Plugin,
    Principal,
    RiskLevel,
)

LABELS = {
    "q": "Search",
    "risk": "Risk",
    "decision": "Decision",
    "origin": "Origin",
    "permission": "Permission",
    "connected_to": "Connected to",
    "user": "User",
    "used": "Last used",
    "publisher_verified": "Publisher",
    "connector": "Connector",
    "new_since": "New since",
}
USED = {"30d": "In the last 30 days", "unused90d": "Not for 90 days", "unknown": "Unknown", "never": "Never"}
VERIFIED = {"true": "Verified", "false": "Not verified"}
NEW = {"7d": "7 days", "30d": "30 days"}
_CHOICES: dict[str, Mapping[str, str]] = {
    "risk": dict(RiskLevel.choices),
    "decision": dict(DecisionState.choices),
    "origin": dict(Origin.choices),
    "used": USED,
    "publisher_verified": VERIFIED,
}
# what a list of plugins sorts by -> the field
SORTS = {
    "name": "name",
    "publisher": "publisher",
    "users": "users",
    "permissions": "application_count",
    "risk": "risk_score",
    "decision": "decision",
    "seen": "consented_at",
    "used": "last_used",
}
DEFAULT_SORT = "-risk"
_WORDS: dict[str, Mapping[str, str]] = {**_CHOICES, "new_since": NEW}


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is on, and the address without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Permission:
    """One kind of permission by its value, on one resource or on any.

    As a filter it is written ``application:Mail.Read`` or, with the app id of its resource, ``delegated:<app id>/Mail.Read``. A percent sign
    or comma of the value is percent-encoded, as commas join values. A resource whose app id isn't known goes by its object id.
    """

    kind: str
    value: str
    resource: UUID | None = None

    def __str__(self) -> str:
        value = quote(self.value, safe="/:.-_~!$&'()*+;=@")
        return f"{self.kind}:{self.resource}/{value}" if self.resource else f"{self.kind}:{value}"

    @classmethod
    def parse(cls, text: str) -> Permission | None:
        """From a filter's value; None where it is a plain value, which means either kind on any resource."""
        kind, _, rest = text.partition(":")
        if not rest or kind not in {"application", "delegated"}:
            return None
        resource, slash, value = rest.partition("/")
        if slash and _is_uuid(resource):
            return cls(kind, _decoded(value), UUID(resource))
        return cls(kind, _decoded(rest))


@dataclass(frozen=True, slots=True)
class PluginFilter:
    """Parsed filters: name to the values of which any one suffices. Unknown names and values are left out."""

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def parse(cls, parameters: Mapping[str, list[str]]) -> PluginFilter:
        """From the lists of a query string; values may be repeated or joined by commas."""
        found: dict[str, tuple[str, ...]] = {}
        for name in LABELS:
            given = parameters.get(name, [])
            parts = given if name == "q" else [part for text in given for part in text.split(",")]
            cleaned = (part.replace("\x00", "").strip() for part in parts)
            kept = tuple(dict.fromkeys(part for part in cleaned if part and _means_something(name, part)))
            if kept:
                found[name] = kept
        return cls(found)

    @staticmethod
    def unknown(parameters: Mapping[str, list[str]]) -> list[str]:
        """What ``parse`` would leave out of these filters, as ``name=value``: for callers that must not be given more than they asked for."""
        return [
            f"{name}={part.strip()}"
            for name in LABELS
            if name != "q"
            for text in parameters.get(name, [])
            for part in text.split(",")
            if part.strip() and not _means_something(name, part.strip())
        ]

    def query(self, **changes: str | None) -> str:
        """The query string, with single parameters set or (None) left out."""
        kept: dict[str, str] = {name: ",".join(values) for name, values in self.values.items()}
        for name, value in changes.items():
            kept.pop(name, None)
            if value is not None:
                kept[name] = value
        return urlencode(kept)

    def chips(self) -> list[Chip]:
        """What is on, for the page."""
        return [
            Chip(LABELS[name], ", ".join(_words(name, value) for value in values), self.query(**{name: None}))
            for name, values in self.values.items()
        ]

    def apply(self, account_id: UUID) -> QuerySet[Plugin]:
        """The account's plugins that match: no removed ones, not Microsoft's own unless asked for, never the console itself."""
        rows = Plugin.objects.filter(connector__account_id=account_id, removed_at__isnull=True, is_console=False)
        if Origin.MICROSOFT not in self.values.get("origin", ()):
            rows = rows.exclude(origin=Origin.MICROSOFT)
        for name, values in self.values.items():
            rows = rows.filter(_condition(name, values))
        return rows


def ordered(rows: QuerySet[Plugin], sort: str) -> QuerySet[Plugin]:
    """Sorted by one of ``SORTS``, descending with a minus before it; plugins without the value come last."""
    wanted = sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT
    field = F(SORTS[wanted.removeprefix("-")])
    return rows.order_by(field.desc(nulls_last=True) if wanted.startswith("-") else field.asc(nulls_last=True), "id")


def _decoded(value: str) -> str:
    return unquote(value).replace("\x00", "")


def _means_something(name: str, value: str) -> bool:
    if name == "new_since":
        return _moment(value) is not None
    return name not in _CHOICES or value in _CHOICES[name]


def _moment(value: str) -> datetime | None:
    """A number of days (``30d``) back from now, or a date or time of ISO 8601."""
    if value.endswith("d") and value[:-1].isascii() and value[:-1].isdigit() and len(value) < 6:
        return now() - timedelta(days=int(value[:-1]))
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _words(name: str, value: str) -> str:
    """A filter's value as a chip shows it."""
    if name == "permission" and (exact := Permission.parse(value)):
        return f"{exact.value} ({exact.kind})"
    return _WORDS.get(name, {}).get(value, value)


def _condition(name: str, values: tuple[str, ...]) -> Q:
    if name == "q":
        text = values[0]
        wanted = Q(name__icontains=text) | Q(publisher__icontains=text)
        return wanted | Q(app_id=text) if _is_uuid(text) else wanted
    if name in {"risk", "decision", "origin"}:
        return Q(**{f"{'risk_level' if name == 'risk' else name}__in": values})
    if name == "connected_to":
        return Q(connected_to__overlap=list(values))
    if name == "connector":
        return Q(connector__name__in=values) | Q(connector_id__in=[value for value in values if _is_uuid(value)])
    if name == "publisher_verified":
        return Q(verified_publisher__in=[value == "true" for value in values])
    if name == "new_since":
        since = min(moment for value in values if (moment := _moment(value)))
        return Q(created_at__gte=since) | Q(created_at__isnull=True, first_seen__gte=since)
    if name == "used":
        return _used(values)
    if name == "permission":
        return _holds(values)
    return _used_by(values)


def _used(values: tuple[str, ...]) -> Q:
    condition = Q(pk__in=[])
    if "30d" in values:
        condition |= Q(last_used__gte=now() - timedelta(days=30))
    if "unused90d" in values:
        condition |= Q(last_used_state="known", last_used__lt=now() - timedelta(days=90))
    for state in ("unknown", "never"):
        if state in values:
            condition |= Q(last_used_state=state)
    return condition


def _holds(values: tuple[str, ...]) -> Q:
    exact = [(value, Permission.parse(value)) for value in values]
    condition = _holds_any([value for value, parsed in exact if parsed is None])
    for _, parsed in exact:
        if parsed is not None:
            condition |= Q(Exists(_delegated(parsed) if parsed.kind == "delegated" else _application(parsed)))
    return condition


def _resources(app_id: UUID) -> list[UUID]:
    """The object ids that a resource has in its tenants."""
    return [app_id, *Plugin.objects.filter(app_id=app_id).values_list("service_principal_id", flat=True)]


def _delegated(wanted: Permission) -> QuerySet[GrantSummary]:
    found = GrantSummary.objects.filter(
        connector_id=OuterRef("connector_id"),
        client_id=OuterRef("service_principal_id"),
        scope_set__values__contains=[wanted.value],
    )
    return found.filter(resource_id__in=_resources(wanted.resource)) if wanted.resource else found


def _application(wanted: Permission) -> QuerySet[AppRoleAssignment]:
    """By its definition; an app role that its resource doesn't define goes by its id."""
    found = AppRoleAssignment.objects.filter(
        connector_id=OuterRef("connector_id"), principal_id=OuterRef("service_principal_id"), removed_at__isnull=True
    )
    if wanted.resource:
        found = found.filter(resource_id__in=_resources(wanted.resource))
    defined = PermissionDefinition.objects.filter(
        connector_id=OuterRef("connector_id"),
        resource_id=OuterRef("resource_id"),
        permission_id=OuterRef("app_role_id"),
        kind="application",
    )
    named = Q(Exists(defined.filter(value=wanted.value)))
    return found.filter(named | Q(~Exists(defined), app_role_id=wanted.value) if _is_uuid(wanted.value) else named)


def _holds_any(values: list[str]) -> Q:
    delegated = GrantSummary.objects.filter(
        connector_id=OuterRef("connector_id"),
        client_id=OuterRef("service_principal_id"),
        scope_set__values__overlap=values,
    )
    roles = list(PermissionDefinition.objects.filter(kind="application", value__in=values).values_list("permission_id", flat=True))
    from_roles = Plugin.objects.none()
    if roles:
        from_roles = Plugin.objects.extra(
            where=[
                "EXISTS (SELECT 1 FROM inventory_approleassignment a WHERE a.connector_id = inventory_plugin.connector_id"
                " AND a.principal_id = inventory_plugin.service_principal_id AND a.removed_at IS NULL AND a.app_role_id = ANY(%s::uuid[]))"
            ],
            params=[[str(role) for role in roles]],
        )
    return Q(Exists(delegated)) | Q(pk__in=from_roles.values("pk"))


def _used_by(values: tuple[str, ...]) -> Q:
    wanted = Q(object_id__in=[value for value in values if _is_uuid(value)])
    for value in values:
        wanted |= Q(user_principal_name__iexact=value) | Q(mail__iexact=value)
    people = Principal.objects.filter(wanted)
    grants = DelegatedGrant.objects.filter(
        connector_id=OuterRef("connector_id"),
        client_id=OuterRef("service_principal_id"),
        removed_at__isnull=True,
        principal_id__in=people.values("object_id"),
    )
    return Q(Exists(grants))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
