"""The reading half of a run: every collection into staging, side by side, with progress; a refused one is a gap and no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from psycopg import sql

from consentry.connect.models import CapabilityState
from consentry.connect.provider import Registration
from consentry.core.dsn import connection_string
from consentry.providers.entra.clouds import cloud
from consentry.providers.entra.errors import Forbidden, MicrosoftError, NotFound, NotYet, Reauthorise, Unavailable, Unlicensed
from consentry.providers.entra.graph import Counters, GraphClient
from consentry.providers.entra.reads import Reader
from consentry.providers.entra.tokens import Tokens
from consentry.sync.staging import Staging

_BEAT_SECONDS = 1.0
# collection -> the staging tables that show how far it is
TABLES_OF = {
    "service_principals": "service_principal",
    "applications": "application",
    "delegated_grants": "delegated_grant",
    "app_role_assignments": "app_role_assignment",
    "permissions": "permission",
    "principals": "principal",
    "owners": "owner",
    "sign_in_activity": "activity",
    "audit_events": "event",
    "policies": "fact",
    "licences": "fact",
}
_RESOURCES = """
SELECT DISTINCT resource_id FROM {s}.delegated_grant UNION SELECT resource_id FROM {s}.app_role_assignment ORDER BY 1
"""
_PEOPLE = """
SELECT principal_id FROM {s}.delegated_grant WHERE principal_id IS NOT NULL UNION SELECT owner_id FROM {s}.owner WHERE owner_id IS NOT NULL ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """A collection that could not be read to its end, and why."""

    collection: str
    state: str
    code: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return {"collection": self.collection, "reason": self.reason, "code": self.code}


@dataclass(slots=True)
class Fetched:
    """What a run read."""

    counters: Counters = field(default_factory=Counters)
    complete: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)


def fetch(run_id: int, registration: Registration, tenant: str) -> Fetched:
    """Read the whole tenant into the run's staging tables.

    Raises ``ConsentryError`` when not even the service principals can be read: then there is nothing to merge.
    """
    return asyncio.run(_Fetch(run_id, registration, tenant).run())


class _Fetch:
    def __init__(self, run_id: int, registration: Registration, tenant: str) -> None:
        self.run_id = run_id
        self.url = connection_string(connection.settings_dict)
        self.tokens = Tokens(cloud(), registration, tenant)
        self.result = Fetched()
        self.states: dict[str, str] = dict.fromkeys(TABLES_OF, "waiting")
        self.reasons: dict[str, str] = {}
        self.failure: MicrosoftError | None = None

    async def run(self) -> Fetched:
        async with Staging(self.url, self.run_id) as staging, GraphClient(cloud(), self.tokens.get_async) as graph:
            self.result.counters = graph.counters
            reader = Reader(graph, staging.copy, staging.empty)
            heart = asyncio.create_task(self._beat(staging))
            try:
                await self._collections(reader, staging)
            finally:
                heart.cancel()
                await self._save(staging)
        return self.result

    async def _collections(self, reader: Reader, staging: Staging) -> None:
        await self._read("service_principals", reader.service_principals)
        if self.failure:
            raise self.failure
        side_by_side = (
            "applications",
            "delegated_grants",
            "app_role_assignments",
            "owners",
            "sign_in_activity",
            "audit_events",
            "policies",
            "licences",
        )
        slow = [asyncio.create_task(self._read(name, getattr(reader, name))) for name in ("sign_in_activity", "audit_events")]
        await asyncio.gather(
            *(self._read(name, getattr(reader, name)) for name in side_by_side if name not in {"sign_in_activity", "audit_events"})
        )
        resources, people = await staging.ids(_RESOURCES), await staging.ids(_PEOPLE)
        await asyncio.gather(
            self._read("permissions", lambda: reader.permissions(resources)),
            self._read("principals", lambda: reader.principals(people)),
            *slow,
        )

    async def _read(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self.states[name] = "reading"
        try:
            await work()
        except MicrosoftError as error:
            state = _state_of(error)
            reason = "unlicensed" if state == CapabilityState.UNLICENSED else f"{error.what} {error.remedy}"
            self.states[name], self.reasons[name] = "incomplete", reason
            self.result.gaps.append(Gap(name, state, error.code, reason))
            if name == "service_principals" or isinstance(error, (NotYet, Reauthorise)):
                self.failure = error
        else:
            self.states[name] = "complete"
            self.result.complete.add(name)

    async def _beat(self, staging: Staging) -> None:
        while True:
            await self._save(staging)
            await asyncio.sleep(_BEAT_SECONDS)

    async def _save(self, staging: Staging) -> None:
        rows: list[tuple[Any, ...]] = [
            (self.run_id, name, state, staging.rows[TABLES_OF[name]], self.reasons.get(name, "")) for name, state in self.states.items()
        ]
        async with staging._turn, staging.connection.cursor() as cursor:  # one connection, one user at a time
            await cursor.execute(
                "UPDATE sync_syncrun SET heartbeat_at = now(), requests = %s WHERE id = %s", (self.result.counters.requests, self.run_id)
            )
            await cursor.executemany(
                sql.SQL(
                    "INSERT INTO sync_collectionprogress (run_id, name, state, rows, reason, pages, cursor, code) VALUES (%s, %s, %s, %s, %s, 0, '{}', '')"
                    " ON CONFLICT (run_id, name) DO UPDATE SET state = excluded.state, rows = excluded.rows, reason = excluded.reason"
                ),
                rows,
            )


def _state_of(error: MicrosoftError) -> str:
    if isinstance(error, Unlicensed):
        return CapabilityState.UNLICENSED
    if isinstance(error, Forbidden):
        return CapabilityState.MISSING
    if isinstance(error, (Unavailable, NotFound)):
        return CapabilityState.UNAVAILABLE
    return CapabilityState.MISSING
