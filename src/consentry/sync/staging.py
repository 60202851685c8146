"""Tables of one run, filled by COPY and dropped at its end. Memory stays flat whatever the tenant's size."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg import sql

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
    "delegated_grant": "grant_id text, client_id uuid, resource_id uuid, principal_id uuid, consent_type text, scope text",
    "app_role_assignment": (
        "assignment_id text, principal_id uuid, principal_type text, principal_name text, resource_id uuid, resource_name text,"
        " app_role_id uuid, created_at timestamptz"
    ),
    "owner": "object_id uuid, owner_id uuid, source text",
    "permission": (
        "resource_id uuid, resource_app_id uuid, resource_name text, kind text, permission_id uuid, value text, title text, description text"
    ),
    "principal": (
        "object_id uuid, kind text, name text, upn text, mail text, user_type text, department text, job_title text, enabled boolean"
    ),
    "activity": "app_id uuid, last_used timestamptz",
    "event": (
        "event_id text, at timestamptz, activity text, service_principal_id uuid, resource_id uuid, principal_id uuid, initiated_by text,"
        " initiated_by_id uuid, admin_consent boolean, scope text"
    ),
    "fact": "name text, value jsonb",
}


def schema_of(run_id: int) -> str:
    """The schema that holds a run's tables."""
    return f"staging_{run_id}"


class Staging:
    """The staging schema of one run. Use as an async context manager; it is dropped on the way out."""

    def __init__(self, database_url: str, run_id: int) -> None:
        self.url = database_url
        self.schema = sql.Identifier(schema_of(run_id))
        self.rows: dict[str, int] = dict.fromkeys(TABLES, 0)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Staging:
        self._connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True)
        await self._connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(self.schema))
        await self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(self.schema))
        for name, columns in TABLES.items():
            statement = sql.SQL("CREATE UNLOGGED TABLE {}.{} ({})").format(self.schema, sql.Identifier(name), sql.SQL(columns))
            await self._connection.execute(statement)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection:
            await self._connection.close()

    @property
    def connection(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None:
            raise RuntimeError("Staging is used outside of its context")
        return self._connection

    async def copy(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Append rows by COPY."""
        if not rows:
            return
        statement = sql.SQL("COPY {}.{} FROM STDIN").format(self.schema, sql.Identifier(table))
        async with self._turn, self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)
        self.rows[table] += len(rows)

    async def empty(self, table: str) -> None:
        """Drop what was staged of a collection that starts again."""
        async with self._turn:
            await self.connection.execute(sql.SQL("TRUNCATE {}.{}").format(self.schema, sql.Identifier(table)))
        self.rows[table] = 0

    async def ids(self, query: str) -> list[str]:
        """The first column of a query over the run's tables (``{s}`` stands for the schema), as text."""
        async with self._turn:
            cursor = await self.connection.execute(sql.SQL(query).format(s=self.schema))
            return [str(row[0]) for row in await cursor.fetchall()]
