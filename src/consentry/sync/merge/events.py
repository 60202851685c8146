"""The audit log: who consented to what and when. Grants carry no dates of their own."""

from __future__ import annotations

from consentry.sync.merge.context import Context

_EVENTS = """
CREATE TEMP TABLE told ON COMMIT DROP AS
WITH written AS (
  INSERT INTO inventory_consentevent (connector_id, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
      initiated_by_id, admin_consent, scope, facts)
  SELECT DISTINCT ON (event_id) %(c)s::uuid, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
      initiated_by_id, admin_consent, scope, facts FROM {s}.event ORDER BY event_id
  ON CONFLICT (connector_id, event_id) DO NOTHING RETURNING *)
SELECT * FROM written
"""
# A grant may be read some time after the event that tells of it
_TOLD_BEFORE = """
INSERT INTO told SELECT e.* FROM inventory_consentevent e
WHERE e.connector_id = %(c)s AND NOT EXISTS (SELECT 1 FROM told t WHERE t.id = e.id) AND {which}
"""
_OF_NEW_GRANTS = """
e.at > %(now)s - interval '1 day' AND e.service_principal_id IN (SELECT client_id FROM new_grant)
"""
# What the audit log says of grants. A consent event names its grants; "add delegated permission grant" names the app, the resource
# and who did it. A table of its own, so that the planner knows how much it is.
_HEARD = """
CREATE TEMP TABLE heard ON COMMIT DROP AS
SELECT n.grant_id, e.service_principal_id, e.resource_id, e.at, e.initiated_by,
       CASE WHEN n.grant_id IS NOT NULL THEN NULL WHEN e.admin_consent THEN e.service_principal_id ELSE coalesce(e.principal_id, e.initiated_by_id) END AS who
FROM told e LEFT JOIN LATERAL jsonb_array_elements_text(e.facts -> 'grants') AS n(grant_id) ON true
WHERE e.service_principal_id IS NOT NULL AND (n.grant_id IS NOT NULL OR (e.admin_consent IS NOT NULL
  AND e.activity IN ('consent to application', 'add delegated permission grant', 'add oauth2permissiongrant')))
"""
# A person has few grants, an app may have a hundred thousand: IS NOT DISTINCT FROM keeps PostgreSQL from reading the index of apps
_DATED = """
CREATE TEMP TABLE dated ON COMMIT DROP AS
WITH said AS (
  SELECT grant_id, at, initiated_by FROM heard WHERE grant_id IS NOT NULL
  UNION ALL
  SELECT g.grant_id, h.at, h.initiated_by FROM heard h
  JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.principal_id = h.who
    AND g.client_id IS NOT DISTINCT FROM h.service_principal_id AND g.resource_id = h.resource_id
  WHERE h.grant_id IS NULL AND h.who <> h.service_principal_id
  UNION ALL
  SELECT g.grant_id, h.at, h.initiated_by FROM heard h
  JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.principal_id IS NULL AND g.client_id = h.service_principal_id AND g.resource_id = h.resource_id
  WHERE h.grant_id IS NULL AND h.who = h.service_principal_id)
SELECT DISTINCT ON (grant_id) grant_id, at, initiated_by FROM said ORDER BY grant_id, at DESC
"""
_GRANT_DATES = """
UPDATE inventory_delegatedgrant g SET granted_at = l.at, granted_by = l.initiated_by FROM dated l
WHERE g.connector_id = %(c)s AND g.grant_id = l.grant_id AND g.removed_at IS NULL AND (g.granted_at IS NULL OR l.at >= g.granted_at)
  AND (g.granted_at, g.granted_by) IS DISTINCT FROM (l.at, l.initiated_by)
"""
_ASSIGNERS = """
UPDATE inventory_approleassignment a SET granted_by = e.initiated_by
FROM (
  SELECT DISTINCT ON (service_principal_id, resource_id, facts ->> 'role') service_principal_id, resource_id, facts ->> 'role' AS role, initiated_by
  FROM told WHERE activity = 'add app role assignment to service principal'
  ORDER BY service_principal_id, resource_id, facts ->> 'role', at DESC) e
WHERE a.connector_id = %(c)s AND a.principal_id = e.service_principal_id AND a.resource_id = e.resource_id AND a.app_role_id::text = e.role
  AND a.granted_by IS DISTINCT FROM e.initiated_by
"""


def merge(context: Context) -> None:
    """Add the events that are new, and tell grants and assignments who gave them and when."""
    written = context.do(_EVENTS)
    context.analyze("inventory_consentevent", written)
    context.do("INSERT INTO touched SELECT service_principal_id FROM told WHERE service_principal_id IS NOT NULL")
    if context.do(
        "SELECT 1 FROM inventory_tenantfact WHERE connector_id = %(c)s AND name = 'grants_first_read' AND value = to_jsonb(%(run)s)"
    ):
        context.do(_TOLD_BEFORE.replace("{which}", "true"))
    elif context.has_new_grants:
        context.do(_TOLD_BEFORE.replace("{which}", _OF_NEW_GRANTS))
    context.do("ANALYZE told")
    context.do(_HEARD)
    context.do("ANALYZE heard")
    context.do(_DATED)
    context.do("ANALYZE dated (at)")
    context.do(_GRANT_DATES)
    context.do(_ASSIGNERS)
    context.do("DROP TABLE told, heard, dated")
