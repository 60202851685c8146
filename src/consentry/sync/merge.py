"""From staging to the inventory in one transaction of set-based SQL: only what differs is written, and every difference
becomes a ``change`` row. A row is marked as removed only when its collection was read to the end.

In the statements ``{s}`` is the staging schema, ``%(c)s`` the connector, ``%(run)s`` the run and ``%(now)s`` its moment.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from consentry.core.clock import now
from consentry.sync.staging import schema_of

# Owner tenants that are Microsoft's. Source: reference page "first-party Microsoft applications"; see docs/reference/origin.md.
MICROSOFT_TENANTS = [
    "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "cdc5aeea-15c5-4db6-b079-fcadd2505dc2",
    "33e01921-4d64-4f8c-a055-5bdaffd5e33d",
]

_PLUGIN_COLUMNS = (
    "app_id, name, publisher, verified_publisher, owner_tenant_id, service_principal_type, odata_type, enabled, disabled_by_microsoft, created_at,"
    " assignment_required, sign_in_audience, homepage, application_template_id, single_sign_on_mode, reply_urls, tags, facts, origin, is_console"
)
_STAGED_PLUGIN = """
CREATE TEMP TABLE new_plugin ON COMMIT DROP AS
SELECT DISTINCT ON (object_id) object_id AS service_principal_id, app_id, name, publisher, verified AS verified_publisher,
       owner_tenant AS owner_tenant_id, type AS service_principal_type, odata_type, enabled, disabled_by_microsoft, created_at,
       assignment_required, audience AS sign_in_audience, homepage, template AS application_template_id, sso AS single_sign_on_mode,
       reply_urls, tags, facts,
       CASE WHEN type = 'ManagedIdentity' THEN 'managed_identity'
            WHEN type = 'ServiceIdentity' OR odata_type ILIKE '%%agentIdentity%%' THEN 'agent_identity'
            WHEN owner_tenant = ANY(%(microsoft)s::uuid[]) THEN 'microsoft'
            WHEN owner_tenant = %(tenant)s THEN 'own'
            WHEN owner_tenant IS NULL THEN 'unknown'
            ELSE 'third_party' END AS origin,
       coalesce(app_id::text = ANY(%(ours)s), false) AS is_console
FROM {s}.service_principal ORDER BY object_id
"""

# before the rows change: what will differ, as (kind, plugin, subject, before, after)
_PLUGIN_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, before, after)
SELECT %(c)s, %(run)s, %(now)s, d.kind, p.id, n.name, d.before, d.after
FROM inventory_plugin p JOIN new_plugin n USING (service_principal_id)
CROSS JOIN LATERAL (VALUES
  ('plugin_returned', p.removed_at IS NOT NULL, NULL::jsonb, NULL::jsonb),
  ('plugin_renamed', p.name IS DISTINCT FROM n.name, to_jsonb(p.name), to_jsonb(n.name)),
  ('publisher_changed', p.publisher IS DISTINCT FROM n.publisher, to_jsonb(p.publisher), to_jsonb(n.publisher)),
  ('publisher_verification_changed', p.verified_publisher IS DISTINCT FROM n.verified_publisher, to_jsonb(p.verified_publisher), to_jsonb(n.verified_publisher)),
  ('plugin_enabled_changed', p.enabled IS DISTINCT FROM n.enabled, to_jsonb(p.enabled), to_jsonb(n.enabled)),
  ('disabled_by_microsoft_changed', p.disabled_by_microsoft IS DISTINCT FROM n.disabled_by_microsoft, to_jsonb(p.disabled_by_microsoft), to_jsonb(n.disabled_by_microsoft)),
  ('reply_urls_changed', p.reply_urls IS DISTINCT FROM n.reply_urls, to_jsonb(p.reply_urls), to_jsonb(n.reply_urls))
) AS d(kind, differs, before, after)
WHERE p.connector_id = %(c)s AND d.differs
"""
_NEW_PLUGINS = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject)
SELECT %(c)s, %(run)s, %(now)s, 'plugin_added', id, name FROM inventory_plugin
WHERE connector_id = %(c)s AND first_seen = %(now)s
"""
_REMOVED = """
WITH gone AS (
  UPDATE {table} t SET removed_at = %(now)s
  WHERE t.connector_id = %(c)s AND t.removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM {new} n WHERE {match})
  RETURNING t.*)
"""


class Merge:
    """One merge of one run. Call ``run`` inside a transaction."""

    def __init__(
        self, *, run_id: int, connector_id: Any, tenant_id: Any, ours: set[str], complete: set[str], unlicensed: set[str], first: bool
    ) -> None:
        self.schema = schema_of(run_id)
        self.complete = complete
        self.unlicensed = unlicensed
        self.first = first
        self.parameters: dict[str, Any] = {
            "c": connector_id,
            "run": run_id,
            "now": now(),
            "tenant": tenant_id,
            "ours": list(ours),
            "microsoft": MICROSOFT_TENANTS,
            "first": first,
        }

    def run(self) -> dict[str, int]:
        """Merge what is complete and return the number of changes by kind."""
        with connection.cursor() as self.cursor:
            for name, step in (
                ("service_principals", self._plugins),
                ("permissions", self._permissions),
                ("delegated_grants", self._grants),
                ("app_role_assignments", self._assignments),
                ("principals", self._principals),
                ("owners", self._owners),
                ("audit_events", self._events),
            ):
                if name in self.complete:
                    step()
            if {"service_principals", "applications"} <= self.complete:
                self._credentials()
            self._facts()
            self._activity()
            self._aggregates()
            self._do("SELECT kind, count(*) FROM inventory_change WHERE run_id = %(run)s GROUP BY kind")
            return dict(self.cursor.fetchall())

    def _do(self, statement: str) -> int:
        self.cursor.execute(statement.replace("{s}", self.schema), self.parameters)
        return int(self.cursor.rowcount)

    def _plugins(self) -> None:
        self._do(_STAGED_PLUGIN)
        self._do("CREATE UNIQUE INDEX ON new_plugin (service_principal_id)")
        self._do("ANALYZE new_plugin")
        if not self.first:
            self._do(_PLUGIN_CHANGES)
        excluded = ", ".join(f"{name.strip()} = excluded.{name.strip()}" for name in _PLUGIN_COLUMNS.split(","))
        held = ", ".join(f"p.{name.strip()}" for name in _PLUGIN_COLUMNS.split(","))
        fresh = ", ".join(f"excluded.{name.strip()}" for name in _PLUGIN_COLUMNS.split(","))
        self._do(f"""
            INSERT INTO inventory_plugin AS p (id, connector_id, service_principal_id, {_PLUGIN_COLUMNS}, first_seen, last_used_state, users, all_users,
                delegated_count, application_count, connected_to, permission_level, risk_score, risk_level, risk, decision)
            SELECT gen_random_uuid(), %(c)s, service_principal_id, {_PLUGIN_COLUMNS}, %(now)s, 'unknown', 0, false, 0, 0, '{{}}', 'none', 0, 'none', '{{}}', 'unclassified'
            FROM new_plugin
            ON CONFLICT (connector_id, service_principal_id) DO UPDATE SET {excluded}, removed_at = NULL
            WHERE ({held}, p.removed_at) IS DISTINCT FROM ({fresh}, NULL::timestamptz)""")  # fixed column names
        removed = _REMOVED.format(table="inventory_plugin", new="new_plugin", match="n.service_principal_id = t.service_principal_id")
        self._do(f"""{removed} INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject)
            SELECT %(c)s, %(run)s, %(now)s, 'plugin_removed', id, name FROM gone""")
        self._do(_NEW_PLUGINS)
        self._do("ANALYZE inventory_plugin")

    def _permissions(self) -> None:
        self._do("""
            INSERT INTO inventory_permissiondefinition AS p (connector_id, resource_id, resource_app_id, resource_name, kind, permission_id, value, title,
                description, service, level, takeover, data)
            SELECT DISTINCT ON (resource_id, kind, permission_id) %(c)s, resource_id, resource_app_id, resource_name, kind, permission_id, value, title,
                description, '', 'low', 0, 0
            FROM {s}.permission ORDER BY resource_id, kind, permission_id
            ON CONFLICT (connector_id, resource_id, kind, permission_id) DO UPDATE
            SET value = excluded.value, title = excluded.title, description = excluded.description, resource_name = excluded.resource_name,
                resource_app_id = excluded.resource_app_id, removed_at = NULL
            WHERE (p.value, p.title, p.description, p.resource_name, p.removed_at)
                IS DISTINCT FROM (excluded.value, excluded.title, excluded.description, excluded.resource_name, NULL::timestamptz)""")

    def _grants(self) -> None:
        self._do("""
            INSERT INTO inventory_scopeset (scope, scope_md5, values)
            SELECT scope, md5(scope)::uuid, string_to_array(scope, ' ') FROM (SELECT DISTINCT scope FROM {s}.delegated_grant) d
            ON CONFLICT (scope_md5) DO NOTHING""")
        self._do("""
            CREATE TEMP TABLE new_grant ON COMMIT DROP AS
            SELECT DISTINCT ON (g.grant_id) g.grant_id, g.client_id, g.resource_id, g.principal_id, g.consent_type, s.id AS scope_set_id
            FROM {s}.delegated_grant g JOIN inventory_scopeset s ON s.scope_md5 = md5(g.scope)::uuid ORDER BY g.grant_id""")
        self._do("CREATE UNIQUE INDEX ON new_grant (grant_id)")
        self._do("ANALYZE new_grant")
        self._do("""
            CREATE TEMP TABLE grant_difference ON COMMIT DROP AS
            SELECT coalesce(n.client_id, o.client_id) AS client_id, coalesce(n.principal_id, o.principal_id) AS principal_id,
                   coalesce(n.resource_id, o.resource_id) AS resource_id, so.values AS before, sn.values AS after
            FROM new_grant n
            FULL JOIN (SELECT * FROM inventory_delegatedgrant WHERE connector_id = %(c)s AND removed_at IS NULL) o USING (grant_id)
            LEFT JOIN inventory_scopeset so ON so.id = o.scope_set_id LEFT JOIN inventory_scopeset sn ON sn.id = n.scope_set_id
            WHERE NOT %(first)s AND n.scope_set_id IS DISTINCT FROM o.scope_set_id""")
        self._do("""
            INSERT INTO inventory_delegatedgrant AS g (connector_id, grant_id, client_id, resource_id, principal_id, consent_type, scope_set_id, first_seen)
            SELECT %(c)s, grant_id, client_id, resource_id, principal_id, consent_type, scope_set_id, %(now)s FROM new_grant
            ON CONFLICT (connector_id, grant_id) DO UPDATE
            SET client_id = excluded.client_id, resource_id = excluded.resource_id, principal_id = excluded.principal_id,
                consent_type = excluded.consent_type, scope_set_id = excluded.scope_set_id, removed_at = NULL
            WHERE (g.client_id, g.resource_id, g.principal_id, g.consent_type, g.scope_set_id, g.removed_at)
                IS DISTINCT FROM (excluded.client_id, excluded.resource_id, excluded.principal_id, excluded.consent_type, excluded.scope_set_id, NULL::timestamptz)""")
        removed = _REMOVED.format(table="inventory_delegatedgrant", new="new_grant", match="n.grant_id = t.grant_id")
        self._do(f"{removed} SELECT 1 FROM gone")
        self._do("""
            INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, principal_id, subject, before, after)
            SELECT %(c)s, %(run)s, %(now)s,
                   CASE WHEN d.before IS NULL THEN 'grant_added' WHEN d.after IS NULL THEN 'grant_removed' ELSE 'grant_changed' END,
                   p.id, d.principal_id, coalesce(r.name, d.resource_id::text), to_jsonb(d.before), to_jsonb(d.after)
            FROM grant_difference d
            LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = d.client_id
            LEFT JOIN inventory_plugin r ON r.connector_id = %(c)s AND r.service_principal_id = d.resource_id""")
        self._do("ANALYZE inventory_delegatedgrant")

    def _assignments(self) -> None:
        self._do("""
            CREATE TEMP TABLE new_assignment ON COMMIT DROP AS
            SELECT DISTINCT ON (assignment_id) * FROM {s}.app_role_assignment ORDER BY assignment_id""")
        self._do("CREATE UNIQUE INDEX ON new_assignment (assignment_id)")
        self._do("ANALYZE new_assignment")
        self._do("""
            INSERT INTO inventory_approleassignment AS a (connector_id, assignment_id, principal_id, principal_type, principal_name, resource_id,
                resource_name, app_role_id, created_at, first_seen)
            SELECT %(c)s, assignment_id, principal_id, principal_type, principal_name, resource_id, resource_name, app_role_id, created_at, %(now)s
            FROM new_assignment
            ON CONFLICT (connector_id, assignment_id) DO UPDATE
            SET principal_name = excluded.principal_name, resource_name = excluded.resource_name, app_role_id = excluded.app_role_id,
                principal_id = excluded.principal_id, resource_id = excluded.resource_id, removed_at = NULL
            WHERE (a.principal_name, a.resource_name, a.app_role_id, a.principal_id, a.resource_id, a.removed_at)
                IS DISTINCT FROM (excluded.principal_name, excluded.resource_name, excluded.app_role_id, excluded.principal_id, excluded.resource_id, NULL::timestamptz)""")
        self._permission_changes("permission_added", "a.first_seen = %(now)s AND NOT %(first)s", "after")
        removed = _REMOVED.format(table="inventory_approleassignment", new="new_assignment", match="n.assignment_id = t.assignment_id")
        self._do(f"{removed} SELECT 1 FROM gone")
        self._permission_changes("permission_removed", "a.removed_at = %(now)s", "before")

    def _permission_changes(self, kind: str, which: str, side: str) -> None:
        self._do(f"""
            INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, {side})
            SELECT %(c)s, %(run)s, %(now)s, '{kind}', p.id, coalesce(a.resource_name, ''), to_jsonb(coalesce(d.value, a.app_role_id::text))
            FROM inventory_approleassignment a
            JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = a.principal_id
            LEFT JOIN inventory_permissiondefinition d ON d.connector_id = %(c)s AND d.resource_id = a.resource_id
                AND d.permission_id = a.app_role_id AND d.kind = 'application'
            WHERE a.connector_id = %(c)s AND {which}""")  # both parts are written above

    def _principals(self) -> None:
        self._do("""
            INSERT INTO inventory_principal AS p (connector_id, object_id, kind, name, user_principal_name, mail, user_type, department, job_title, enabled, first_seen)
            SELECT DISTINCT ON (object_id) %(c)s, object_id, kind, name, upn, mail, user_type, department, job_title, enabled, %(now)s
            FROM {s}.principal ORDER BY object_id
            ON CONFLICT (connector_id, object_id) DO UPDATE
            SET kind = excluded.kind, name = excluded.name, user_principal_name = excluded.user_principal_name, mail = excluded.mail,
                user_type = excluded.user_type, department = excluded.department, job_title = excluded.job_title, enabled = excluded.enabled, removed_at = NULL
            WHERE (p.kind, p.name, p.user_principal_name, p.mail, p.user_type, p.department, p.job_title, p.enabled, p.removed_at) IS DISTINCT FROM
                (excluded.kind, excluded.name, excluded.user_principal_name, excluded.mail, excluded.user_type, excluded.department, excluded.job_title, excluded.enabled, NULL::timestamptz)""")
        self._do("""
            UPDATE inventory_principal t SET removed_at = %(now)s WHERE t.connector_id = %(c)s AND t.removed_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM {s}.principal n WHERE n.object_id = t.object_id)""")
        self._do("ANALYZE inventory_principal")

    def _owners(self) -> None:
        self._do("""
            CREATE TEMP TABLE new_owner ON COMMIT DROP AS
            SELECT DISTINCT coalesce(p.service_principal_id, o.object_id) AS service_principal_id, o.owner_id, o.source
            FROM {s}.owner o
            LEFT JOIN {s}.application a ON o.source = 'application' AND a.object_id = o.object_id
            LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.app_id = a.app_id AND p.removed_at IS NULL
            WHERE o.source = 'service_principal' OR p.id IS NOT NULL""")
        self._with_changes(
            "owner",
            "inventory_owner",
            "new_owner",
            "service_principal_id, owner_id, source",
            "",
            "principal_id",
            "x.owner_id",
            "x.owner_id::text",
        )

    def _credentials(self) -> None:
        self._do("""
            CREATE TEMP TABLE new_credential ON COMMIT DROP AS
            SELECT DISTINCT ON (2, c.source, c.key_id, c.kind) 1 AS one, coalesce(c.object_id, p.service_principal_id) AS service_principal_id,
                   c.source, c.key_id, c.kind, c.name, c.usage, c.starts_at, c.ends_at
            FROM {s}.credential c
            LEFT JOIN inventory_plugin p ON c.object_id IS NULL AND p.connector_id = %(c)s AND p.app_id = c.app_id AND p.removed_at IS NULL
            WHERE coalesce(c.object_id, p.service_principal_id) IS NOT NULL
            ORDER BY 2, c.source, c.key_id, c.kind""")
        self._with_changes(
            "credential", "inventory_credential", "new_credential", "service_principal_id, source, key_id, kind", "name, usage, starts_at, ends_at", "after",
            "jsonb_build_object('kind', x.kind, 'ends_at', x.ends_at)", "x.key_id",
        )  # fmt: skip

    def _with_changes(self, kind: str, table: str, new: str, key: str, rest: str, column: str, value: str, subject: str) -> None:
        columns = f"{key}, {rest}" if rest else key
        self._do(f"""
            INSERT INTO {table} (connector_id, {columns}, first_seen) SELECT %(c)s, {columns}, %(now)s FROM {new}
            ON CONFLICT (connector_id, {key}) DO UPDATE SET removed_at = NULL WHERE {table}.removed_at IS NOT NULL""")
        match = " AND ".join(f"n.{name.strip()} = t.{name.strip()}" for name in key.split(","))
        self._do(f"{_REMOVED.format(table=table, new=new, match=match)} SELECT 1 FROM gone")
        for deed, when in (("added", "x.first_seen = %(now)s AND NOT %(first)s"), ("removed", "x.removed_at = %(now)s")):
            self._do(f"""
                INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, {column})
                SELECT %(c)s, %(run)s, %(now)s, '{kind}_{deed}', p.id, {subject}, {value} FROM {table} x
                JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = x.service_principal_id
                WHERE x.connector_id = %(c)s AND {when}""")

    def _events(self) -> None:
        self._do("""
            INSERT INTO inventory_consentevent (connector_id, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
                initiated_by_id, admin_consent, scope, facts)
            SELECT DISTINCT ON (event_id) %(c)s, event_id, at, activity, service_principal_id, resource_id, principal_id, initiated_by,
                initiated_by_id, admin_consent, scope, '{}' FROM {s}.event ORDER BY event_id
            ON CONFLICT (connector_id, event_id) DO NOTHING""")
        self._do("""
            WITH latest AS (
              SELECT g.id, e.at, e.initiated_by FROM inventory_delegatedgrant g
              CROSS JOIN LATERAL (
                SELECT at, initiated_by FROM inventory_consentevent e
                WHERE e.connector_id = %(c)s AND e.service_principal_id = g.client_id AND e.activity = 'consent to application'
                  AND e.resource_id = g.resource_id AND e.principal_id IS NOT DISTINCT FROM g.principal_id
                ORDER BY at DESC LIMIT 1) e
              WHERE g.connector_id = %(c)s AND g.removed_at IS NULL)
            UPDATE inventory_delegatedgrant g SET granted_at = l.at, granted_by = l.initiated_by FROM latest l
            WHERE g.id = l.id AND (g.granted_at, g.granted_by) IS DISTINCT FROM (l.at, l.initiated_by)""")

    def _facts(self) -> None:
        self._do("""
            INSERT INTO inventory_change (connector_id, run_id, at, kind, subject, before, after)
            SELECT %(c)s, %(run)s, %(now)s, 'consent_policy_changed', n.name, f.value, n.value - '@odata.context'
            FROM {s}.fact n JOIN inventory_tenantfact f ON f.connector_id = %(c)s AND f.name = n.name
            WHERE n.name <> 'subscribed_skus' AND f.value IS DISTINCT FROM n.value - '@odata.context'""")
        self._do("""
            INSERT INTO inventory_tenantfact AS f (connector_id, name, value, read_at) SELECT %(c)s, name, value - '@odata.context', %(now)s FROM {s}.fact
            ON CONFLICT (connector_id, name) DO UPDATE SET value = excluded.value, read_at = excluded.read_at
            WHERE f.value IS DISTINCT FROM excluded.value""")

    def _activity(self) -> None:
        if "sign_in_activity" in self.complete:
            self._do("""
                UPDATE inventory_plugin p SET last_used = a.last_used, last_used_state = CASE WHEN a.last_used IS NULL THEN 'unknown' ELSE 'known' END
                FROM (SELECT app_id, max(last_used) AS last_used FROM {s}.activity GROUP BY app_id) a
                WHERE p.connector_id = %(c)s AND p.app_id = a.app_id AND p.last_used IS DISTINCT FROM a.last_used""")
        elif "sign_in_activity" in self.unlicensed:
            self._do(
                "UPDATE inventory_plugin SET last_used_state = 'unlicensed' WHERE connector_id = %(c)s AND last_used_state = 'unknown'"
            )

    def _aggregates(self) -> None:
        self._do("""
            WITH granted AS (
              SELECT client_id, count(DISTINCT principal_id) FILTER (WHERE consent_type = 'Principal') AS users,
                     bool_or(consent_type = 'AllPrincipals') AS all_users, max(granted_at) AS granted_at
              FROM inventory_delegatedgrant WHERE connector_id = %(c)s AND removed_at IS NULL GROUP BY client_id),
            delegated AS (
              SELECT client_id, count(DISTINCT (resource_id, v)) AS number FROM (
                SELECT DISTINCT client_id, resource_id, scope_set_id FROM inventory_delegatedgrant WHERE connector_id = %(c)s AND removed_at IS NULL) g
              JOIN inventory_scopeset s ON s.id = g.scope_set_id CROSS JOIN LATERAL unnest(s.values) v WHERE v <> '' GROUP BY client_id),
            application AS (
              SELECT principal_id, count(DISTINCT (resource_id, app_role_id)) AS number, min(created_at) AS since FROM inventory_approleassignment
              WHERE connector_id = %(c)s AND removed_at IS NULL GROUP BY principal_id),
            fresh AS (
              SELECT p.id, coalesce(g.users, 0) AS users, coalesce(g.all_users, false) AS all_users, coalesce(d.number, 0) AS delegated_count,
                     coalesce(a.number, 0) AS application_count, coalesce(g.granted_at, a.since) AS consented_at
              FROM inventory_plugin p LEFT JOIN granted g ON g.client_id = p.service_principal_id
              LEFT JOIN delegated d ON d.client_id = p.service_principal_id LEFT JOIN application a ON a.principal_id = p.service_principal_id
              WHERE p.connector_id = %(c)s)
            UPDATE inventory_plugin p SET users = f.users, all_users = f.all_users, delegated_count = f.delegated_count,
                application_count = f.application_count, consented_at = coalesce(f.consented_at, p.consented_at)
            FROM fresh f WHERE f.id = p.id AND (p.users, p.all_users, p.delegated_count, p.application_count, p.consented_at) IS DISTINCT FROM
                (f.users, f.all_users, f.delegated_count, f.application_count, coalesce(f.consented_at, p.consented_at))""")
