"""The audit log: who consented to what and when. Grants carry no dates of their own."""

from __future__ import annotations

from consentry.sync.merge.context import Context

_EVENTS = """
WITH written AS (
  INSERT INTO inventory_consentevent (connector_id, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
      initiated_by_id, admin_consent, scope, facts)
  SELECT DISTINCT ON (event_id) %(c)s, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
      initiated_by_id, admin_consent, scope, facts FROM {s}.event ORDER BY event_id
  ON CONFLICT (connector_id, event_id) DO NOTHING RETURNING service_principal_id)
INSERT INTO touched SELECT service_principal_id FROM written WHERE service_principal_id IS NOT NULL
"""
# A consent event names its grants; "add delegated permission grant" names the app, the resource and who did it.
_GRANT_DATES = """
WITH said AS (
  SELECT g.id, e.at, e.initiated_by
  FROM inventory_consentevent e CROSS JOIN LATERAL jsonb_array_elements_text(e.facts -> 'grants') AS n(grant_id)
  JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.grant_id = n.grant_id
  WHERE e.connector_id = %(c)s AND e.facts ? 'grants'
  UNION ALL
  SELECT g.id, e.at, e.initiated_by
  FROM inventory_consentevent e
  JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.client_id = e.service_principal_id AND g.resource_id = e.resource_id
      AND coalesce(g.principal_id, g.client_id) = CASE WHEN e.admin_consent THEN e.service_principal_id
          ELSE coalesce(e.principal_id, e.initiated_by_id) END
  WHERE e.connector_id = %(c)s AND NOT e.facts ? 'grants' AND e.admin_consent IS NOT NULL
    AND e.activity IN ('consent to application', 'add delegated permission grant', 'add oauth2permissiongrant')),
latest AS (SELECT DISTINCT ON (id) id, at, initiated_by FROM said ORDER BY id, at DESC)
UPDATE inventory_delegatedgrant g SET granted_at = l.at, granted_by = l.initiated_by FROM latest l
WHERE g.id = l.id AND g.removed_at IS NULL AND (g.granted_at, g.granted_by) IS DISTINCT FROM (l.at, l.initiated_by)
"""
_ASSIGNERS = """
UPDATE inventory_approleassignment a SET granted_by = e.initiated_by
FROM (
  SELECT DISTINCT ON (service_principal_id, resource_id, facts ->> 'role') service_principal_id, resource_id, facts ->> 'role' AS role, initiated_by
  FROM inventory_consentevent WHERE connector_id = %(c)s AND activity = 'add app role assignment to service principal'
  ORDER BY service_principal_id, resource_id, facts ->> 'role', at DESC) e
WHERE a.connector_id = %(c)s AND a.principal_id = e.service_principal_id AND a.resource_id = e.resource_id AND a.app_role_id::text = e.role
  AND a.granted_by IS DISTINCT FROM e.initiated_by
"""


def merge(context: Context) -> None:
    """Add the events that are new, and tell grants and assignments who gave them and when."""
    context.analyze("inventory_consentevent", context.do(_EVENTS))
    if context.do("SELECT 1 FROM touched LIMIT 1"):
        context.do(_GRANT_DATES)
        context.do(_ASSIGNERS)
