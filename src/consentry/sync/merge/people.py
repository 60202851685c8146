"""People and groups, owners, and the secrets and certificates of apps."""

from __future__ import annotations

from consentry.sync.merge.context import Context
from consentry.sync.merge.upsert import upsert

_PERSON = ("kind", "name", "user_principal_name", "mail", "user_type", "department", "job_title", "enabled")
_STAGED_PRINCIPALS = """
SELECT DISTINCT ON (n.object_id) n.object_id, CASE WHEN n.kind = 'unknown' AND s.id IS NOT NULL THEN 'service_principal' ELSE n.kind END AS kind,
    n.name, n.user_principal_name, n.mail, n.user_type, n.department, n.job_title, n.enabled
FROM {s}.principal n LEFT JOIN inventory_plugin s ON s.connector_id = %(c)s AND s.service_principal_id = n.object_id ORDER BY n.object_id
"""
_PRINCIPALS = (
    "WITH "  # noqa: S608
    + upsert("inventory_principal", _STAGED_PRINCIPALS, key=("object_id",), rest=_PERSON, once={"first_seen": "%(now)s"})
    + " SELECT 1 FROM written"
)
_PRINCIPALS_THAT_ARE_APPS = """
UPDATE inventory_principal n SET kind = 'service_principal' FROM inventory_plugin p
WHERE n.connector_id = %(c)s AND n.kind = 'unknown' AND p.connector_id = %(c)s AND p.service_principal_id = n.object_id
"""
_PRINCIPALS_GONE = """
UPDATE inventory_principal p SET removed_at = %(now)s WHERE p.connector_id = %(c)s AND p.removed_at IS NULL
AND NOT EXISTS (SELECT 1 FROM {s}.principal n WHERE n.object_id = p.object_id)
"""

# Scores tell the names of owners and of powerful people, and count guests
_RENAMED = f"""
WITH changed AS MATERIALIZED (
  SELECT t.object_id FROM ({_STAGED_PRINCIPALS}) n JOIN inventory_principal t ON t.connector_id = %(c)s AND t.object_id = n.object_id
  WHERE (t.name, t.user_type) IS DISTINCT FROM (n.name, n.user_type))
INSERT INTO touched
SELECT g.client_id FROM changed JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.principal_id = object_id AND g.removed_at IS NULL
UNION SELECT o.service_principal_id FROM inventory_owner o WHERE EXISTS (SELECT 1 FROM changed) AND o.connector_id = %(c)s AND o.removed_at IS NULL
  AND o.owner_id IN (SELECT object_id FROM changed)
"""  # noqa: S608  # fixed text
# A user who is deleted owns nothing and is assigned to nothing; nothing else tells of that
_DELETED_USERS = "(SELECT object_id::uuid FROM {s}.removed WHERE source = 'users')"
_PRINCIPALS_SAID_TO_BE_GONE = f"""
UPDATE inventory_principal SET removed_at = %(now)s WHERE connector_id = %(c)s AND removed_at IS NULL AND object_id IN {_DELETED_USERS}
"""  # noqa: S608  # fixed text

_STAGED_OWNERS = """
CREATE TEMP TABLE new_owner ON COMMIT DROP AS
SELECT DISTINCT coalesce(p.service_principal_id, o.object_id) AS service_principal_id, o.owner_id, o.source
FROM {s}.owner o
LEFT JOIN {s}.application a ON o.source = 'application' AND a.object_id = o.object_id
LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.app_id = a.app_id AND p.removed_at IS NULL
WHERE o.source = ANY(%(sources)s) AND (o.source = 'service_principal' OR p.id IS NOT NULL)
"""
_STAGED_CREDENTIALS = """
CREATE TEMP TABLE new_credential ON COMMIT DROP AS
SELECT DISTINCT ON (x.service_principal_id, n.source, n.key_id, n.kind)
    x.service_principal_id, n.source, n.key_id, n.kind, n.name, n.usage, n.starts_at, n.ends_at
FROM {s}.credential n
LEFT JOIN {s}.application a ON n.source = 'federated' AND a.object_id = n.object_id
LEFT JOIN inventory_plugin p ON n.source <> 'service_principal' AND p.connector_id = %(c)s AND p.app_id = coalesce(a.app_id, n.app_id)
    AND p.removed_at IS NULL
CROSS JOIN LATERAL (SELECT CASE n.source WHEN 'service_principal' THEN n.object_id ELSE p.service_principal_id END AS service_principal_id) x
WHERE n.source = ANY(%(sources)s) AND x.service_principal_id IS NOT NULL
ORDER BY x.service_principal_id, n.source, n.key_id, n.kind
"""
# in a delta run: whose owners or credentials were read again, applications by their service principal
_READ_AGAIN = """
t.service_principal_id = ANY(ARRAY(SELECT service_principal_id FROM read_again))
AND (t.source, t.service_principal_id) IN (SELECT source, service_principal_id FROM read_again)
"""
_WHAT_WAS_READ_AGAIN = """
CREATE TEMP TABLE read_again ON COMMIT DROP AS
SELECT split_part(x.source, ':', 2) AS source, coalesce(p.service_principal_id, x.object_id) AS service_principal_id FROM {s}.scope x
LEFT JOIN {s}.application a ON x.source <> '{what}:service_principal' AND a.object_id = x.object_id
LEFT JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.app_id = a.app_id AND p.removed_at IS NULL
WHERE x.source LIKE '{what}:%%'
"""
_COLLECTION_OF = {"service_principal": "service_principals", "application": "applications", "federated": "federated_credentials"}
_ASSIGNEES = (
    "WITH "  # noqa: S608
    + upsert(
        "inventory_assignee",
        "SELECT DISTINCT ON (assignment_id) * FROM {s}.assignee ORDER BY assignment_id",
        key=("assignment_id",),
        rest=("service_principal_id", "principal_id", "kind", "name", "app_role_id", "created_at"),
        once={"first_seen": "%(now)s"},
    )
    + " SELECT 1 FROM written"
)
_ASSIGNEES_GONE = """
UPDATE inventory_assignee t SET removed_at = %(now)s WHERE t.connector_id = %(c)s AND t.removed_at IS NULL
AND NOT EXISTS (SELECT 1 FROM {s}.assignee n WHERE n.assignment_id = t.assignment_id) AND {which}
"""
_ASSIGNEES_READ_AGAIN = "t.service_principal_id IN (SELECT object_id FROM {s}.scope WHERE source = 'assignee')"
# One change for each app that gained or lost people, whose number says enough
_ASSIGNEE_CHANGES = """
INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, subject, after)
SELECT %(c)s, %(run)s, %(now)s, CASE WHEN t.removed_at IS NULL THEN 'assignees_added' ELSE 'assignees_removed' END, p.id,
    count(*) || ' ' || CASE WHEN t.kind = 'user' THEN CASE count(*) WHEN 1 THEN 'person' ELSE 'people' END
                            ELSE CASE count(*) WHEN 1 THEN 'group' ELSE 'groups' END END,
    to_jsonb((array_agg(coalesce(t.name, t.principal_id::text) ORDER BY t.name))[1:5])
FROM inventory_assignee t JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = t.service_principal_id
    AND p.removed_at IS NULL
WHERE t.connector_id = %(c)s AND (t.removed_at = %(now)s OR t.removed_at IS NULL AND t.first_seen = %(now)s)
GROUP BY p.id, t.removed_at IS NULL, t.kind
"""


def merge_principals(context: Context) -> None:
    """Whom grants and ownerships name. Who is gone at Microsoft, or named no more, is marked as removed."""
    if context.attach("principal"):
        context.do(_PRINCIPALS_THAT_ARE_APPS)
        return
    if context.delta:
        context.do(_RENAMED)
    written = context.do(_PRINCIPALS)
    if context.delta:
        context.do(_PRINCIPALS_SAID_TO_BE_GONE)
    elif not context.first and {"delegated_grants", "owners"} <= set(context.complete):  # else fewer were asked for
        context.do(_PRINCIPALS_GONE)
    context.analyze("inventory_principal", written)


def merge_assignees(context: Context) -> None:
    """The users and groups that are assigned to apps."""
    if context.attach("assignee"):
        return
    written = context.do(_ASSIGNEES)
    if not context.first:
        written += context.do(_ASSIGNEES_GONE.replace("{which}", _ASSIGNEES_READ_AGAIN if context.delta else "true"))
        if _somebody_left(context):
            written += context.do(_ASSIGNEES_GONE.replace("{which}", f"t.principal_id IN {_DELETED_USERS}"))
        if written:
            context.do(_ASSIGNEE_CHANGES)
    context.analyze("inventory_assignee", written)


def _somebody_left(context: Context) -> bool:
    """Whether a delta run was told of deleted users; asked first, as what they leave behind is looked for in whole tables."""
    return context.delta and bool(context.do("SELECT 1 FROM {s}.removed WHERE source = 'users' LIMIT 1"))


def merge_owners(context: Context) -> None:
    """Who owns a service principal or its application object."""
    sources = ["service_principal", *(["application"] if "applications" in context.complete else [])]
    context.do(_STAGED_OWNERS, sources=sources)
    _merge(
        context,
        "owner",
        ("service_principal_id", "owner_id", "source"),
        (),
        sources,
        subject="x.source",
        principal="x.owner_id",
        value="NULL::jsonb",
    )


def merge_credentials(context: Context) -> None:
    """Secrets and certificates of the collections that were read to the end."""
    sources = [source for source, name in _COLLECTION_OF.items() if name in context.complete]
    if "applications" not in context.complete and "federated" in sources:
        sources.remove("federated")  # whose they are is not known
    if not sources:
        return
    context.do(_STAGED_CREDENTIALS, sources=sources)
    key = ("service_principal_id", "source", "key_id", "kind")
    value = "jsonb_build_object('kind', x.kind, 'name', x.name, 'ends_at', x.ends_at)"
    subject = "concat_ws(' ', x.kind, coalesce(x.name, x.key_id))"
    _merge(
        context, "credential", key, ("name", "usage", "starts_at", "ends_at"), sources, subject=subject, principal="NULL::uuid", value=value
    )


def _merge(
    context: Context,
    what: str,
    key: tuple[str, ...],
    rest: tuple[str, ...],
    sources: list[str],
    *,
    subject: str,
    principal: str,
    value: str,
) -> None:
    """Merge ``new_<what>`` into its table. Every part of the statements is fixed text of this module."""
    table = f"inventory_{what}"
    written = upsert(table, f"SELECT * FROM new_{what}", key=key, rest=rest, once={"first_seen": "%(now)s"})  # noqa: S608
    context.do(f"WITH {written} INSERT INTO touched SELECT service_principal_id FROM written")  # noqa: S608
    same = " AND ".join(f"n.{name} = t.{name}" for name in key)
    gone = f"""
        WITH gone AS (
          UPDATE {table} t SET removed_at = %(now)s WHERE t.connector_id = %(c)s AND t.removed_at IS NULL AND t.source = ANY(%(sources)s)
          AND NOT EXISTS (SELECT 1 FROM new_{what} n WHERE {same}) AND {{which}} RETURNING t.service_principal_id)
        INSERT INTO touched SELECT service_principal_id FROM gone"""  # noqa: S608
    if context.delta:
        context.do(_WHAT_WAS_READ_AGAIN.replace("{what}", what))
    context.do(gone.replace("{which}", _READ_AGAIN if context.delta else "true"), sources=sources)
    if what == "owner" and _somebody_left(context):
        context.do(gone.replace("{which}", f"t.owner_id IN {_DELETED_USERS}"), sources=sources)
    if not context.first:
        context.do(
            f"""
            INSERT INTO inventory_change (connector_id, run_id, at, kind, plugin_id, principal_id, subject, before, after)
            SELECT %(c)s, %(run)s, %(now)s, '{what}_' || CASE WHEN x.removed_at IS NULL THEN 'added' ELSE 'removed' END, p.id, {principal}, {subject},
                   CASE WHEN x.removed_at IS NOT NULL THEN {value} END, CASE WHEN x.removed_at IS NULL THEN {value} END
            FROM {table} x JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = x.service_principal_id
                AND p.removed_at IS NULL
            WHERE x.connector_id = %(c)s AND (x.removed_at = %(now)s OR x.removed_at IS NULL AND x.first_seen = %(now)s)"""  # noqa: S608
        )
    context.do(f"DROP TABLE new_{what}")
    context.do("DROP TABLE IF EXISTS read_again")
