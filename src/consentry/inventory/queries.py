"""The only readers with joins: what pages, API and exports show of the inventory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform

from consentry.inventory.models import Change, Plugin, Principal, TenantFact

ROLE_FACTS = ("directory_roles", "azure_roles")  # tenant facts: {object id: [role, ...]}
_COUNTS = """
SELECT
  (SELECT count(*) FROM inventory_plugin WHERE connector_id = %(c)s AND removed_at IS NULL AND origin <> 'microsoft' AND NOT is_console),
  (SELECT coalesce(sum(grants), 0) FROM inventory_grantsummary WHERE connector_id = %(c)s),
  (SELECT count(*) FROM inventory_approleassignment WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_principal WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_owner WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_credential WHERE connector_id = %(c)s AND removed_at IS NULL)
"""


def counts(connector_id: UUID) -> dict[str, int]:
    """How many of each a connector holds; ``plugins`` are all but Microsoft's own apps and the console itself."""
    names = ("plugins", "delegated_grants", "application_permissions", "principals", "owners", "credentials")
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"c": connector_id})
        return dict(zip(names, cursor.fetchone(), strict=True))


_PERMISSIONS = """
SELECT kind, resource, resource_app_id, value, title, description, service, everybody, users, granted_by, since, admin_only, inherited_from FROM (
  SELECT 'delegated' AS kind, coalesce(r.name, g.resource_id::text) AS resource, r.app_id AS resource_app_id, v AS value, coalesce(max(d.title), '') AS title,
    coalesce(max(d.description), '') AS description, coalesce(max(d.service), '') AS service,
    bool_or(g.consent_type = 'AllPrincipals') AS everybody, count(DISTINCT g.principal_id) AS users,
    max(g.granted_by) FILTER (WHERE g.consent_type = 'AllPrincipals') AS granted_by, coalesce(max(g.granted_at), min(g.first_seen)) AS since,
    coalesce(max(greatest(d.takeover, d.data)), 0) AS weight, bool_or(d.admin_only) AS admin_only,
    NULL AS inherited_from
  FROM inventory_delegatedgrant g JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
  LEFT JOIN inventory_plugin r ON r.connector_id = g.connector_id AND r.service_principal_id = g.resource_id
  LEFT JOIN inventory_permissiondefinition d ON d.connector_id = g.connector_id AND d.resource_id = g.resource_id AND d.kind = 'delegated' AND d.value = v
  WHERE g.connector_id = %(c)s AND g.client_id = %(sp)s AND g.removed_at IS NULL AND v <> '' GROUP BY 2, 3, 4
  UNION ALL
  SELECT 'application', coalesce(r.name, a.resource_name, a.resource_id::text), r.app_id, coalesce(d.value, a.app_role_id::text), coalesce(d.title, ''),
    coalesce(d.description, ''), coalesce(d.service, ''), true, 0, a.granted_by, coalesce(a.created_at, a.first_seen),
    coalesce(greatest(d.takeover, d.data), 0), true, NULL
  FROM inventory_approleassignment a
  LEFT JOIN inventory_plugin r ON r.connector_id = a.connector_id AND r.service_principal_id = a.resource_id
  LEFT JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
  WHERE a.connector_id = %(c)s AND a.principal_id = %(sp)s AND a.removed_at IS NULL
  UNION ALL
  SELECT i.kind, coalesce(r.name, i.resource_id::text), r.app_id, coalesce(d.value, i.permission), coalesce(d.title, ''), coalesce(d.description, ''),
    coalesce(d.service, ''), true, 0, NULL, i.first_seen, coalesce(greatest(d.takeover, d.data), 0), d.admin_only,
    coalesce(b.name, i.source_id::text)
  FROM inventory_inheritedpermission i
  LEFT JOIN inventory_plugin r ON r.connector_id = i.connector_id AND r.service_principal_id = i.resource_id
  LEFT JOIN inventory_plugin b ON b.connector_id = i.connector_id AND b.service_principal_id = i.source_id
  LEFT JOIN inventory_permissiondefinition d ON d.connector_id = i.connector_id AND d.resource_id = i.resource_id AND d.kind = i.kind
    AND i.permission = CASE i.kind WHEN 'delegated' THEN d.value ELSE d.permission_id::text END
  WHERE i.connector_id = %(c)s AND i.service_principal_id = %(sp)s AND i.removed_at IS NULL) x
ORDER BY weight DESC, kind, value
"""
_ASSIGNEES = """
SELECT a.principal_id, a.kind, coalesce(nullif(n.name, ''), a.name, '') AS name, coalesce(n.mail, n.user_principal_name) AS mail, n.department,
  min(coalesce(a.created_at, a.first_seen)) AS since,
  array_agg(DISTINCT coalesce(nullif(d.title, ''), d.value)) FILTER (WHERE d.id IS NOT NULL) AS roles
FROM inventory_assignee a
LEFT JOIN inventory_principal n ON n.connector_id = a.connector_id AND n.object_id = a.principal_id
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.service_principal_id AND d.permission_id = a.app_role_id
WHERE a.connector_id = %(c)s AND a.service_principal_id = %(sp)s AND a.removed_at IS NULL
GROUP BY 1, 2, 3, 4, 5 ORDER BY a.kind, 3, 1
"""
_USERS = """
SELECT g.principal_id, coalesce(n.name, '') AS name, coalesce(n.mail, n.user_principal_name) AS mail, n.department, n.user_type, n.enabled,
  array_agg(DISTINCT v) AS scopes, max(g.granted_at) AS granted_at, min(g.first_seen) AS first_seen
FROM inventory_delegatedgrant g JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
LEFT JOIN inventory_principal n ON n.connector_id = g.connector_id AND n.object_id = g.principal_id
WHERE g.connector_id = %(c)s AND g.client_id = %(sp)s AND g.removed_at IS NULL AND g.principal_id IS NOT NULL
GROUP BY g.principal_id, n.name, n.mail, n.user_principal_name, n.department, n.user_type, n.enabled ORDER BY 2, 1 LIMIT %(limit)s OFFSET %(offset)s
"""
_USER_COUNT = """
SELECT count(DISTINCT principal_id) AS number FROM inventory_delegatedgrant
WHERE connector_id = %(c)s AND client_id = %(sp)s AND removed_at IS NULL
"""
_OWNERS = """
SELECT DISTINCT o.owner_id, coalesce(n.name, '') AS name, coalesce(n.mail, n.user_principal_name) AS mail, n.department
FROM inventory_owner o LEFT JOIN inventory_principal n ON n.connector_id = o.connector_id AND n.object_id = o.owner_id
WHERE o.connector_id = %(c)s AND o.service_principal_id = %(sp)s AND o.removed_at IS NULL ORDER BY 2
"""
_PEOPLE = """
SELECT n.object_id, n.name, coalesce(n.mail, n.user_principal_name) AS mail, n.department, n.user_type, count(DISTINCT g.client_id) AS plugins,
  max(p.risk_score) AS risk, (array_agg(p.risk_level ORDER BY p.risk_score DESC))[1] AS risk_level, max(c.name) AS connector
FROM inventory_principal n JOIN connect_connector c ON c.id = n.connector_id
JOIN inventory_delegatedgrant g ON g.connector_id = n.connector_id AND g.principal_id = n.object_id AND g.removed_at IS NULL
JOIN inventory_plugin p ON p.connector_id = g.connector_id AND p.service_principal_id = g.client_id AND p.removed_at IS NULL AND p.origin <> 'microsoft'
WHERE c.account_id = %(account)s AND n.removed_at IS NULL AND (%(q)s = '' OR n.name ILIKE %(like)s OR n.mail ILIKE %(like)s OR n.user_principal_name ILIKE %(like)s)
GROUP BY n.connector_id, n.object_id, n.name, n.mail, n.user_principal_name, n.department, n.user_type ORDER BY plugins DESC, n.name LIMIT %(limit)s OFFSET %(offset)s
"""
_PERSON_PLUGINS = """
SELECT p.id AS plugin_id, array_agg(DISTINCT v) AS scopes, max(g.granted_at) AS granted_at, min(g.first_seen) AS first_seen
FROM inventory_delegatedgrant g JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
JOIN inventory_plugin p ON p.connector_id = g.connector_id AND p.service_principal_id = g.client_id AND p.removed_at IS NULL
WHERE g.connector_id = %(c)s AND g.principal_id = %(person)s AND g.removed_at IS NULL
GROUP BY p.id, p.risk_score, p.name ORDER BY p.risk_score DESC, p.name
"""
_HELD_PERMISSIONS = """
SELECT value, kind, resource_id, max(resource) AS resource, max(resource_app_id::text) AS resource_app_id, coalesce(max(title), '') AS title, coalesce(max(description), '') AS description,
  bool_or(admin_only) AS admin_only, array_agg(DISTINCT connector_id) AS connectors, count(DISTINCT plugin) AS plugins FROM (
  SELECT v AS value, 'delegated' AS kind, coalesce(r.app_id, g.resource_id) AS resource_id, r.name AS resource, r.app_id AS resource_app_id,
    d.title, d.description, d.admin_only,
    g.connector_id, p.id AS plugin, coalesce(greatest(d.takeover, d.data), 0) AS weight
  FROM inventory_grantsummary g
  JOIN connect_connector c ON c.id = g.connector_id AND c.account_id = %(account)s
  JOIN inventory_plugin p ON p.connector_id = g.connector_id AND p.service_principal_id = g.client_id AND p.removed_at IS NULL AND p.origin <> 'microsoft' AND NOT p.is_console
  JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v
  LEFT JOIN inventory_plugin r ON r.connector_id = g.connector_id AND r.service_principal_id = g.resource_id
  LEFT JOIN inventory_permissiondefinition d ON d.connector_id = g.connector_id AND d.resource_id = g.resource_id AND d.kind = 'delegated' AND d.value = v
  WHERE v <> ''
  UNION ALL
  SELECT coalesce(d.value, a.app_role_id::text), 'application', coalesce(r.app_id, a.resource_id), coalesce(r.name, a.resource_name), r.app_id,
    d.title, d.description, true,
    a.connector_id, p.id, coalesce(greatest(d.takeover, d.data), 0)
  FROM inventory_approleassignment a JOIN connect_connector c ON c.id = a.connector_id AND c.account_id = %(account)s
  JOIN inventory_plugin p ON p.connector_id = a.connector_id AND p.service_principal_id = a.principal_id AND p.removed_at IS NULL AND p.origin <> 'microsoft' AND NOT p.is_console
  LEFT JOIN inventory_plugin r ON r.connector_id = a.connector_id AND r.service_principal_id = a.resource_id
  LEFT JOIN inventory_permissiondefinition d ON d.connector_id = a.connector_id AND d.resource_id = a.resource_id AND d.permission_id = a.app_role_id AND d.kind = 'application'
  WHERE a.removed_at IS NULL) x
WHERE %(q)s = '' OR value ILIKE %(like)s
GROUP BY value, kind, resource_id ORDER BY max(weight) DESC, plugins DESC, value, kind, resource_id LIMIT %(limit)s OFFSET %(offset)s
"""


def _rows(statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def plugin_permissions(plugin: Plugin) -> list[dict[str, Any]]:
    """What a plugin may do, the strongest first."""
    return _rows(_PERMISSIONS, {"c": plugin.connector_id, "sp": plugin.service_principal_id})


def plugin_users(plugin: Plugin, *, page: int = 1, size: int | None = None) -> list[dict[str, Any]]:
    """The people with a grant of their own, all of them without a ``size``."""
    where = {"limit": size, "offset": (page - 1) * (size or 0)}
    return _rows(_USERS, {"c": plugin.connector_id, "sp": plugin.service_principal_id, **where})


def plugin_user_count(plugin: Plugin) -> int:
    """How many people ``plugin_users`` has."""
    return int(_rows(_USER_COUNT, {"c": plugin.connector_id, "sp": plugin.service_principal_id})[0]["number"])


def plugin_assignees(plugin: Plugin) -> list[dict[str, Any]]:
    """The groups and people who are assigned to the app, whether or not they granted it anything, with the roles they hold in it."""
    return _rows(_ASSIGNEES, {"c": plugin.connector_id, "sp": plugin.service_principal_id})


def plugin_roles(plugin: Plugin) -> list[str]:
    """The roles that it holds in the directory and in Azure, as last read."""
    facts = TenantFact.objects.filter(connector_id=plugin.connector_id, name__in=ROLE_FACTS).order_by("-name")
    held = facts.annotate(held=KeyTransform(str(plugin.service_principal_id), "value")).values_list("held", flat=True)
    return [role for roles in held for role in roles or ()]


def plugin_owners(plugin: Plugin) -> list[dict[str, Any]]:
    """Who owns the service principal or its application."""
    return _rows(_OWNERS, {"c": plugin.connector_id, "sp": plugin.service_principal_id})


def person_plugins(person: Principal) -> list[dict[str, Any]]:
    """The plugins that a person let in, the riskiest first: ``plugin``, ``scopes``, ``granted_at``, ``first_seen``."""
    rows = _rows(_PERSON_PLUGINS, {"c": person.connector_id, "person": person.object_id})
    plugins = Plugin.objects.in_bulk([row["plugin_id"] for row in rows])
    return [{**row, "plugin": plugins[row["plugin_id"]]} for row in rows if row["plugin_id"] in plugins]


def _listed(statement: str, account_id: UUID, q: str, page: int, size: int) -> list[dict[str, Any]]:
    like = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return _rows(statement, {"account": account_id, "q": q, "like": like, "limit": size + 1, "offset": (page - 1) * size})


def people(account_id: UUID, *, q: str = "", page: int = 1, size: int = 50) -> list[dict[str, Any]]:
    """People by the number of plugins they let in; one row more than ``size`` when there is another page."""
    return _listed(_PEOPLE, account_id, q, page, size)


def held_permissions(account_id: UUID, *, q: str = "", page: int = 1, size: int = 50) -> list[dict[str, Any]]:
    """Permissions that plugins hold, the strongest first; one row more than ``size`` when there is another page.

    ``resource_id`` is the resource's app id, or its object id where the app id isn't known; the filter ``Permission`` takes either.
    """
    return _listed(_HELD_PERMISSIONS, account_id, q, page, size)


def changes(account_id: UUID, *, plugin: Plugin | None = None) -> QuerySet[Change]:
    """Changes, newest first."""
    rows = Change.objects.filter(connector__account_id=account_id).select_related("plugin").order_by("-id")
    return rows.filter(plugin=plugin) if plugin else rows


def names_of(connector_ids: Iterable[UUID], object_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Display names of directory objects, for sentences."""
    found = Principal.objects.filter(connector_id__in=list(connector_ids), object_id__in=list(object_ids))
    return {row.object_id: row.user_principal_name or row.name for row in found}


def consent_requests(account_id: UUID) -> list[dict[str, Any]]:
    """What people wait for an administrator to consent to, over all connectors: ``app_id``, ``name``, ``permissions``, ``asked`` and ``plugin``,
    the id of the app's plugin where it is in the tenant already."""
    rows: list[dict[str, Any]] = []
    for fact in TenantFact.objects.filter(connector__account_id=account_id, name="consent_requests"):
        known = dict(
            Plugin.objects.filter(
                connector_id=fact.connector_id, removed_at=None, app_id__in=[one["app_id"] for one in fact.value]
            ).values_list("app_id", "pk")
        )
        rows += [{**one, "plugin": known.get(UUID(one["app_id"]))} for one in fact.value if one["asked"]]
    return rows
