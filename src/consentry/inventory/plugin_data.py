"""Rows as data: what exports and the API share, uncapped and streamed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

_CHUNK = 500
_JSONB = 3802  # PostgreSQL's type id; Django leaves such columns as text in raw cursors
_PLUGINS = """
SELECT p.id, c.name AS connector, p.service_principal_id, p.app_id, p.name, p.publisher, p.verified_publisher, p.owner_tenant_id,
  (SELECT jsonb_build_object('name', t.name, 'domain', t.domain) FROM inventory_publishertenant t WHERE t.tenant_id = p.owner_tenant_id AND t.name <> '') AS publisher_tenant, p.origin, p.enabled,
  p.created_at, p.first_seen, p.consented_at, p.last_used, p.last_used_state, p.connected_to, p.users, p.all_users, p.reply_urls,
  p.risk_score, p.risk_level, p.risk, p.decision, c.status AS connector_status,
  coalesce((SELECT jsonb_agg(jsonb_build_object('resource', resource, 'value', value, 'consent', consent, 'users', users) ORDER BY resource, value, consent) FROM (
     SELECT coalesce(r.name, g.resource_id::text) AS resource, v AS value, CASE g.consent_type WHEN 'AllPrincipals' THEN 'admin' ELSE 'user' END AS consent,
            count(DISTINCT g.principal_id) AS users
     FROM inventory_delegatedgrant g JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
     LEFT JOIN inventory_plugin r ON r.connector_id = g.connector_id AND r.service_principal_id = g.resource_id
     WHERE g.connector_id = p.connector_id AND g.client_id = p.service_principal_id AND g.removed_at IS NULL AND v <> '' GROUP BY 1, 2, 3) d), '[]') AS delegated_permissions,
  coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('resource', coalesce(r.name, a.resource_name, a.resource_id::text), 'value',
        coalesce(d.value, CASE WHEN a.app_role_id = '00000000-0000-0000-0000-000000000000' THEN '' ELSE a.app_role_id::text END)))
     FROM inventory_approleassignment a
     LEFT JOIN inventory_plugin r ON r.connector_id = a.connector_id AND r.service_principal_id = a.resource_id
     LEFT JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
     WHERE a.connector_id = p.connector_id AND a.principal_id = p.service_principal_id AND a.removed_at IS NULL), '[]') AS application_permissions,
  coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('resource', coalesce(r.name, i.resource_id::text), 'kind', i.kind,
        'value', coalesce(d.value, i.permission), 'inherited_from', coalesce(b.name, i.source_id::text)))
     FROM inventory_inheritedpermission i
     LEFT JOIN inventory_plugin r ON r.connector_id = i.connector_id AND r.service_principal_id = i.resource_id
     LEFT JOIN inventory_plugin b ON b.connector_id = i.connector_id AND b.service_principal_id = i.source_id
     LEFT JOIN inventory_permissiondefinition d ON d.connector_id = i.connector_id AND d.resource_id = i.resource_id AND d.permission_id::text = i.permission AND d.kind = 'application'
     WHERE i.connector_id = p.connector_id AND i.service_principal_id = p.service_principal_id AND i.removed_at IS NULL), '[]') AS inherited_permissions,
  (SELECT count(DISTINCT a.principal_id) FROM inventory_assignee a
     WHERE a.connector_id = p.connector_id AND a.service_principal_id = p.service_principal_id AND a.removed_at IS NULL AND a.kind = 'user') AS assigned_users,
  (SELECT count(DISTINCT a.principal_id) FROM inventory_assignee a
     WHERE a.connector_id = p.connector_id AND a.service_principal_id = p.service_principal_id AND a.removed_at IS NULL AND a.kind = 'group') AS assigned_groups,
  coalesce((SELECT jsonb_agg(jsonb_build_object('kind', k.kind, 'key_id', k.key_id, 'ends_at', k.ends_at, 'last_used', k.last_used) ORDER BY k.key_id) FROM (
     SELECT DISTINCT ON (key_id) kind, key_id, to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS ends_at,
       to_char(last_used AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_used FROM inventory_credential k
     WHERE k.connector_id = p.connector_id AND k.service_principal_id = p.service_principal_id AND k.removed_at IS NULL ORDER BY key_id) k), '[]') AS credentials,
  coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('id', o.owner_id, 'name', n.name, 'user_principal_name', n.user_principal_name, 'kind', n.kind))
     FROM inventory_owner o LEFT JOIN inventory_principal n ON n.connector_id = o.connector_id AND n.object_id = o.owner_id
     WHERE o.connector_id = p.connector_id AND o.service_principal_id = p.service_principal_id AND o.removed_at IS NULL), '[]') AS owners,
  (SELECT jsonb_build_object('state', d.state, 'by', d.by, 'at', d.at, 'until', d.until, 'note', d.note) FROM inventory_decision d
     WHERE d.account_id = c.account_id AND d.app_id = p.app_id AND d.superseded_at IS NULL ORDER BY d.at DESC LIMIT 1) AS decided
FROM inventory_plugin p JOIN connect_connector c ON c.id = p.connector_id
WHERE c.account_id = %(account)s AND p.removed_at IS NULL AND NOT p.is_console AND (%(connector)s::text IS NULL OR c.name = %(connector)s)
  AND (%(microsoft)s OR p.origin <> 'microsoft') AND (%(only)s::uuid[] IS NULL OR p.id = ANY(%(only)s))
ORDER BY c.name, p.name, p.id
"""
_GRANTS = """
SELECT p.id AS plugin_id, p.app_id, p.name AS plugin, 'delegated' AS kind, coalesce(r.name, g.resource_id::text) AS resource, v AS permission,
  CASE g.consent_type WHEN 'AllPrincipals' THEN 'admin' ELSE 'user' END AS consent, g.principal_id,
  coalesce(n.user_principal_name, n.mail) AS principal, n.name AS principal_name, g.granted_at, g.first_seen, coalesce(d.level, 'low') AS level
FROM inventory_delegatedgrant g JOIN connect_connector c ON c.id = g.connector_id
JOIN inventory_plugin p ON p.connector_id = g.connector_id AND p.service_principal_id = g.client_id
JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
LEFT JOIN inventory_plugin r ON r.connector_id = g.connector_id AND r.service_principal_id = g.resource_id
LEFT JOIN inventory_principal n ON n.connector_id = g.connector_id AND n.object_id = g.principal_id
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = g.connector_id AND d.resource_id = g.resource_id AND d.kind = 'delegated' AND d.value = v
WHERE g.removed_at IS NULL AND p.removed_at IS NULL AND v <> '' AND {scope}
UNION ALL
SELECT p.id, p.app_id, p.name, 'application', coalesce(r.name, a.resource_name, a.resource_id::text),
  coalesce(d.value, CASE WHEN a.app_role_id = '00000000-0000-0000-0000-000000000000' THEN '' ELSE a.app_role_id::text END),
  'admin', NULL, NULL, NULL, a.created_at, a.first_seen, coalesce(d.level, 'low')
FROM inventory_approleassignment a JOIN connect_connector c ON c.id = a.connector_id
JOIN inventory_plugin p ON p.connector_id = a.connector_id AND p.service_principal_id = a.principal_id
LEFT JOIN inventory_plugin r ON r.connector_id = a.connector_id AND r.service_principal_id = a.resource_id
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
WHERE a.removed_at IS NULL AND p.removed_at IS NULL AND {scope}
ORDER BY plugin, plugin_id, kind, resource, permission, consent, principal_id
"""
_SCOPE = (
    "c.account_id = %(account)s AND NOT p.is_console AND (%(connector)s::text IS NULL OR c.name = %(connector)s) AND (%(microsoft)s OR p.origin <> 'microsoft')"
    " AND (%(only)s::uuid[] IS NULL OR p.id = ANY(%(only)s))"
)
_PERMISSIONS = """
WITH held AS (
  SELECT connector_id, resource_id, 'delegated' AS kind, value, count(DISTINCT client_id) AS plugins FROM (
    SELECT g.* FROM inventory_grantsummary g JOIN connect_connector c ON c.id = g.connector_id WHERE c.account_id = %(account)s) g
  JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) AS v(value) GROUP BY 1, 2, 4
  UNION ALL
  SELECT a.connector_id, a.resource_id, 'application', a.app_role_id::text, count(DISTINCT a.principal_id) FROM inventory_approleassignment a
  JOIN connect_connector c ON c.id = a.connector_id WHERE c.account_id = %(account)s AND a.removed_at IS NULL GROUP BY 1, 2, 4)
SELECT c.name AS connector, d.resource_name AS resource, d.kind, d.value, d.title, d.description, d.service, d.level, coalesce(h.plugins, 0) AS plugins
FROM inventory_permissiondefinition d JOIN connect_connector c ON c.id = d.connector_id
LEFT JOIN held h ON h.connector_id = d.connector_id AND h.resource_id = d.resource_id AND h.kind = d.kind
  AND h.value = CASE d.kind WHEN 'delegated' THEN d.value ELSE d.permission_id::text END
WHERE c.account_id = %(account)s AND d.removed_at IS NULL AND (%(connector)s::text IS NULL OR c.name = %(connector)s)
ORDER BY 1, 2, 3, 4, d.permission_id
"""
_PRINCIPALS = """
SELECT c.name AS connector, n.object_id AS id, n.kind, n.name, n.user_principal_name, n.mail, n.user_type, n.department, n.enabled, n.first_seen
FROM inventory_principal n JOIN connect_connector c ON c.id = n.connector_id
WHERE c.account_id = %(account)s AND n.removed_at IS NULL AND (%(connector)s::text IS NULL OR c.name = %(connector)s) ORDER BY 1, n.name, n.object_id
"""
_CHANGES = """
SELECT c.name AS connector, h.id, h.at, h.kind, h.plugin_id, p.name AS plugin, h.principal_id, h.subject, h.before, h.after
FROM inventory_change h JOIN connect_connector c ON c.id = h.connector_id LEFT JOIN inventory_plugin p ON p.id = h.plugin_id
WHERE c.account_id = %(account)s AND (%(connector)s::text IS NULL OR c.name = %(connector)s) AND (%(only)s::uuid[] IS NULL OR h.plugin_id = ANY(%(only)s))
ORDER BY h.id DESC
"""
KINDS = {
    "plugins": _PLUGINS,
    "grants": _GRANTS.replace("{scope}", _SCOPE),
    "permissions": _PERMISSIONS,
    "principals": _PRINCIPALS,
    "changes": _CHANGES,
}


def rows(
    kind: str,
    account_id: UUID,
    *,
    connector: str | None = None,
    include_microsoft: bool = False,
    only: Collection[UUID] | None = None,
    page: int | None = None,
    size: int = 50,
) -> Iterator[dict[str, Any]]:
    """Every row of a kind (``KINDS``), JSON-ready, in constant memory. ``only`` limits plugins, grants and changes to these plugins,
    Microsoft's own included; ``page`` counts from 1."""
    statement = KINDS[kind]
    parameters = _parameters(account_id, connector, include_microsoft=include_microsoft, only=only)
    if page is not None:
        statement += " LIMIT %(limit)s OFFSET %(offset)s"
        parameters |= {"limit": size, "offset": (page - 1) * size}
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        names: list[str] = []
        encoded: set[str] = set()
        while chunk := cursor.fetchmany(_CHUNK):
            if not names:
                names = [column.name for column in cursor.description]
                encoded = {column.name for column in cursor.description if column.type_code == _JSONB}
            for row in chunk:
                data = {name: _plain(value, encoded=name in encoded) for name, value in zip(names, row, strict=True)}
                yield _plugin(data) if kind == "plugins" else data


def count(kind: str, account_id: UUID, *, connector: str | None = None, only: Collection[UUID] | None = None) -> int:
    """How many rows ``rows`` would give."""
    with connection.cursor() as cursor:
        parameters = _parameters(account_id, connector, include_microsoft=False, only=only)
        cursor.execute(f"SELECT count(*) FROM ({KINDS[kind]}) x", parameters)  # noqa: S608  # fixed text
        return int(cursor.fetchone()[0])


def _parameters(account_id: UUID, connector: str | None, *, include_microsoft: bool, only: Collection[UUID] | None) -> dict[str, Any]:
    chosen = None if only is None else list(only)
    return {"account": account_id, "connector": connector, "microsoft": include_microsoft or only is not None, "only": chosen}


def _plugin(row: dict[str, Any]) -> dict[str, Any]:
    risk = row.pop("risk")
    score, level = row.pop("risk_score"), row.pop("risk_level")
    row["risk"] = {
        "score": score,
        "level": level,
        "axes": risk.get("axes", {"takeover": 0, "data": 0, "trust": 0}),
        "reasons": [
            {name: reason.get(name) for name in ("signal", "points", "severity", "evidence", "remedy")}
            for reason in risk.get("reasons", [])
        ],
    }
    decided, state = row.pop("decided"), row.pop("decision")
    row["decision"] = decided or {"state": state, "by": None, "at": None, "until": None, "note": ""}
    return row


def _plain(value: Any, *, encoded: bool) -> Any:
    if encoded and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, datetime):
        return moment(value)
    return str(value) if isinstance(value, UUID) else value


def moment(value: datetime | None) -> str | None:
    """A time in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None
