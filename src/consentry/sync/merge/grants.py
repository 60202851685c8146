"""What plugins may do: permission definitions, delegated grants and application permissions."""

from __future__ import annotations

from consentry.sync.merge.context import Context
from consentry.sync.merge.upsert import upsert
from consentry.sync.staging import PEOPLE, SUMMARY

# From so many people on in one run, one change tells of all who gained or lost the same thing
MANY = 25

_DEFINED = ("resource_app_id", "resource_name", "value", "title", "description", "admin_only")
_DEFINITIONS = (
    "WITH "  # noqa: S608
    + upsert(
        "inventory_permissiondefinition",
        "SELECT DISTINCT ON (resource_id, kind, permission_id) * FROM {s}.permission ORDER BY resource_id, kind, permission_id",
        key=("resource_id", "kind", "permission_id"),
        rest=_DEFINED,
        once={"service": "''", "level": "'low'", "takeover": "0", "data": "0"},
    )
    + " SELECT 1 FROM written"
)
_DEFINITIONS_GONE = """
UPDATE inventory_permissiondefinition p SET removed_at = %(now)s
WHERE p.connector_id = %(c)s AND p.removed_at IS NULL
  AND p.resource_id IN (SELECT resource_id FROM {s}.permission)
  AND NOT EXISTS (SELECT 1 FROM {s}.permission n WHERE (n.resource_id, n.kind, n.permission_id) = (p.resource_id, p.kind, p.permission_id))
"""

_SETS = """
INSERT INTO inventory_scopeset (id, scope, values) SELECT DISTINCT ON (id) id, scope, values FROM {s}.scope_set ORDER BY id ON CONFLICT (id) DO NOTHING
"""
# grants that were there when they were first read were not seen appearing
_FIRST_READ = """
INSERT INTO inventory_tenantfact (connector_id, name, value, read_at) VALUES (%(c)s, 'grants_first_read', to_jsonb(%(run)s), %(now)s)
ON CONFLICT (connector_id, name) DO NOTHING
"""
# every grant that is new, came back or differs
_GRANTS_THAT_DIFFER = """
CREATE TEMP TABLE grant_difference ON COMMIT DROP AS
SELECT DISTINCT ON (n.grant_id) n.grant_id, n.client_id, n.resource_id, n.principal_id, n.consent_type, n.scope_set_id,
       CASE WHEN o.removed_at IS NULL THEN o.scope_set_id END AS old_set_id, o.grant_id IS NOT NULL AS known, false AS gone,
       o.client_id AS old_client_id, o.resource_id AS old_resource_id, o.principal_id AS old_principal_id, o.consent_type AS old_consent_type
FROM {s}.delegated_grant n LEFT JOIN inventory_delegatedgrant o ON o.connector_id = %(c)s AND o.grant_id = n.grant_id
WHERE o.grant_id IS NULL OR o.removed_at IS NOT NULL OR (o.client_id, o.resource_id, o.principal_id, o.consent_type, o.scope_set_id)
    IS DISTINCT FROM (n.client_id, n.resource_id, n.principal_id, n.consent_type, n.scope_set_id)
ORDER BY n.grant_id
"""
_NEW_GRANTS = """
INSERT INTO inventory_delegatedgrant (connector_id, grant_id, client_id, resource_id, principal_id, consent_type, scope_set_id, first_seen)
SELECT %(c)s, grant_id, client_id, resource_id, principal_id, consent_type, scope_set_id, %(now)s FROM grant_difference WHERE NOT known
"""
_CHANGED_GRANTS = """
UPDATE inventory_delegatedgrant g SET client_id = d.client_id, resource_id = d.resource_id, principal_id = d.principal_id,
    consent_type = d.consent_type, scope_set_id = d.scope_set_id, removed_at = NULL
FROM grant_difference d WHERE g.connector_id = %(c)s AND g.grant_id = d.grant_id AND d.known
"""
_GRANTS_GONE = """
WITH gone AS (
  UPDATE inventory_delegatedgrant g SET removed_at = %(now)s
  WHERE g.connector_id = %(c)s AND g.removed_at IS NULL AND {which}
  RETURNING g.*)
INSERT INTO grant_difference
SELECT grant_id, client_id, resource_id, principal_id, consent_type, NULL, scope_set_id, true, true, client_id, resource_id, principal_id, consent_type
FROM gone
"""
_GRANTS_NOT_LISTED = "NOT EXISTS (SELECT 1 FROM {s}.delegated_grant n WHERE n.grant_id = g.grant_id)"
_GRANTS_SAID_TO_BE_GONE = "g.grant_id IN (SELECT object_id FROM {s}.removed WHERE source = 'delegated_grants')"
# The summary and the number of people, from what is counted anew, or after a few changes from these alone
_SUMMARISED = """
WITH fresh AS ({counted}),
gone AS (
  DELETE FROM inventory_grantsummary t WHERE t.connector_id = %(c)s AND NOT EXISTS (
    SELECT 1 FROM fresh f WHERE (f.client_id, f.resource_id, f.scope_set_id, f.everybody) = (t.client_id, t.resource_id, t.scope_set_id, t.everybody)))
INSERT INTO inventory_grantsummary AS t (connector_id, client_id, resource_id, scope_set_id, everybody, grants)
SELECT %(c)s, f.* FROM fresh f LEFT JOIN inventory_grantsummary t ON t.connector_id = %(c)s
    AND (t.client_id, t.resource_id, t.scope_set_id, t.everybody) = (f.client_id, f.resource_id, f.scope_set_id, f.everybody)
WHERE t.grants IS DISTINCT FROM f.grants
ON CONFLICT (connector_id, client_id, resource_id, scope_set_id, everybody) DO UPDATE SET grants = excluded.grants
"""
_PEOPLE_COUNTED = """
WITH fresh AS ({counted})
UPDATE inventory_plugin p SET users = coalesce(f.users, 0)
FROM inventory_plugin o LEFT JOIN fresh f ON f.client_id = o.service_principal_id
WHERE p.id = o.id AND o.connector_id = %(c)s AND o.users <> coalesce(f.users, 0)
"""
_SUMMARY_MOVED = """
WITH moved AS (
  SELECT client_id, resource_id, scope_set_id, consent_type = 'AllPrincipals' AS everybody, 1 AS grants FROM grant_difference WHERE NOT gone
  UNION ALL
  SELECT old_client_id, old_resource_id, old_set_id, old_consent_type = 'AllPrincipals', -1 FROM grant_difference WHERE old_set_id IS NOT NULL)
INSERT INTO inventory_grantsummary AS t (connector_id, client_id, resource_id, scope_set_id, everybody, grants)
SELECT %(c)s, client_id, resource_id, scope_set_id, everybody, sum(grants) FROM moved GROUP BY 2, 3, 4, 5 HAVING sum(grants) <> 0
ON CONFLICT (connector_id, client_id, resource_id, scope_set_id, everybody) DO UPDATE SET grants = t.grants + excluded.grants
"""
_SUMMARY_EMPTIED = """
DELETE FROM inventory_grantsummary t USING grant_difference d WHERE t.connector_id = %(c)s AND t.client_id = d.old_client_id AND t.grants <= 0
"""
_PEOPLE_MOVED = """
WITH about AS (
  SELECT client_id, principal_id, false AS before FROM grant_difference WHERE NOT gone AND principal_id IS NOT NULL
  UNION ALL
  SELECT old_client_id, old_principal_id, old_consent_type = 'Principal' FROM grant_difference
  WHERE old_set_id IS NOT NULL AND old_principal_id IS NOT NULL),
pairs AS (SELECT client_id, principal_id, bool_or(before) AS before FROM about GROUP BY 1, 2),
live AS (
  SELECT p.client_id, p.principal_id, p.before, count(g.grant_id) > 0 AS after,
         p.before OR bool_or(g.grant_id IS NOT NULL AND d.grant_id IS NULL) AS was
  FROM pairs p
  LEFT JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.principal_id = p.principal_id AND g.client_id = p.client_id
      AND g.removed_at IS NULL AND g.consent_type = 'Principal'
  LEFT JOIN grant_difference d ON d.grant_id = g.grant_id
  GROUP BY 1, 2, 3),
moved AS (SELECT client_id, sum(after::integer - was::integer) AS number FROM live GROUP BY 1)
UPDATE inventory_plugin p SET users = p.users + m.number FROM moved m
WHERE p.connector_id = %(c)s AND p.service_principal_id = m.client_id AND m.number <> 0
"""
_COUNTED_FROM = "inventory_delegatedgrant WHERE connector_id = %(c)s AND removed_at IS NULL"
_GRANT_CHANGES = """
WITH told AS (
  SELECT d.client_id, d.resource_id, d.principal_id, d.old_set_id, d.scope_set_id,
         count(*) OVER (PARTITION BY d.client_id, d.resource_id, d.old_set_id, d.scope_set_id, d.principal_id IS NULL) AS people,
         row_number() OVER (PARTITION BY d.client_id, d.resource_id, d.old_set_id, d.scope_set_id, d.principal_id IS NULL) AS place
  FROM grant_difference d WHERE d.old_set_id IS DISTINCT FROM d.scope_set_id)
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, principal_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s,
       CASE WHEN t.old_set_id IS NULL THEN 'grant_added' WHEN t.scope_set_id IS NULL THEN 'grant_removed' ELSE 'grant_changed' END
           || CASE WHEN t.people > %(many)s THEN '_for_many' ELSE '' END,
       p.id, CASE WHEN t.people <= %(many)s THEN t.principal_id END,
       coalesce(r.name, t.resource_id::text) || CASE WHEN t.people > %(many)s THEN ' for ' || t.people || ' people' ELSE '' END,
       to_jsonb(o.values), to_jsonb(n.values)
FROM told t
LEFT JOIN inventory_scopeset o ON o.id = t.old_set_id LEFT JOIN inventory_scopeset n ON n.id = t.scope_set_id
LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = t.client_id
LEFT JOIN inventory_plugin r ON r.connector_id = %(c)s AND r.service_principal_id = t.resource_id
WHERE p.removed_at IS NULL AND (t.people <= %(many)s OR t.place = 1)
"""

_ASSIGNMENTS = (
    "WITH "  # noqa: S608
    + upsert(
        "inventory_approleassignment",
        "SELECT DISTINCT ON (assignment_id) * FROM {s}.app_role_assignment ORDER BY assignment_id",
        key=("assignment_id",),
        rest=("principal_id", "principal_type", "principal_name", "resource_id", "resource_name", "app_role_id", "created_at"),
        once={"first_seen": "%(now)s"},
    )
    + " INSERT INTO touched SELECT principal_id FROM written"
)
_ASSIGNMENTS_GONE = """
WITH gone AS (
  UPDATE inventory_approleassignment a SET removed_at = %(now)s
  WHERE a.connector_id = %(c)s AND a.removed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM {s}.app_role_assignment n WHERE n.assignment_id = a.assignment_id) AND {which}
  RETURNING a.principal_id)
INSERT INTO touched SELECT principal_id FROM gone
"""
_READ_AGAIN = "a.principal_id IN (SELECT object_id FROM {s}.scope WHERE source = 'app_role_assignment')"
_ASSIGNMENT_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, CASE WHEN a.removed_at IS NULL THEN 'permission_added' ELSE 'permission_removed' END, p.id,
       coalesce(a.resource_name, a.resource_id::text), CASE WHEN a.removed_at IS NOT NULL THEN v.value END,
       CASE WHEN a.removed_at IS NULL THEN v.value END
FROM inventory_approleassignment a
JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = a.principal_id AND p.removed_at IS NULL
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = a.resource_id AND d.kind = 'application'
    AND d.permission_id = a.app_role_id
CROSS JOIN LATERAL (SELECT to_jsonb(coalesce(d.value, a.app_role_id::text)) AS value) v
WHERE a.connector_id = %(c)s AND (a.removed_at = %(now)s OR a.removed_at IS NULL AND a.first_seen = %(now)s)
"""
_STAGED_INHERITED = (
    "SELECT DISTINCT service_principal_id, kind, resource_id, permission, source_id FROM {s}.inherited WHERE permission <> ''"
)
_INHERITED_KEY = ("service_principal_id", "kind", "resource_id", "permission", "source_id")
_INHERITED = (
    "WITH "  # noqa: S608
    + upsert("inventory_inheritedpermission", _STAGED_INHERITED, key=_INHERITED_KEY, rest=(), once={"first_seen": "%(now)s"})
    + " INSERT INTO touched SELECT service_principal_id FROM written"
)
_INHERITED_GONE = f"""
WITH gone AS (
  UPDATE inventory_inheritedpermission t SET removed_at = %(now)s
  WHERE t.connector_id = %(c)s AND t.removed_at IS NULL AND {{which}}
    AND NOT EXISTS (SELECT 1 FROM {{s}}.inherited n WHERE {" AND ".join(f"n.{name} = t.{name}" for name in _INHERITED_KEY)})
  RETURNING t.service_principal_id)
INSERT INTO touched SELECT service_principal_id FROM gone
"""  # noqa: S608  # fixed column names
_INHERITED_READ_AGAIN = "t.service_principal_id IN (SELECT object_id FROM {s}.scope WHERE source = 'inherited')"
_INHERITED_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, CASE WHEN i.removed_at IS NULL THEN 'inherited_added' ELSE 'inherited_removed' END, p.id,
       coalesce(b.name, i.source_id::text), CASE WHEN i.removed_at IS NOT NULL THEN v.value END, CASE WHEN i.removed_at IS NULL THEN v.value END
FROM inventory_inheritedpermission i
JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = i.service_principal_id AND p.removed_at IS NULL
LEFT JOIN inventory_plugin b ON b.connector_id = %(c)s AND b.service_principal_id = i.source_id
LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = i.resource_id AND d.kind = 'application'
    AND i.kind = 'application' AND d.permission_id::text = i.permission
CROSS JOIN LATERAL (SELECT to_jsonb(coalesce(d.value, i.permission)) AS value) v
WHERE i.connector_id = %(c)s AND (i.removed_at = %(now)s OR i.removed_at IS NULL AND i.first_seen = %(now)s)
"""


def merge_inherited(context: Context) -> None:
    """What agent identities may do because their blueprint's principal may."""
    written = context.do(_INHERITED)
    if not context.first:
        written += context.do(_INHERITED_GONE.replace("{which}", _INHERITED_READ_AGAIN if context.delta else "true"))
        if written:
            context.do(_INHERITED_CHANGES)


def merge_definitions(context: Context) -> None:
    """What the resources define. Levels are the risk room's."""
    written = context.do(_DEFINITIONS)
    context.do(_DEFINITIONS_GONE)
    context.analyze("inventory_permissiondefinition", written)


def merge_grants(context: Context) -> None:
    """Delegated grants: a difference of scopes is a change, one for each person, or one for many."""
    context.do(_SETS)
    context.do(_FIRST_READ)
    if context.attach("delegated_grant"):
        if "delegated_grant" in context.attached:
            context.do(_SUMMARISED.replace("{counted}", "SELECT * FROM {s}.grant_summary"))
            if not context.first:
                context.do(_PEOPLE_COUNTED.replace("{counted}", "SELECT * FROM {s}.grant_people"))
                context.do("INSERT INTO touched SELECT client_id FROM {s}.grant_summary")
        return
    context.do(_GRANTS_THAT_DIFFER)
    gone = _GRANTS_GONE.replace("{which}", _GRANTS_SAID_TO_BE_GONE if context.delta else _GRANTS_NOT_LISTED)
    written = context.do(_NEW_GRANTS) + context.do(_CHANGED_GRANTS) + context.do(gone)
    if not context.first:
        context.do(_GRANT_CHANGES, many=MANY)
    context.do("INSERT INTO touched SELECT DISTINCT client_id FROM grant_difference")
    context.do("CREATE TEMP TABLE new_grant ON COMMIT DROP AS SELECT DISTINCT client_id FROM grant_difference WHERE NOT gone")
    context.has_new_grants = True
    context.analyze("inventory_delegatedgrant", written)
    if context.delta:
        context.do("ANALYZE grant_difference")
        context.do(_SUMMARY_MOVED)
        context.do(_SUMMARY_EMPTIED)
        context.do(_PEOPLE_MOVED)
    else:
        context.do(_SUMMARISED.replace("{counted}", SUMMARY.replace("{grants}", _COUNTED_FROM)))
        context.do(_PEOPLE_COUNTED.replace("{counted}", PEOPLE.replace("{grants}", _COUNTED_FROM)))


def merge_assignments(context: Context) -> None:
    """Application permissions."""
    if context.attach("app_role_assignment"):
        if "app_role_assignment" in context.attached and not context.first:
            context.do("INSERT INTO touched SELECT DISTINCT principal_id FROM inventory_approleassignment WHERE connector_id = %(c)s")
        return
    written = context.do(_ASSIGNMENTS)
    if not context.first:
        written += context.do(_ASSIGNMENTS_GONE.replace("{which}", _READ_AGAIN if context.delta else "true"))
        context.do(_ASSIGNMENT_CHANGES)
    context.analyze("inventory_approleassignment", written)
