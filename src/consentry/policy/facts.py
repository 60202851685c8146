"""The reader of what policies ask about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from consentry.core.clock import now
from consentry.inventory.models import Decision, Plugin
from consentry.policy.conditions import Facts, Rule, asks
from consentry.risk.models import ScorePoint

_AT_ONCE = 2000  # plugins in memory side by side
_PERMISSIONS = """
SELECT p.id, lower(v) FROM inventory_plugin p
JOIN inventory_grantsummary g ON g.connector_id = p.connector_id AND g.client_id = p.service_principal_id
JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v WHERE p.id = ANY(%(ids)s) GROUP BY 1, 2
UNION
SELECT p.id, lower(d.value) FROM inventory_plugin p
JOIN inventory_approleassignment a ON a.connector_id = p.connector_id AND a.principal_id = p.service_principal_id AND a.removed_at IS NULL
JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
WHERE p.id = ANY(%(ids)s)
"""
_PEOPLE = """
SELECT DISTINCT p.id, lower(concat_ws(' ', n.name, n.mail, n.user_principal_name)) FROM inventory_plugin p
JOIN inventory_delegatedgrant g ON g.connector_id = p.connector_id AND g.client_id = p.service_principal_id AND g.removed_at IS NULL
JOIN inventory_principal n ON n.connector_id = g.connector_id AND n.object_id = g.principal_id WHERE p.id = ANY(%(ids)s)
"""
# People whose first grant appeared lately; who was there when the tenant was first read is not new
_GAINED = """
SELECT id, count(*) FROM (
  SELECT p.id, g.principal_id, min(coalesce(g.granted_at, g.first_seen)) AS since, min(c.began) AS began FROM inventory_plugin p
  JOIN (SELECT connector_id, min(first_seen) AS began FROM inventory_plugin
        WHERE connector_id IN (SELECT connector_id FROM inventory_plugin WHERE id = ANY(%(ids)s)) GROUP BY 1) c ON c.connector_id = p.connector_id
  JOIN inventory_delegatedgrant g ON g.connector_id = p.connector_id AND g.client_id = p.service_principal_id AND g.removed_at IS NULL
  WHERE p.id = ANY(%(ids)s) AND g.principal_id IS NOT NULL GROUP BY 1, 2) x
WHERE since > %(lately)s AND since > began GROUP BY 1
"""


def facts(
    plugins: QuerySet[Plugin], changes: Mapping[UUID, Collection[str]], rules: Iterable[Rule], *, since: datetime | None = None
) -> Iterator[tuple[Plugin, Facts]]:
    """What ``rules`` ask of ``plugins``, some at a time. ``since`` is when the run began whose ``changes`` these are."""
    rules = list(rules)
    ids = list(plugins.values_list("pk", flat=True))
    for start in range(0, len(ids), _AT_ONCE):
        yield from _facts(
            list(Plugin.objects.filter(pk__in=ids[start : start + _AT_ONCE]).select_related("connector")), changes, rules, since
        )


def _facts(
    found: list[Plugin], changes: Mapping[UUID, Collection[str]], rules: list[Rule], since: datetime | None
) -> Iterator[tuple[Plugin, Facts]]:
    ids = [plugin.pk for plugin in found]
    permissions = _sets(_PERMISSIONS, ids) if any(asks(rule, "permission") for rule in rules) else {}
    people = _sets(_PEOPLE, ids) if any(asks(rule, "person") for rule in rules) else {}
    gained = dict(_rows(_GAINED, ids)) if any(asks(rule, "users_up") for rule in rules) else {}
    before = _scores_before(ids, since) if since and any(asks(rule, "score_rose") for rule in rules) else {}
    until: dict[UUID | None, Any] = {}
    if found and any(asks(rule, "risk_expired") for rule in rules):
        accounts = {plugin.connector.account_id for plugin in found}
        accepted = Decision.objects.filter(account__in=accounts, superseded_at__isnull=True, state="risk_accepted")
        until = dict(accepted.values_list("app_id", "until"))
    moment = now()
    for plugin in found:
        yield (
            plugin,
            Facts(
                now=moment,
                name=plugin.name,
                origin=plugin.origin,
                connector=plugin.connector.name,
                risk_level=plugin.risk_level,
                score=plugin.risk_score,
                score_before=before.get(plugin.pk),
                permission_level=plugin.permission_level,
                decision=plugin.decision,
                decision_until=until.get(plugin.app_id),
                enabled=plugin.enabled,
                verified=plugin.verified_publisher,
                users=plugin.users,
                users_gained=gained.get(plugin.pk, 0),
                everybody=plugin.all_users,
                last_used=plugin.last_used,
                last_used_state=plugin.last_used_state,
                publisher=plugin.publisher or "",
                app_id=str(plugin.app_id or ""),
                first_seen=plugin.first_seen,
                services=frozenset(plugin.connected_to),
                permissions=frozenset(permissions.get(plugin.pk, ())),
                people=frozenset(people.get(plugin.pk, ())),
                # a reason that other ones left no points is still there
                signals={one["signal"]: one["severity"] for kind in ("notes", "reasons") for one in plugin.risk.get(kind, [])},
                changes=frozenset(changes.get(plugin.pk, ())),
            ),
        )


def _scores_before(ids: list[UUID], since: datetime) -> dict[UUID, float]:
    """The score before the run, of those whose score the run changed; a plugin that is new had 0."""
    changed = set(ScorePoint.objects.filter(plugin__in=ids, at__gte=since).values_list("plugin_id", flat=True))
    earlier = ScorePoint.objects.filter(plugin__in=changed, at__lt=since).order_by("plugin_id", "-at").distinct("plugin_id")
    return dict.fromkeys(changed, 0.0) | dict(earlier.values_list("plugin_id", "score"))


def _sets(statement: str, ids: list[UUID]) -> dict[UUID, set[str]]:
    made: dict[UUID, set[str]] = defaultdict(set)
    for plugin_id, value in _rows(statement, ids):
        made[plugin_id].add(value)
    return made


def _rows(statement: str, ids: list[UUID]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": ids, "lately": now() - timedelta(days=30)})
        return list(cursor.fetchall())
