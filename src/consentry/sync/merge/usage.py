"""The tenant's single objects, when apps and their keys were last used, and who the publishers are."""

from __future__ import annotations

from consentry.sync.merge.context import Context

_POLICY_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, 'consent_policy_changed', replace(n.name, '_', ' '), f.value, n.value - '@odata.context'
FROM {s}.fact n JOIN inventory_tenantfact f ON f.connector_id = %(c)s AND f.name = n.name
WHERE n.name NOT IN ('subscribed_skus', 'directory_roles', 'azure_roles', 'consent_requests') AND f.value IS DISTINCT FROM n.value - '@odata.context'
"""
_FACTS = """
WITH differs AS (
  SELECT DISTINCT ON (n.name) n.name, n.value - '@odata.context' AS value FROM {s}.fact n
  LEFT JOIN inventory_tenantfact f ON f.connector_id = %(c)s AND f.name = n.name
  WHERE f.value IS DISTINCT FROM n.value - '@odata.context' ORDER BY n.name)
INSERT INTO inventory_tenantfact (connector_id, name, value, read_at) SELECT %(c)s, name, value, %(now)s FROM differs
ON CONFLICT (connector_id, name) DO UPDATE SET value = excluded.value, read_at = excluded.read_at
"""
# Who has no record and was made after the oldest record of the report has never signed in; of older ones nobody knows.
_LAST_USED = """
WITH report AS (SELECT app_id, max(last_used) AS last_used FROM {s}.activity GROUP BY app_id),
began AS (SELECT min(last_used) AS at FROM {s}.activity),
fresh AS (
  SELECT p.id, coalesce(r.last_used, p.last_used) AS last_used,
         CASE WHEN coalesce(r.last_used, p.last_used) IS NOT NULL THEN 'known' WHEN p.created_at > b.at THEN 'never' ELSE 'unknown' END AS state
  FROM inventory_plugin p CROSS JOIN began b LEFT JOIN report r ON r.app_id = p.app_id
  WHERE p.connector_id = %(c)s AND p.removed_at IS NULL),
written AS (
  UPDATE inventory_plugin p SET last_used = f.last_used, last_used_state = f.state FROM fresh f
  WHERE f.id = p.id AND (p.last_used, p.last_used_state) IS DISTINCT FROM (f.last_used, f.state) RETURNING p.service_principal_id)
INSERT INTO touched SELECT service_principal_id FROM written
"""
# Before the dates are written: who was used again after a long sleep, or for the first time long after it was made
_WOKE_UP = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, 'plugin_woke_up', p.id, p.name,
  to_jsonb(coalesce(p.last_used, p.created_at)::date), to_jsonb(max(r.last_used)::date)
FROM inventory_plugin p JOIN {s}.activity r ON r.app_id = p.app_id
WHERE p.connector_id = %(c)s AND p.removed_at IS NULL AND (p.last_used IS NOT NULL OR p.last_used_state = 'never')
GROUP BY p.id HAVING max(r.last_used) > coalesce(p.last_used, p.created_at) + interval '90 days'
"""
# Role assignments of the directory, and those of Azure, are one fact: {object id: [role, ...]}
_ROLE_CHANGES = """
WITH facts AS MATERIALIZED (
  SELECT n.name, f.value AS before, n.value AS after FROM {s}.fact n JOIN inventory_tenantfact f ON f.connector_id = %(c)s AND f.name = n.name
  WHERE n.name = %(fact)s AND f.value IS DISTINCT FROM n.value),
differs AS (
  SELECT coalesce(b.key, a.key)::uuid AS holder, b.value AS before, a.value AS after
  FROM (SELECT o.* FROM facts, jsonb_each(before) o) b FULL JOIN (SELECT o.* FROM facts, jsonb_each(after) o) a ON a.key = b.key
  WHERE a.value IS DISTINCT FROM b.value),
noted AS (INSERT INTO touched SELECT holder FROM differs),
first AS (INSERT INTO touched SELECT (jsonb_object_keys(value))::uuid FROM {s}.fact n
  WHERE n.name = %(fact)s AND NOT EXISTS (SELECT 1 FROM inventory_tenantfact f WHERE f.connector_id = %(c)s AND f.name = n.name))
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, %(kind)s, p.id, p.name, d.before, d.after
FROM differs d JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.removed_at IS NULL AND p.service_principal_id = d.holder
"""
# Each app that people newly ask an administrator for; those of the first time are nothing new
_ASKED_FOR = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, after)
SELECT %(c)s, %(run)s, %(now)s, 'consent_requested', NULL, coalesce(nullif(one ->> 'name', ''), one ->> 'app_id'), one -> 'permissions'
FROM {s}.fact n CROSS JOIN jsonb_array_elements(n.value) one JOIN inventory_tenantfact f ON f.connector_id = %(c)s AND f.name = n.name
WHERE n.name = 'consent_requests' AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(f.value) was WHERE was ->> 'app_id' = one ->> 'app_id')
"""
_KEYS_LAST_USED = """
WITH report AS (SELECT app_id, key_id, max(last_used) AS last_used FROM {s}.credential_activity GROUP BY 1, 2),
written AS (
  UPDATE inventory_credential k SET last_used = r.last_used
  FROM report r JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.app_id = r.app_id
  WHERE k.connector_id = %(c)s AND k.service_principal_id = p.service_principal_id AND lower(k.key_id) = lower(r.key_id)
    AND (k.last_used IS NULL OR k.last_used < r.last_used) RETURNING k.service_principal_id)
INSERT INTO touched SELECT service_principal_id FROM written
"""
_PUBLISHERS = """
WITH written AS (
  INSERT INTO inventory_publishertenant (tenant_id, name, domain, read_at)
  SELECT DISTINCT ON (tenant_id) tenant_id, name, domain, %(now)s FROM {s}.publisher_tenant ORDER BY tenant_id
  ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name, domain = excluded.domain, read_at = excluded.read_at RETURNING tenant_id)
INSERT INTO touched SELECT p.service_principal_id FROM inventory_plugin p JOIN written w ON w.tenant_id = p.owner_tenant_id
WHERE p.connector_id = %(c)s AND p.removed_at IS NULL
"""
_UNLICENSED = """
UPDATE inventory_plugin SET last_used_state = 'unlicensed' WHERE connector_id = %(c)s AND last_used IS NULL AND last_used_state <> 'unlicensed'
"""


def merge_facts(context: Context) -> None:
    """Policies, licences, and what people ask for."""
    if not {"policies", "licences", "consent_requests", "azure_roles"} & set(context.complete):
        return
    context.do(_ASKED_FOR)
    context.do(_POLICY_CHANGES)
    for fact, kind in (("directory_roles", "roles_changed"), ("azure_roles", "azure_roles_changed")):
        context.do(_ROLE_CHANGES, fact=fact, kind=kind)
    context.do(_FACTS)


def merge_last_used(context: Context) -> None:
    """The sign-in reports, or the word that the tenant has no licence for them."""
    if "credential_activity" in context.complete:
        context.do(_KEYS_LAST_USED)
    if "sign_in_activity" in context.complete:
        context.do(_WOKE_UP)
        context.do(_LAST_USED)
    elif "sign_in_activity" in context.unlicensed:
        context.do(_UNLICENSED)


def merge_publishers(context: Context) -> None:
    """What publishers' tenants call themselves."""
    if "publisher_tenants" in context.complete:
        context.do(_PUBLISHERS)
