"""The only reader of facts: everything that is known of a connector's plugins, for ``score``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from consentry.connect.models import Connector
from consentry.core.clock import now
from consentry.inventory.models import Decision, DecisionState, Plugin, TenantFact
from consentry.risk.catalogue import GRAPH, Judged, judge
from consentry.risk.consent_policy import refuser
from consentry.risk.facts import Burst, Drift, Facts, Held, Key
from consentry.risk.models import RogueApp, SignalFactor
from consentry.risk.roles import gained
from consentry.risk.score import score

_LATELY = timedelta(days=30)
UNKNOWN_RESOURCE = "an unknown resource"
_HELD = """
SELECT g.client_id::text, 'delegated', g.resource_id::text, '', v, bool_or(g.everybody), sum(CASE WHEN g.everybody THEN 0 ELSE g.grants END), false
FROM inventory_grantsummary g JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
WHERE g.connector_id = %(c)s AND v <> '' AND (%(only)s::uuid[] IS NULL OR g.client_id = ANY(%(only)s::uuid[])) GROUP BY g.client_id, g.resource_id, v
UNION ALL
SELECT a.principal_id::text, 'application', a.resource_id::text, coalesce(a.resource_name, ''), coalesce(d.value, ''), true, 0, false
FROM inventory_approleassignment a
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
WHERE a.connector_id = %(c)s AND a.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR a.principal_id = ANY(%(only)s::uuid[]))
UNION ALL
SELECT i.service_principal_id::text, i.kind, i.resource_id::text, '', CASE i.kind WHEN 'delegated' THEN i.permission ELSE coalesce(d.value, '') END, true, 0, true
FROM inventory_inheritedpermission i
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = i.resource_id AND d.permission_id::text = i.permission AND d.kind = 'application'
WHERE i.connector_id = %(c)s AND i.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR i.service_principal_id = ANY(%(only)s::uuid[]))
"""
# Few, whatever the tenant's size: looked up by their ids, where a join would read every plugin
_RESOURCES = "SELECT service_principal_id::text, name, app_id::text FROM inventory_plugin WHERE connector_id = %(c)s AND service_principal_id = ANY(%(ids)s::uuid[])"
# What was there when its collection was first read was not seen appearing
_KEYS = """
SELECT service_principal_id, source, kind, usage, starts_at, ends_at, CASE WHEN first_seen > began.at THEN first_seen END
FROM inventory_credential,
  (SELECT (SELECT first_seen FROM inventory_credential WHERE connector_id = %(c)s ORDER BY id LIMIT 1) AS at) began
WHERE connector_id = %(c)s AND removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR service_principal_id = ANY(%(only)s::uuid[]))
"""
_OWNERS = """
SELECT o.service_principal_id, count(DISTINCT o.owner_id), array_agg(DISTINCT n.name) FILTER (WHERE n.name <> '')
FROM inventory_owner o LEFT JOIN inventory_principal n ON n.connector_id = o.connector_id AND n.object_id = o.owner_id
WHERE o.connector_id = %(c)s AND o.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR o.service_principal_id = ANY(%(only)s::uuid[])) GROUP BY 1
"""
_GUESTS = """
WITH guests AS MATERIALIZED (SELECT object_id FROM inventory_principal WHERE connector_id = %(c)s AND user_type = 'Guest')
SELECT g.client_id, count(DISTINCT g.principal_id) FROM guests n
JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.principal_id = n.object_id AND g.removed_at IS NULL
WHERE %(only)s::uuid[] IS NULL OR g.client_id = ANY(%(only)s::uuid[]) GROUP BY 1
"""
_POWERFUL = """
SELECT g.client_id, array_agg(DISTINCT coalesce(n.name, n.user_principal_name, g.principal_id::text)) FROM inventory_delegatedgrant g
LEFT JOIN inventory_principal n ON n.connector_id = g.connector_id AND n.object_id = g.principal_id
WHERE g.connector_id = %(c)s AND g.principal_id = ANY(%(holders)s) AND g.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR g.client_id = ANY(%(only)s::uuid[])) GROUP BY 1
"""
_BURSTS = """
WITH began AS (SELECT coalesce((SELECT read_at FROM inventory_tenantfact WHERE connector_id = %(c)s AND name = 'grants_first_read'), %(lately)s) AS at),
said AS (
  SELECT service_principal_id AS client_id, coalesce(principal_id, initiated_by_id) AS who, at FROM inventory_consentevent
  WHERE connector_id = %(c)s AND activity = 'consent to application' AND admin_consent IS NOT TRUE AND at > %(lately)s
    AND (%(only)s::uuid[] IS NULL OR service_principal_id = ANY(%(only)s::uuid[]))
  UNION ALL
  SELECT client_id, principal_id, coalesce(granted_at, first_seen) FROM inventory_delegatedgrant, began
  WHERE connector_id = %(c)s AND removed_at IS NULL AND principal_id IS NOT NULL
    AND (granted_at > %(lately)s OR granted_at IS NULL AND first_seen > greatest(began.at, %(lately)s))
    AND (%(only)s::uuid[] IS NULL OR client_id = ANY(%(only)s::uuid[]))),
firsts AS (SELECT client_id, who, min(at) AS at FROM said WHERE who IS NOT NULL AND client_id IS NOT NULL GROUP BY 1, 2),
counted AS (
  SELECT client_id, at, count(*) OVER (PARTITION BY client_id ORDER BY at RANGE BETWEEN CURRENT ROW AND interval '24 hours' FOLLOWING) AS people FROM firsts)
SELECT DISTINCT ON (client_id) client_id, people, at FROM counted WHERE people > 1 ORDER BY client_id, people DESC, at
"""
_HISTORY = """
SELECT DISTINCT ON (p.service_principal_id, h.kind) p.service_principal_id, h.kind, h.before #>> '{}', h.after #>> '{}'
FROM inventory_change h JOIN inventory_plugin p ON p.id = h.plugin_id
WHERE h.connector_id = %(c)s AND h.kind IN ('publisher_changed', 'plugin_woke_up') AND h.at > %(lately)s
  AND (%(only)s::uuid[] IS NULL OR p.service_principal_id = ANY(%(only)s::uuid[]))
ORDER BY p.service_principal_id, h.kind, h.id DESC
"""
_TENANTS = """
SELECT p.service_principal_id, CASE WHEN t.domain IN ('', t.name) THEN t.name ELSE concat(t.name, ' (', t.domain, ')') END
FROM inventory_plugin p JOIN inventory_publishertenant t ON t.tenant_id = p.owner_tenant_id AND t.name <> ''
WHERE p.connector_id = %(c)s AND p.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR p.service_principal_id = ANY(%(only)s::uuid[]))
"""
_FIELDS = (
    "id", "service_principal_id", "app_id", "name", "origin", "publisher", "verified_publisher", "enabled", "users", "all_users", "reply_urls",
    "created_at", "consented_at", "last_used", "last_used_state", "disabled_by_microsoft", "facts", "assignment_required", "sign_in_audience",
    "single_sign_on_mode", "decision", "risk_score", "risk_level",
)  # fmt: skip
_ROLES = ("directory_roles", "azure_roles")  # facts of the tenant
_MANY_TENANTS = {"AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount"}
_APPROVING = (DecisionState.SANCTIONED, DecisionState.RISK_ACCEPTED)


def permission_key(held: Held) -> str:
    """A permission as it is remembered with a decision."""
    reach = "everybody" if held.kind == "delegated" and held.everybody else held.kind
    return f"{reach}|{held.resource}|{held.value}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all plugins of a connector share, and what is dearer to find for some of them than for all."""

    guests: dict[UUID, int]
    bursts: dict[UUID, Burst]
    approved: dict[UUID, Decision]
    single: dict[str, Any]
    rogues: frozenset[str]


def gathered(connector: Connector, only: list[UUID] | None = None) -> Gathered:
    """Guests and bursts of consent by the plugin's object id, approvals by app id, the tenant's single facts, and the account's rogues."""
    parameters = {"c": connector.pk, "only": _ids(only), "lately": now() - _LATELY}
    rogues = RogueApp.objects.filter(account=connector.account_id).values_list("app_id", flat=True)
    return Gathered(
        dict(_rows(_GUESTS, parameters, lambda row: (row[0], row[1]))),
        dict(_rows(_BURSTS, parameters, lambda row: (row[0], Burst(row[1], row[2])))),
        _approved(connector),
        _single_facts(connector),
        frozenset(map(str, rogues)),
    )


def facts(connector: Connector, only: list[UUID] | None = None, known: Gathered | None = None) -> Iterator[tuple[Any, Facts]]:
    """What is known of every plugin of a connector, or of those with these object ids: its row (``_FIELDS``) and its facts.

    Who works through all plugins in parts gives what was ``gathered`` for all of them.
    """
    moment = now()
    known = known or gathered(connector, only)
    parameters = {"c": connector.pk, "only": _ids(only), "lately": moment - _LATELY}
    holders, in_azure = _holders(known.single.get("directory_roles")), _holders(known.single.get("azure_roles"))
    held = _held(parameters)
    keys = _by_id(_KEYS, parameters, lambda row: Key(*row))
    owners = dict(_rows(_OWNERS, parameters, lambda row: (row[0], row[1:])))
    powerful = dict(_rows(_POWERFUL, {**parameters, "holders": list(holders)}, lambda row: (row[0], tuple(row[1])))) if holders else {}
    history = dict(_rows(_HISTORY, parameters, lambda row: ((row[0], row[1]), (row[2], row[3]))))
    tenants = dict(_rows(_TENANTS, parameters, lambda row: (row[0], row[1])))
    refuses = refuser(known.single.get("authorization_policy"))
    owners_read = bool(owners) or only is not None
    found = Plugin.objects.filter(connector=connector, removed_at__isnull=True)
    if only is not None:
        found = found.filter(service_principal_id__in=only)
    for plugin in found.values_list(*_FIELDS, named=True).iterator(chunk_size=2000):
        object_id = plugin.service_principal_id
        permissions = tuple(held.get(str(object_id), ()))
        number, names = owners.get(object_id, (0, None))
        risk = plugin.facts.get("microsoft_risk") or {}
        yield (
            plugin,
            Facts(
                now=moment,
                name=plugin.name,
                app_id=str(plugin.app_id or ""),
                origin=plugin.origin,
                publisher=plugin.publisher,
                publisher_verified=plugin.verified_publisher,
                publisher_tenant=tenants.get(object_id, ""),
                enabled=plugin.enabled,
                permissions=permissions,
                users=plugin.users,
                all_users=plugin.all_users,
                keys=tuple(keys.get(object_id, ())),
                reply_urls=tuple(plugin.reply_urls),
                created_at=plugin.created_at,
                consented_at=plugin.consented_at,
                last_used=plugin.last_used,
                last_used_state=plugin.last_used_state,
                woke_up=_moments(history.get((object_id, "plugin_woke_up")), moment),
                disabled_by_microsoft=plugin.disabled_by_microsoft,
                microsoft_risk=(risk.get("level") or "", risk.get("state") or "") if risk else None,
                owners=number if owners_read else None,
                owner_names=tuple(names or ()),
                guests=known.guests.get(object_id, 0),
                directory_roles=None if holders is None else holders.get(object_id, ()),
                azure_roles=None if in_azure is None else in_azure.get(object_id, ()),
                powerful_consenters=powerful.get(object_id, ()),
                assignment_required=plugin.assignment_required,
                multi_tenant=plugin.sign_in_audience in _MANY_TENANTS if plugin.sign_in_audience else None,
                single_sign_on=plugin.single_sign_on_mode,
                burst=known.bursts.get(object_id),
                drift=_drift(plugin, permissions, keys.get(object_id, ()), known.single, known.approved.get(plugin.app_id))
                if plugin.app_id
                else None,
                publisher_changed=history.get((object_id, "publisher_changed")),
                refused_today=tuple(
                    sorted({one.value for one in permissions if one.kind == "delegated" and one.users and refuses(one.value)})
                ),
                tenant_names=(connector.tenant_name,) if connector.tenant_name else (),
                own_rogues=known.rogues,
            ),
        )


def _holders(fact: dict[str, list[str]] | None) -> dict[UUID, tuple[str, ...]] | None:
    """Who holds which roles, by object id; None when that was never read."""
    return None if fact is None else {UUID(holder): tuple(names) for holder, names in fact.items()}


def refusers(connector_ids: Iterable[UUID]) -> dict[UUID, Callable[[str], bool]]:
    """By connector, whether the tenant's consent policy would refuse a delegated permission to people today, as last read."""
    wanted = set(connector_ids)
    read = dict(TenantFact.objects.filter(connector__in=wanted, name="authorization_policy").values_list("connector_id", "value"))
    return {connector_id: refuser(read.get(connector_id)) for connector_id in wanted}


def factors(account_id: UUID) -> dict[str, float]:
    """How much each signal counts in the account, where that was changed."""
    return dict(SignalFactor.objects.filter(account=account_id).values_list("signal", "factor"))


def snapshots(plugins: list[Plugin]) -> dict[UUID, dict[str, Any]]:
    """What these plugins have now, by app id, to be remembered with a decision. An app in several tenants has what it has in any."""
    made: dict[UUID, dict[str, Any]] = {}
    by_connector: dict[UUID, list[Plugin]] = defaultdict(list)
    for plugin in plugins:
        by_connector[plugin.connector_id].append(plugin)
    for connector_id, found in by_connector.items():
        only = [plugin.service_principal_id for plugin in found]
        parameters = {"c": connector_id, "only": _ids(only)}
        held = _held(parameters)
        single = _single_facts(Connector.objects.get(pk=connector_id))
        for plugin in found:
            if plugin.app_id is None:
                continue
            new: dict[str, Any] = {"permissions": [], "publisher": plugin.publisher, "verified": False, "reply_urls": []}
            one = made.setdefault(plugin.app_id, new | {name: [] for name in _ROLES})
            one["verified"] |= plugin.verified_publisher is True
            for name in _ROLES:  # unknown in one tenant is unknown: a role that could not be read is not new when it can be
                roles = _roles(single, name, plugin.service_principal_id)
                one[name] = None if roles is None or one[name] is None else sorted({*one[name], *roles})
            one["permissions"] = sorted({*one["permissions"], *map(permission_key, held.get(str(plugin.service_principal_id), ()))})
            one["reply_urls"] = sorted({*one["reply_urls"], *plugin.reply_urls})
    return made


def _roles(single: dict[str, Any], name: str, object_id: UUID) -> list[str] | None:
    """What a service principal holds in the directory or in Azure; None when that was never read."""
    holders = single.get(name)
    return None if holders is None else list(holders.get(str(object_id), ()))


def _drift(plugin: Any, permissions: tuple[Held, ...], keys: Any, single: dict[str, Any], decision: Decision | None) -> Drift | None:
    if decision is None or decision.approved is None:
        return None
    approved = decision.approved
    before = set(approved["permissions"])
    publisher = approved.get("publisher")
    roles: list[str] = []
    for name in _ROLES:
        had, has = approved.get(name), _roles(single, name, plugin.service_principal_id)
        roles += () if had is None or has is None else gained(had, has)
    return Drift(
        since=decision.at,
        permissions=tuple(
            held for held in permissions if permission_key(held) not in before and f"everybody|{held.resource}|{held.value}" not in before
        ),
        keys=sum(1 for key in keys if key.added_at and key.added_at > decision.at and key.usage != "Sign"),
        publisher=(publisher, plugin.publisher) if publisher != plugin.publisher else None,
        reply_urls=tuple(url for url in plugin.reply_urls if url not in approved.get("reply_urls", ())),
        roles=tuple(roles),
        verification_lost=bool(approved.get("verified")) and plugin.verified_publisher is False,
    )


def _approved(connector: Connector) -> dict[UUID, Decision]:
    decided = Decision.objects.filter(
        account=connector.account_id, state__in=_APPROVING, superseded_at__isnull=True, approved__isnull=False
    )
    return {decision.app_id: decision for decision in decided}


def _single_facts(connector: Connector) -> dict[str, Any]:
    return dict(TenantFact.objects.filter(connector=connector, name__in=["authorization_policy", *_ROLES]).values_list("name", "value"))


def _held(parameters: dict[str, Any]) -> dict[str, list[Held]]:
    """Permissions by the plugin's object id, as text: a hundred thousand UUID objects would cost more than all else here."""
    known: dict[tuple[str, str, str, str], tuple[str, Judged]] = {}
    held: dict[str, list[Held]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HELD, parameters)
        found = cursor.fetchall()
        cursor.execute(_RESOURCES, {"c": parameters["c"], "ids": _ids({row[2] for row in found})})
        resources = {resource_id: (name, app_id) for resource_id, name, app_id in cursor.fetchall()}
    for plugin_id, kind, resource_id, said, value, everybody, users, inherited in found:
        key = (value, kind, resource_id, said)
        about = known.get(key)
        if about is None:
            name, app_id = resources.get(resource_id, (said, None))
            about = known[key] = (name or said or UNKNOWN_RESOURCE, judge(value, kind=kind, resource_app_id=app_id or GRAPH))
        held[plugin_id].append(Held(value, about[0], kind, everybody, int(users), about[1], inherited))
    return held


def _ids(only: Iterable[UUID | str] | None) -> str | None:
    """Ids as PostgreSQL reads an array: many statements share them, and a list would be written out anew for each."""
    return None if only is None else f"{{{','.join(map(str, only))}}}"


def _by_id(statement: str, parameters: dict[str, Any], make: Callable[[tuple[Any, ...]], Any]) -> dict[UUID, list[Any]]:
    made: dict[UUID, list[Any]] = defaultdict(list)
    for object_id, *rest in _rows(statement, parameters, lambda row: row):
        made[object_id].append(make(tuple(rest)))
    return made


def _rows(statement: str, parameters: dict[str, Any], make: Callable[[tuple[Any, ...]], Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [make(row) for row in cursor.fetchall()]


def _moments(pair: tuple[str | None, str | None] | None, moment: datetime) -> tuple[datetime, datetime] | None:
    """Two dates as the history keeps them."""
    if pair is None or pair[0] is None or pair[1] is None:
        return None
    before, after = (datetime.fromisoformat(text[:10]).replace(tzinfo=moment.tzinfo) for text in pair if text)
    return before, after


@dataclass(frozen=True, slots=True)
class Preview:
    """What other factors would do: how many plugins change their score, how many their level, and the largest changes."""

    scores: int
    levels: int
    largest: list[tuple[Plugin, float, str]]  # the plugin as it is, the new score and level


def preview(account_id: UUID, wanted: dict[str, float]) -> Preview:
    """The scores with other factors against those that are stored. Nothing is stored."""
    changed: list[tuple[Any, float, str]] = []
    for connector in Connector.objects.filter(account=account_id):
        for plugin, known in facts(connector):
            result = score(known, wanted)
            if result.score != plugin.risk_score:
                changed.append((plugin, result.score, result.level))
    changed.sort(key=lambda row: -abs(row[1] - row[0].risk_score))
    plugins = Plugin.objects.in_bulk([row.id for row, _, _ in changed[:10]])
    largest = [(plugins[row.id], new, level) for row, new, level in changed[:10] if row.id in plugins]
    return Preview(len(changed), sum(1 for row, _, level in changed if level != row.risk_level), largest)
