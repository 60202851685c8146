"""The only writer of levels and scores."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from consentry.core import events
from consentry.inventory import queries
from consentry.inventory.models import PermissionDefinition, Plugin
from consentry.risk.catalogue import GRAPH, SIGN_IN, Judged, judge, level_of
from consentry.risk.score import VERSION, Facts, Held, score
from consentry.sync import services as sync
from consentry.sync.models import SyncRun, TouchedPlugin

_HELD = """
SELECT g.client_id, 'delegated', r.name, r.app_id, v, bool_or(g.everybody), sum(g.people)
FROM (SELECT client_id, resource_id, scope_set_id, consent_type = 'AllPrincipals' AS everybody, count(principal_id) AS people
      FROM inventory_delegatedgrant
      WHERE connector_id = %(c)s AND removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR client_id = ANY(%(only)s)) GROUP BY 1, 2, 3, 4) g
JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
LEFT JOIN inventory_plugin r ON r.connector_id = %(c)s AND r.service_principal_id = g.resource_id
WHERE v <> '' GROUP BY 1, 3, 4, 5
UNION ALL
SELECT a.principal_id, 'application', coalesce(r.name, a.resource_name, ''), r.app_id, coalesce(d.value, ''), true, 0
FROM inventory_approleassignment a
LEFT JOIN inventory_plugin r ON r.connector_id = %(c)s AND r.service_principal_id = a.resource_id
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
WHERE a.connector_id = %(c)s AND a.removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR a.principal_id = ANY(%(only)s))
"""
_OWN_KEYS = """
SELECT service_principal_id, count(*) FROM inventory_credential
WHERE connector_id = %(c)s AND removed_at IS NULL AND (%(only)s::uuid[] IS NULL OR service_principal_id = ANY(%(only)s)) AND source = 'service_principal' AND coalesce(usage, '') <> 'Sign' GROUP BY 1
"""
_WRITE = """
UPDATE inventory_plugin p SET connected_to = n.connected_to, permission_level = n.permission_level, risk_score = n.risk_score, risk_level = n.risk_level, risk = n.risk
FROM new_score n WHERE n.id = p.id AND (p.connected_to, p.permission_level, p.risk_score, p.risk_level, p.risk)
    IS DISTINCT FROM (n.connected_to, n.permission_level, n.risk_score, n.risk_level, n.risk)
"""


@transaction.atomic
def rescore_run(run_id: int) -> None:
    """Score the plugins that a run touched and close the run."""
    run = SyncRun.objects.select_related("connector").get(pk=run_id)
    stale = Plugin.objects.filter(connector_id=run.connector_id, removed_at__isnull=True).exclude(risk__version=VERSION)
    touched = TouchedPlugin.objects.filter(run_id=run_id).values_list("plugin__service_principal_id", flat=True)
    rescore(run.connector_id, None if stale.exists() else list(touched))
    sync.finish_run(run_id, queries.counts(run.connector_id))
    events.emit("risk:run:scored", run_id=run_id)


@transaction.atomic
def rescore(connector_id: UUID, only: list[UUID] | None = None) -> None:
    """Levels of the tenant's permissions, and services, level and score of every plugin, or of those with these ids. Writes only what differs."""
    _judge_definitions(connector_id)
    if only is not None and not only:
        return
    parameters = {"c": connector_id, "only": only}
    held = _permissions(parameters)
    with connection.cursor() as cursor:
        cursor.execute(_OWN_KEYS, parameters)
        keys = dict(cursor.fetchall())
    # a list, for COPY and the cursor behind the iterator share one connection
    _write(
        [
            _scored(plugin, held.get(plugin.service_principal_id, []), keys.get(plugin.service_principal_id, 0))
            for plugin in _plugins(connector_id, only)
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE inventory_plugin p SET decision = d.state
            FROM inventory_decision d JOIN connect_connector c ON c.account_id = d.account_id
            WHERE c.id = %s AND p.connector_id = c.id AND p.app_id = d.app_id AND d.superseded_at IS NULL AND p.decision IS DISTINCT FROM d.state""",
            [connector_id],
        )


def _plugins(connector_id: UUID, only: list[UUID] | None) -> Iterable[Plugin]:
    fields = (
        "id",
        "service_principal_id",
        "app_id",
        "name",
        "origin",
        "verified_publisher",
        "users",
        "all_users",
        "reply_urls",
        "disabled_by_microsoft",
        "enabled",
    )
    found = Plugin.objects.filter(connector_id=connector_id, removed_at__isnull=True)
    if only is not None:
        found = found.filter(service_principal_id__in=only)
    return found.only(*fields).iterator(chunk_size=2000)


def _judge_definitions(connector_id: UUID) -> None:
    changed = []
    for row in PermissionDefinition.objects.filter(connector_id=connector_id):
        judged = judge(row.value, kind=row.kind, resource_app_id=str(row.resource_app_id or ""))
        if (row.service, row.level, row.takeover, row.data) != (judged.service, judged.level, judged.takeover, judged.data):
            row.service, row.level, row.takeover, row.data = judged.service, judged.level, judged.takeover, judged.data
            changed.append(row)
    PermissionDefinition.objects.bulk_update(changed, ["service", "level", "takeover", "data"], batch_size=500)


def _permissions(parameters: dict[str, Any]) -> dict[UUID, list[Held]]:
    known: dict[tuple[str, str, str], Judged] = {}
    held: dict[UUID, list[Held]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HELD, parameters)
        for plugin_id, kind, resource, app_id, value, everybody, users in cursor.fetchall():
            key = (value, kind, str(app_id or ""))
            if key not in known:
                known[key] = judge(value, kind=kind, resource_app_id=str(app_id or GRAPH))
            held[plugin_id].append(Held(value, resource or "an unknown resource", kind, everybody, int(users), known[key]))
    return held


def _scored(plugin: Plugin, held: list[Held], keys: int) -> tuple[Any, ...]:
    result = score(
        Facts(
            name=plugin.name,
            app_id=str(plugin.app_id or ""),
            origin=plugin.origin,
            publisher_verified=plugin.verified_publisher,
            permissions=tuple(held),
            users=plugin.users,
            all_users=plugin.all_users,
            own_credentials=keys,
            reply_urls=tuple(plugin.reply_urls),
            disabled_by_microsoft=plugin.disabled_by_microsoft not in {None, "", "NotDisabled"},
            enabled=plugin.enabled,
        )
    )
    services = sorted({one.judged.service for one in held if one.judged.service != SIGN_IN})
    level = level_of(max((max(one.judged.takeover, one.judged.data) for one in held), default=0))
    risk = {
        "version": VERSION,
        "axes": {"takeover": result.takeover, "data": result.data, "trust": result.trust},
        "reasons": [reason.as_dict() for reason in result.reasons],
    }
    return plugin.pk, services, level, result.score, result.level, json.dumps(risk).replace("\\u0000", "")


def _write(rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE new_score (id uuid, connected_to text[], permission_level text, risk_score float8, risk_level text, risk jsonb) ON COMMIT DROP"
        )
        with cursor.copy("COPY new_score FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(_WRITE)
        cursor.execute("DROP TABLE new_score")
