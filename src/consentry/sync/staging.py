"""Tables of one run, filled by COPY and dropped at its end. Memory stays flat whatever the tenant's size.

The tables are UNLOGGED: quick to fill, and emptied by PostgreSQL when its server crashes. So how many rows each collection has
staged is saved with its cursor, in the transaction that stages them, and compared before a run resumes and before it merges.

Where the connector has no partition of a large table yet, that table is staged as the partition that it will be: in the columns of
the inventory, indexed as soon as it is whole while other collections are still being read, and attached by the merge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from consentry.core.clock import now
from consentry.inventory.partitions import PARTITIONED, name_of

# table -> columns; the order is that of the rows that providers shape
TABLES: dict[str, str] = {
    "service_principal": (
        "object_id uuid, app_id uuid, name text, publisher text, verified boolean, owner_tenant uuid, type text, odata_type text, enabled boolean,"
        " disabled_by_microsoft text, created_at timestamptz, assignment_required boolean, audience text, homepage text, template text, sso text,"
        " reply_urls text[], tags text[], facts jsonb"
    ),
    "application": "object_id uuid, app_id uuid",
    "credential": (
        "object_id uuid, app_id uuid, source text, kind text, key_id text, name text, usage text, starts_at timestamptz, ends_at timestamptz"
    ),
    "delegated_grant": 'grant_id text COLLATE "C", client_id uuid, resource_id uuid, principal_id uuid, consent_type text, scope_set_id uuid',
    "scope_set": "id uuid, scope text, values text[]",
    "app_role_assignment": (
        'assignment_id text COLLATE "C", principal_id uuid, principal_type text, principal_name text, resource_id uuid, resource_name text,'
        " app_role_id uuid, created_at timestamptz"
    ),
    "owner": "object_id uuid, owner_id uuid, source text",
    "assignee": (
        'assignment_id text COLLATE "C", service_principal_id uuid, principal_id uuid, kind text, name text, app_role_id uuid, created_at timestamptz'
    ),
    "inherited": "service_principal_id uuid, kind text, resource_id uuid, permission text, source_id uuid",
    "permission": "resource_id uuid, resource_app_id uuid, resource_name text, kind text, permission_id uuid, value text, title text, description text, admin_only boolean",
    "principal": "object_id uuid, kind text, name text, user_principal_name text, mail text, user_type text, department text, job_title text, enabled boolean",
    "activity": "app_id uuid, last_used timestamptz",
    "credential_activity": "app_id uuid, key_id text, last_used timestamptz",
    "publisher_tenant": "tenant_id uuid, name text, domain text",
    "event": (
        "event_id text, at timestamptz, activity text, service_principal_id uuid, resource_id uuid, principal_id uuid, initiated_by text,"
        " initiated_by_id uuid, admin_consent boolean, scope text, facts jsonb"
    ),
    "risky": "object_id uuid, level text, state text, detail text, updated_at timestamptz",
    "fact": "name text, value jsonb",
    "follow_up": "object_id uuid, source text",
    # only in delta runs: what is gone, whose assignments, owners and credentials were read again, and which people have changed
    "removed": 'object_id text COLLATE "C", source text',
    "scope": "object_id uuid, source text",
}
_COLUMNS = {table: ", ".join(column.split()[0] for column in columns.split(", ")) for table, columns in TABLES.items()}
# staged as the partition that it will be, when there is none yet
FUTURE: dict[str, str] = {
    "delegated_grant": "inventory_delegatedgrant",
    "app_role_assignment": "inventory_approleassignment",
    "principal": "inventory_principal",
    "assignee": "inventory_assignee",
}
# Of live grants: how many have the same scopes, and how many people each plugin has
SUMMARY = """
SELECT client_id, resource_id, scope_set_id, consent_type = 'AllPrincipals' AS everybody, count(*)::integer AS grants
FROM {grants} GROUP BY 1, 2, 3, 4
"""
PEOPLE = """
SELECT client_id, count(*)::integer AS users FROM (SELECT DISTINCT client_id, principal_id FROM {grants} AND consent_type = 'Principal' AND principal_id IS NOT NULL) g
GROUP BY 1
"""
# sets of ids that later reads work through; made when they are first asked for
SETS: dict[str, str] = {
    "service_principal": "SELECT DISTINCT object_id FROM {s}.service_principal",
    "application": "SELECT DISTINCT object_id FROM {s}.application",
    "agents": "SELECT DISTINCT object_id FROM {s}.service_principal WHERE type = 'ServiceIdentity' OR odata_type ILIKE '%agentIdentity'",
    "resources": (
        "SELECT resource_id AS object_id FROM {s}.delegated_grant UNION SELECT resource_id FROM {s}.app_role_assignment"
        " UNION SELECT resource_id FROM {s}.inherited"
    ),
    "people": (
        "SELECT principal_id AS object_id FROM {s}.delegated_grant WHERE principal_id IS NOT NULL UNION SELECT owner_id FROM {s}.owner"
        " UNION SELECT principal_id FROM {s}.assignee UNION SELECT object_id FROM {s}.scope WHERE source = 'user'"
    ),
}
# Characters that Unicode will never assign stand for the ends of fields and rows while a page is encoded
_FIELD, _ROW, _NULL = "\ufdd0", "\ufdd1", "\ufdd2"
_ESCAPES = (("\x00", ""), ("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))

Row = tuple[str | None, ...]


def schema_of(run_id: int) -> str:
    """The schema that holds a run's tables."""
    return f"staging_{run_id}"


def encode(rows: list[Row]) -> bytes:
    """Rows as COPY reads them in text format. Whole pages are escaped at once, which is many times quicker than field by field."""
    text = "".join([_FIELD.join([_NULL if value is None else value for value in row]) + _ROW for row in rows])
    nulls = sum(row.count(None) for row in rows)
    if text.count(_FIELD) != sum(map(len, rows)) - len(rows) or text.count(_ROW) != len(rows) or text.count(_NULL) != nulls:
        return "".join("\t".join("\\N" if value is None else _escape(value) for value in row) + "\n" for row in rows).encode()
    return _escape(text).replace(_FIELD, "\t").replace(_ROW, "\n").replace(_NULL, "\\N").encode()


def _escape(text: str) -> str:
    for character, escaped in _ESCAPES:
        text = text.replace(character, escaped)
    return text


async def create(connection: psycopg.AsyncConnection[Any], schema: str, connector_id: UUID | None = None) -> bool:
    """Make the run's tables; with a connector, its partitions-to-be among them. False when an earlier attempt of the run made them."""
    name = sql.Identifier(schema)
    async with connection.transaction():
        found = await connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        if await found.fetchone():
            return False
        statements: list[sql.Composable] = [sql.SQL("CREATE SCHEMA {}").format(name)]
        for table, columns in TABLES.items():
            parent = FUTURE.get(table)
            if connector_id and parent and not await _there(connection, name_of(parent, connector_id)):
                statement = sql.SQL(
                    "CREATE TABLE {}.{} (LIKE {}, CHECK (connector_id = {c}));"
                    " ALTER TABLE {}.{} ALTER connector_id SET DEFAULT {c}, ALTER first_seen SET DEFAULT {moment}"
                ).format(
                    name, sql.Identifier(table), sql.Identifier(parent), name, sql.Identifier(table), c=str(connector_id), moment=now()
                )
            else:
                statement = sql.SQL("CREATE UNLOGGED TABLE {}.{} ({})").format(name, sql.Identifier(table), sql.SQL(columns))
            statements.append(statement)
        await connection.execute(sql.SQL(";").join(statements))
    return True


async def _there(connection: psycopg.AsyncConnection[Any], relation: str) -> bool:
    found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [relation])
    return bool((await found.fetchone() or (False,))[0])


async def counted(connection: psycopg.AsyncConnection[Any], schema: str) -> dict[str, int]:
    """How many rows each table holds that a crash of the server would empty."""
    found = await connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r' AND c.relpersistence = 'u'"
        " AND c.relname = ANY(%s)",
        [schema, list(TABLES)],
    )
    tables = [row[0] for row in await found.fetchall()]
    if not tables:
        return {}
    each = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), sql.Identifier(schema, table)) for table in tables
    )
    return dict(await (await connection.execute(each)).fetchall())


async def waiting(connection: psycopg.AsyncConnection[Any], schema: str) -> list[str]:
    """The staging tables that are partitions-to-be."""
    found = await connection.execute(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = %s AND column_name = 'first_seen'", [schema]
    )
    return [row[0] for row in await found.fetchall()]


async def prepare(
    first: psycopg.AsyncConnection[Any], second: psycopg.AsyncConnection[Any] | None, schema: str, table: str, connector_id: UUID
) -> int:
    """Index a partition-to-be that is whole, and on the second connection count grants meanwhile.

    Returns how many rows it had twice, of which one is kept. Can be called again, also while what a killed worker began still runs.
    """
    await first.execute("SELECT pg_advisory_lock(hashtext(%s), hashtext(%s))", [schema, table])
    relation, kind = sql.Identifier(schema, table), PARTITIONED[FUTURE[table]]
    key, *others = (f"{table}_{connector_id.hex}_{number}" for number in range(1 + len(kind.indexes)))  # unlike those of other connectors
    doubles = 0
    if not await _there(first, f"{schema}.{key}"):
        column = sql.Identifier(kind.key)
        unique = sql.SQL("CREATE UNIQUE INDEX {} ON {} ({}, connector_id)").format(sql.Identifier(key), relation, column)
        try:
            await first.execute(unique)
        except psycopg.errors.UniqueViolation:  # pages overlap when something was added between them
            async with first.transaction():
                twice = sql.SQL("DELETE FROM {t} a USING {t} b WHERE a.{k} = b.{k} AND a.ctid > b.ctid").format(t=relation, k=column)
                doubles = (await first.execute(twice)).rowcount
                await first.execute(unique)

    async def index() -> None:
        for name, indexed in zip(others, kind.indexes, strict=True):
            statement = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})")
            await first.execute(statement.format(sql.Identifier(name), relation, sql.Identifier(indexed)))
        await first.execute(sql.SQL("ANALYZE {} ({})").format(relation, sql.SQL(kind.analyzed)))

    async def count(own: psycopg.AsyncConnection[Any]) -> None:
        await own.execute("SELECT pg_advisory_lock(hashtext(%s), hashtext('counting'))", [schema])
        for name, query in (("grant_summary", SUMMARY), ("grant_people", PEOPLE)):
            counted = query.replace("{grants}", f"{schema}.delegated_grant WHERE true")
            await own.execute(f"CREATE TABLE IF NOT EXISTS {schema}.{name} AS {counted}".encode())

    await asyncio.gather(index(), *([count(second)] if second else []))
    return doubles


async def copy(connection: psycopg.AsyncConnection[Any], schema: str, table: str, parts: Iterable[bytes]) -> None:
    """Append encoded rows, all or none."""
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN").format(sql.Identifier(schema), sql.Identifier(table), sql.SQL(_COLUMNS[table]))
    async with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for part in parts:
            await stream.write(part)


async def copy_sound(connection: psycopg.AsyncConnection[Any], schema: str, table: str, data: bytes) -> int:
    """Append encoded rows. Returns how many PostgreSQL refused, such as those whose id is no GUID; the others are kept."""
    try:
        async with connection.transaction():
            await copy(connection, schema, table, [data])
    except (psycopg.DataError, psycopg.IntegrityError):
        lines = data.count(b"\n")
        if lines <= 1:
            return 1
        middle = data.find(b"\n", len(data) // 2) + 1
        if not 0 < middle < len(data):
            middle = data.find(b"\n") + 1
        return await copy_sound(connection, schema, table, data[:middle]) + await copy_sound(connection, schema, table, data[middle:])
    return 0


async def next_ids(connection: psycopg.AsyncConnection[Any], schema: str, source: str, after: str | None, limit: int) -> list[str]:
    """The next ids, in order, of a set of ``SETS`` or of ``follow_up:<source>``."""
    name = sql.Identifier(schema)
    kind, _, which = source.partition(":")
    if kind == "follow_up":
        statement = sql.SQL(
            "SELECT DISTINCT object_id FROM {}.follow_up WHERE source = %s AND (%s::uuid IS NULL OR object_id > %s::uuid) ORDER BY 1 LIMIT %s"
        ).format(name)
        found = await connection.execute(statement, [which, after, after, limit])
        return [str(row[0]) for row in await found.fetchall()]
    table = sql.Identifier(f"ids_{kind}")
    made = await connection.execute("SELECT to_regclass(%s)", [f"{schema}.ids_{kind}"])
    if (await made.fetchone() or (None,))[0] is None:
        query = sql.SQL(SETS[kind]).format(s=name)
        async with connection.transaction():
            await connection.execute(sql.SQL("CREATE UNLOGGED TABLE {}.{} AS {}").format(name, table, query))
            await connection.execute(sql.SQL("CREATE INDEX ON {}.{} (object_id)").format(name, table))
    statement = sql.SQL("SELECT object_id FROM {}.{} WHERE %s::uuid IS NULL OR object_id > %s::uuid ORDER BY object_id LIMIT %s").format(
        name, table
    )
    found = await connection.execute(statement, [after, after, limit])
    return [str(row[0]) for row in await found.fetchall()]
