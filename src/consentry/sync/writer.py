"""Stores pages while others are being fetched: rows and cursor of a page in one transaction, so that a killed run resumes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from consentry.core.clock import now
from consentry.providers.entra.sweeps import Page
from consentry.sync import staging

_WAITING_PAGES = 12  # a slow database makes the fetch wait here and nowhere else
_STORED_AT_ONCE = 12
_SAVE = """
INSERT INTO sync_collectionprogress (run_id, name, state, rows, pages, cursor, reason, code, started_at, finished_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (run_id, name) DO UPDATE SET state = excluded.state, rows = excluded.rows, pages = excluded.pages, cursor = excluded.cursor,
    reason = excluded.reason, code = excluded.code, started_at = excluded.started_at, finished_at = excluded.finished_at
"""
_LOAD = "SELECT name, state, rows, pages, cursor, reason, code, started_at, finished_at FROM sync_collectionprogress WHERE run_id = %s"


@dataclass(slots=True)
class Progress:
    """How far one collection is. ``parts`` are the cursors of its parts, ``staged`` the rows it has in each staging table."""

    name: str
    table: str  # the staging table that people's row count comes from
    state: str = "waiting"
    pages: int = 0
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    staged: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    reason: str = ""
    code: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def rows(self) -> int:
        """Rows of the collection itself, without what belongs to them."""
        return self.staged.get(self.table, 0)

    @property
    def ended(self) -> bool:
        """True when there is nothing more to read in this run."""
        return self.state in {"complete", "incomplete"}

    def row(self, run_id: int) -> tuple[Any, ...]:
        """The row of ``sync_collectionprogress``."""
        cursor = json.dumps({"parts": self.parts, "staged": self.staged, "unreadable": self.unreadable})
        return (run_id, self.name, self.state, self.rows, self.pages, cursor, self.reason, self.code, self.started_at, self.finished_at)


@dataclass(slots=True)
class _Item:
    progress: Progress
    page: Page | None = None
    data: dict[str, tuple[bytes, int]] = field(default_factory=dict)  # table -> encoded rows, how many


class Writer:
    """The ``Store`` of a run. ``write`` is its own task; whoever keeps pages is only held up when too many wait."""

    def __init__(
        self, connection: psycopg.AsyncConnection[Any], run_id: int, tables: dict[str, str], connector_id: UUID | None = None
    ) -> None:
        """``tables`` are the collections with their staging tables; with ``connector_id``, large ones may become its partitions."""
        self.run_id = run_id
        self.connector_id = connector_id
        self.schema = staging.schema_of(run_id)
        self.collections = {name: Progress(name, table) for name, table in tables.items()}
        self._connection = connection
        self._queue: asyncio.Queue[_Item] = asyncio.Queue(_WAITING_PAGES)
        self._kept = self._stored = 0  # items until now
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()  # who waits, and for how many
        self.turn = asyncio.Lock()  # the connection is one: who uses it beside the writer holds this

    async def open(self, *, afresh: bool = False) -> None:
        """Make the staging tables, or take up an earlier attempt where its rows are all there, unless it is to begin ``afresh``."""
        await self._connection.execute("SET synchronous_commit = off")  # a lost commit is a page that is read again
        fresh = await staging.create(self._connection, self.schema, self.connector_id)
        if fresh or afresh or not await self._load():
            await self._start_over()
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_SAVE, [progress.row(self.run_id) for progress in self.collections.values()])

    async def _load(self) -> bool:
        found = await self._connection.execute(_LOAD, [self.run_id])
        for name, state, _, pages, cursor, reason, code, started, finished in await found.fetchall():
            if name in self.collections:
                parts, staged = cursor.get("parts", {}), cursor.get("staged", {})
                table = self.collections[name].table
                again = "reading" if state == "incomplete" else state  # what failed then may answer now
                self.collections[name] = Progress(
                    name, table, again, pages, parts, staged, cursor.get("unreadable", 0), reason, code, started, finished
                )
        return await self.intact()

    async def intact(self) -> bool:
        """True when every table that a crash of the server would empty holds exactly what was saved with the cursors."""
        async with self.turn:
            there = await staging.counted(self._connection, self.schema)
        return all(number == sum(one.staged.get(table, 0) for one in self.collections.values()) for table, number in there.items())

    async def prepare(self, name: str) -> None:
        """Index the partition-to-be of a collection that is whole, beside what is still being read."""
        progress = self.collections[name]
        if self.connector_id is None:
            return
        await self.flush()
        async with contextlib.AsyncExitStack() as stack:
            own = await stack.enter_async_context(await self._beside())
            if progress.table not in await staging.waiting(own, self.schema):
                return
            second = await stack.enter_async_context(await self._beside()) if progress.table == "delegated_grant" else None
            doubles = await staging.prepare(own, second, self.schema, progress.table, self.connector_id)
        progress.staged[progress.table] = progress.staged.get(progress.table, 0) - doubles
        await self._put(_Item(progress))
        await self.flush()

    async def _beside(self) -> psycopg.AsyncConnection[Any]:
        """A connection for work beside the writer's own."""
        info = self._connection.info
        made = await psycopg.AsyncConnection.connect(info.dsn, password=info.password, autocommit=True)
        # the merge's commit makes it last; what counts grants holds them in memory
        await made.execute("SET synchronous_commit = off; SET max_parallel_maintenance_workers = 0; SET work_mem = '128MB'")
        return made

    async def _start_over(self) -> None:
        await self._connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())
        await self._connection.execute("DELETE FROM sync_collectionprogress WHERE run_id = %s", [self.run_id])
        self.collections = {name: Progress(name, progress.table) for name, progress in self.collections.items()}
        await staging.create(self._connection, self.schema, self.connector_id)

    async def keep(self, page: Page) -> None:
        """Store a page with its cursor, both or neither, some time before ``flush`` returns."""
        data = {table: (staging.encode(rows), len(rows)) for table, rows in page.rows.items() if rows}
        page.rows = {}
        await self._put(_Item(self.collections[page.collection], page, data))

    async def mark(self, name: str, state: str, *, code: str = "", reason: str = "") -> None:
        """Say that a collection begins or has ended; stored after everything that was kept before."""
        progress = self.collections[name]
        await self.flush()
        progress.state, progress.code, progress.reason = state, code, reason
        progress.started_at = progress.started_at or now()
        progress.finished_at = now() if progress.ended else None
        await self._put(_Item(progress))

    async def ids(self, source: str, after: str | None, limit: int) -> list[str]:
        """The next ids of a named set, in order, as it is when its first ids are asked for."""
        if after is None:
            await self.flush()
        async with self.turn:
            return await staging.next_ids(self._connection, self.schema, source, after, limit)

    async def flush(self) -> None:
        """Wait until everything that was kept before is stored; what others keep meanwhile is not waited for."""
        if self._stored < self._kept:
            stored = asyncio.get_running_loop().create_future()
            self._waiting.append((self._kept, stored))
            await stored

    async def _put(self, item: _Item) -> None:
        await self._queue.put(item)
        self._kept += 1

    async def write(self) -> None:
        """Store what is kept, for ever. A database that goes away ends it with the error."""
        while True:
            items = [await self._queue.get()]
            while not self._queue.empty() and len(items) < _STORED_AT_ONCE:
                items.append(self._queue.get_nowait())
            async with self.turn:
                try:
                    async with self._connection.transaction():
                        await self._store(items, self._together(items))
                except (psycopg.DataError, psycopg.IntegrityError):
                    async with self._connection.transaction():
                        await self._store(items, None)
            self._stored += len(items)
            while self._waiting and self._waiting[0][0] <= self._stored:
                _, stored = self._waiting.popleft()
                if not stored.done():
                    stored.set_result(None)

    def _together(self, items: list[_Item]) -> dict[str, list[bytes]] | None:
        """What goes into each table, whatever page it is of; None when the order of pages matters."""
        if any(item.page and item.page.drop for item in items):
            return None
        tables: dict[str, list[bytes]] = {}
        for item in items:
            for table, (data, _) in item.data.items():
                tables.setdefault(table, []).append(data)
        return tables

    async def _store(self, items: list[_Item], together: dict[str, list[bytes]] | None) -> None:
        """Store pages with their cursors: ``together``, in few commands, or page by page, which sorts out rows that PostgreSQL refuses."""
        for table, parts in (together or {}).items():
            await staging.copy(self._connection, self.schema, table, parts)
        for item in items:
            if item.page is None:
                continue
            progress, page = item.progress, item.page
            for table, source in page.drop:
                await self._drop(progress, table, source)
            for table, (data, number) in item.data.items():
                refused = 0 if together is not None else await staging.copy_sound(self._connection, self.schema, table, data)
                progress.staged[table] = progress.staged.get(table, 0) + number - refused
                progress.unreadable += refused
            progress.parts[page.part] = page.cursor
            progress.pages += 1
            progress.unreadable += page.unreadable
        touched = {item.progress.name: item.progress for item in items}
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_SAVE, [progress.row(self.run_id) for progress in touched.values()])

    async def _drop(self, progress: Progress, table: str, source: str | None) -> None:
        where, values = (" WHERE source = %s", [source]) if source else ("", [])
        found = await self._connection.execute(f"DELETE FROM {self.schema}.{table}{where}".encode(), values)  # noqa: S608  # fixed names
        progress.staged[table] = progress.staged.get(table, 0) - found.rowcount
