"""Plugins: what service principals are, and how they changed."""

from __future__ import annotations

from consentry.sync.merge.context import Context

COLUMNS = (
    "app_id", "name", "publisher", "verified_publisher", "owner_tenant_id", "service_principal_type", "odata_type", "enabled",
    "disabled_by_microsoft", "created_at", "assignment_required", "sign_in_audience", "homepage", "application_template_id",
    "single_sign_on_mode", "reply_urls", "tags", "facts", "origin", "is_console",
)  # fmt: skip

# Never by display name: impersonation is a finding. Without an owner tenant nobody knows.
_ORIGIN = """
CASE WHEN s.type = 'ManagedIdentity' THEN 'managed_identity'
     WHEN s.type = 'ServiceIdentity' OR s.odata_type ILIKE '%%agentIdentity%%' THEN 'agent_identity'
     WHEN s.owner_tenant = ANY(%(microsoft)s::uuid[]) THEN 'microsoft'
     WHEN s.owner_tenant = %(tenant)s THEN 'own'
     WHEN s.owner_tenant IS NULL THEN 'unknown'
     ELSE 'third_party' END
"""
_STAGED = f"""
CREATE TEMP TABLE new_plugin ON COMMIT DROP AS
SELECT DISTINCT ON (s.object_id) s.object_id AS service_principal_id, s.app_id, s.name, s.publisher, s.verified AS verified_publisher,
       s.owner_tenant AS owner_tenant_id, s.type AS service_principal_type, s.odata_type, s.enabled, s.disabled_by_microsoft, s.created_at,
       s.assignment_required, s.audience AS sign_in_audience, s.homepage, s.template AS application_template_id, s.sso AS single_sign_on_mode,
       s.reply_urls, s.tags,
       s.facts || CASE WHEN NOT %(risky)s THEN coalesce(jsonb_strip_nulls(jsonb_build_object('microsoft_risk', p.facts -> 'microsoft_risk')), '{{}}')
                       WHEN r.object_id IS NULL THEN '{{}}'
                       ELSE jsonb_build_object('microsoft_risk', jsonb_build_object('level', r.level, 'state', r.state, 'detail', r.detail)) END AS facts,
       {_ORIGIN} AS origin, coalesce(s.app_id::text = ANY(%(ours)s), false) AS is_console, p.id
FROM {{s}}.service_principal s
LEFT JOIN {{s}}.risky r ON r.object_id = s.object_id
LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = s.object_id
ORDER BY s.object_id
"""  # noqa: S608  # fixed text
_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, d.kind, p.id, n.name, d.before, d.after
FROM inventory_plugin p JOIN new_plugin n USING (id)
CROSS JOIN LATERAL (VALUES
  ('plugin_returned', p.removed_at IS NOT NULL, NULL::jsonb, NULL::jsonb),
  ('plugin_renamed', p.name IS DISTINCT FROM n.name, to_jsonb(p.name), to_jsonb(n.name)),
  ('publisher_changed', p.publisher IS DISTINCT FROM n.publisher, to_jsonb(p.publisher), to_jsonb(n.publisher)),
  ('publisher_verification_changed', p.verified_publisher IS DISTINCT FROM n.verified_publisher,
   to_jsonb(p.verified_publisher), to_jsonb(n.verified_publisher)),
  ('plugin_enabled_changed', p.enabled IS DISTINCT FROM n.enabled, to_jsonb(p.enabled), to_jsonb(n.enabled)),
  ('disabled_by_microsoft_changed', p.disabled_by_microsoft IS DISTINCT FROM n.disabled_by_microsoft,
   to_jsonb(p.disabled_by_microsoft), to_jsonb(n.disabled_by_microsoft)),
  ('reply_urls_changed', NOT (p.reply_urls @> n.reply_urls AND p.reply_urls <@ n.reply_urls), to_jsonb(p.reply_urls), to_jsonb(n.reply_urls))
) AS d(kind, differs, before, after)
WHERE d.differs
"""
_NEW = f"""
WITH made AS (
  INSERT INTO inventory_plugin (id, connector_id, service_principal_id, {", ".join(COLUMNS)}, first_seen, last_used_state, users, all_users,
      delegated_count, application_count, consented_at, connected_to, permission_level, risk_score, risk_level, risk, decision)
  SELECT gen_random_uuid(), %(c)s, service_principal_id, {", ".join(COLUMNS)}, %(now)s, 'unknown', coalesce(u.users, 0), coalesce(d.all_users, false),
      coalesce(d.number, 0), coalesce(a.number, 0), a.since, '{{}}', 'none', 0, 'none', '{{}}', 'unclassified'
  FROM new_plugin n {{counted}} WHERE n.id IS NULL RETURNING id, service_principal_id, name),
noted AS (INSERT INTO touched SELECT service_principal_id FROM made)
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject)
SELECT %(c)s, %(run)s, %(now)s, %(kind)s, id, name FROM made
"""  # noqa: S608  # fixed column names
# What was counted of all grants while the rest was being read
_COUNTED = """
LEFT JOIN {s}.grant_people u ON u.client_id = n.service_principal_id
LEFT JOIN (
  SELECT client_id, bool_or(all_users) AS all_users, count(v) AS number FROM (
    SELECT g.client_id, g.resource_id, v, bool_or(g.everybody) AS all_users FROM {s}.grant_summary g
    JOIN {s}.scope_set s ON s.id = g.scope_set_id LEFT JOIN LATERAL unnest(s.values) v ON true GROUP BY 1, 2, 3) held GROUP BY 1
) d ON d.client_id = n.service_principal_id
"""
# A plugin whose grants were read before it was; its other counts follow with those of all plugins that were touched
_PEOPLE = """
LEFT JOIN LATERAL (
  SELECT count(DISTINCT g.principal_id) AS users FROM inventory_delegatedgrant g
  WHERE g.connector_id = %(c)s AND g.client_id = n.service_principal_id AND g.removed_at IS NULL AND g.consent_type = 'Principal') u ON true
CROSS JOIN (SELECT false AS all_users, 0 AS number) d
"""
_ASSIGNED = """
LEFT JOIN (
  SELECT principal_id, count(*) AS number, min(since) AS since FROM (
    SELECT principal_id, resource_id, app_role_id, min(created_at) AS since
    FROM inventory_approleassignment WHERE connector_id = %(c)s AND removed_at IS NULL GROUP BY 1, 2, 3) held GROUP BY 1
) a ON a.principal_id = n.service_principal_id
"""
_UNASSIGNED = "CROSS JOIN (SELECT 0 AS number, NULL::timestamptz AS since) a"
_CHANGED = f"""
WITH changed AS (
  UPDATE inventory_plugin p SET {", ".join(f"{name} = n.{name}" for name in COLUMNS)}, removed_at = NULL FROM new_plugin n
  WHERE p.id = n.id AND ({", ".join(f"p.{name}" for name in COLUMNS)}, p.removed_at)
      IS DISTINCT FROM ({", ".join(f"n.{name}" for name in COLUMNS)}, NULL::timestamptz)
  RETURNING p.service_principal_id)
INSERT INTO touched SELECT service_principal_id FROM changed
"""  # noqa: S608  # fixed column names
_GONE = """
WITH gone AS (
  UPDATE inventory_plugin p SET removed_at = %(now)s
  WHERE p.connector_id = %(c)s AND p.removed_at IS NULL AND p.first_seen < %(now)s AND {which}
  RETURNING p.id, p.service_principal_id, p.name),
noted AS (INSERT INTO touched SELECT service_principal_id FROM gone)
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject)
SELECT %(c)s, %(run)s, %(now)s, 'plugin_removed', id, name FROM gone
"""
_NOT_LISTED = "NOT EXISTS (SELECT 1 FROM new_plugin n WHERE n.id = p.id)"
_SAID_TO_BE_GONE = "p.service_principal_id IN (SELECT object_id::uuid FROM {s}.removed WHERE source = 'service_principals')"


def merge(context: Context) -> None:
    """Write new, changed and removed plugins, and say so."""
    context.do(_STAGED, risky="risky_service_principals" in context.complete)
    context.do("ANALYZE new_plugin (id, service_principal_id)")
    context.do(_CHANGES)
    context.do(_CHANGED)
    counted = _COUNTED if "delegated_grant" in context.attached else _PEOPLE
    new = _NEW.replace("{counted}", counted + (_ASSIGNED if context.first else _UNASSIGNED))
    written = context.do(new, kind="plugin_first_seen" if context.first else "plugin_added")
    context.do(_GONE.replace("{which}", _SAID_TO_BE_GONE if context.delta else _NOT_LISTED))
    context.do("DROP TABLE new_plugin")
    context.analyze(
        "inventory_plugin", written, "connector_id, service_principal_id, app_id, owner_tenant_id, origin, is_console, removed_at"
    )
