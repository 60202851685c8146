"""What a list of plugins sorts and filters by, refreshed for the plugins that a merge touched."""

from __future__ import annotations

from consentry.sync.merge.context import Context

_REFRESH = """
WITH wanted AS (SELECT DISTINCT service_principal_id FROM touched),
held AS (
  SELECT s.* FROM wanted w JOIN inventory_grantsummary s ON s.connector_id = %(c)s AND s.client_id = w.service_principal_id),
granted AS (SELECT client_id, bool_or(everybody) AS all_users FROM held GROUP BY client_id),
delegated AS (
  SELECT h.client_id, count(DISTINCT (h.resource_id, v)) AS number
  FROM held h JOIN inventory_scopeset s ON s.id = h.scope_set_id CROSS JOIN LATERAL unnest(s.values) v GROUP BY h.client_id),
application AS (
  SELECT a.principal_id, count(DISTINCT (a.resource_id, a.app_role_id)) AS number, min(a.created_at) AS since
  FROM wanted w JOIN inventory_approleassignment a ON a.connector_id = %(c)s AND a.principal_id = w.service_principal_id AND a.removed_at IS NULL
  GROUP BY a.principal_id),
consented AS (
  SELECT e.service_principal_id, min(e.at) AS at
  FROM wanted w JOIN inventory_consentevent e ON e.connector_id = %(c)s AND e.service_principal_id = w.service_principal_id
  WHERE e.activity IN ('consent to application', 'add delegated permission grant', 'add oauth2permissiongrant') GROUP BY e.service_principal_id),
fresh AS (
  SELECT p.id, coalesce(g.all_users, false) AS all_users, coalesce(d.number, 0) AS delegated_count,
         coalesce(a.number, 0) AS application_count, least(c.at, a.since, p.consented_at) AS consented_at
  FROM wanted w JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = w.service_principal_id
  LEFT JOIN granted g ON g.client_id = p.service_principal_id LEFT JOIN delegated d ON d.client_id = p.service_principal_id
  LEFT JOIN application a ON a.principal_id = p.service_principal_id LEFT JOIN consented c ON c.service_principal_id = p.service_principal_id)
UPDATE inventory_plugin p SET all_users = f.all_users, delegated_count = f.delegated_count,
    application_count = f.application_count, consented_at = f.consented_at
FROM fresh f WHERE f.id = p.id AND (p.all_users, p.delegated_count, p.application_count, p.consented_at)
    IS DISTINCT FROM (f.all_users, f.delegated_count, f.application_count, f.consented_at)
"""


def refresh(context: Context) -> None:
    """Everybody, permission counts and the consent date."""
    context.do("ANALYZE touched")
    context.do(_REFRESH)
