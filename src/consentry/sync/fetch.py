"""The reading half of a run: every collection side by side into staging; a refused one is a gap and no failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from django.db import connection as django

from consentry.connect.models import CapabilityState
from consentry.connect.provider import Registration
from consentry.core.dsn import connection_string
from consentry.core.errors import ConsentryError
from consentry.providers.entra.clouds import MICROSOFT_TENANTS, Cloud, cloud
from consentry.providers.entra.deltas import Changes, DeltaReader, links_from_now
from consentry.providers.entra.errors import (
    Forbidden,
    MicrosoftError,
    NotFound,
    NotYet,
    Reauthorise,
    Resync,
    Transient,
    Unavailable,
    Unlicensed,
)
from consentry.providers.entra.graph import Counters, GraphClient
from consentry.providers.entra.reads import Reader
from consentry.providers.entra.sweeps import Page
from consentry.providers.entra.tokens import Tokens
from consentry.sync import staging
from consentry.sync.lookups import Lookups
from consentry.sync.writer import Writer

# collection -> the staging table that people's row count comes from
COLLECTIONS = {
    "service_principals": "service_principal",
    "applications": "application",
    "delegated_grants": "delegated_grant",
    "app_role_assignments": "app_role_assignment",
    "owners": "owner",
    "assigned_people": "assignee",
    "federated_credentials": "credential",
    "inherited_permissions": "inherited",
    "permissions": "permission",
    "principals": "principal",
    "policies": "fact",
    "licences": "fact",
    "consent_requests": "fact",
    "azure_roles": "fact",
    "risky_service_principals": "risky",
    "audit_events": "event",
    "sign_in_activity": "activity",
    "credential_activity": "credential_activity",
    "publisher_tenants": "publisher_tenant",
}
# what a delta run reads; reports, licences and Azure wait for the next full one
_ONLY_IN_FULL = {"licences", "azure_roles", "risky_service_principals", "sign_in_activity", "credential_activity"}
DELTA_COLLECTIONS = {name: table for name, table in COLLECTIONS.items() if name not in _ONLY_IN_FULL} | {"changed_people": "scope"}
_LINKS = ("service_principals", "links")
# What some clouds do not offer, or what needs a permission and a licence that few give: a capability, not a gap
OPTIONAL = {
    "azure_roles",
    "consent_requests",
    "risky_service_principals",
    "assigned_people",
    "federated_credentials",
    "inherited_permissions",
    "credential_activity",
    "publisher_tenants",
    "changed_people",
}
# Collections that a gap is told of under the name of a larger one, which people script against
PART_OF = {
    "assigned_people": "app_role_assignments",
    "inherited_permissions": "app_role_assignments",
    "federated_credentials": "applications",
    "credential_activity": "sign_in_activity",
    "changed_people": "principals",
}
# A delta run reads these not at all, or for what changed alone: what a full run could not read of them, only another one can
MENDED_IN_FULL = _ONLY_IN_FULL | {
    "app_role_assignments",
    "owners",
    "assigned_people",
    "federated_credentials",
    "inherited_permissions",
    "permissions",
    "principals",
}
SLOW = ("audit_events", "sign_in_activity", "credential_activity")  # five requests per ten seconds: never in the inventory's way
_LISTS = ("service_principals", "applications")
_AT_ONCE = (
    "delegated_grants",
    "app_role_assignments",
    "owners",
    "assigned_people",
    "federated_credentials",
    "inherited_permissions",
    "policies",
    "licences",
    "consent_requests",
    "risky_service_principals",
)
# A name never changes what a plugin may do: few requests in each run, until all are known
_NAMES_IN_FULL, _NAMES_IN_DELTA = 200, 20
_BEAT_SECONDS = 2.0
_SLOW_GRACE_SECONDS = 0.1
_AZURE_TRIES = 4
UNREADABLE = "objects_unreadable"
_FATAL = (NotYet, Reauthorise)


@dataclass(frozen=True, slots=True)
class Gap:
    """A collection that could not be read to its end, and why."""

    collection: str
    state: str
    code: str
    reason: str

    @property
    def passing(self) -> bool:
        """True for a fault that another full run may not meet, and that no delta run mends."""
        return self.collection in MENDED_IN_FULL and self.state == CapabilityState.GRANTED and self.code != UNREADABLE

    def as_dict(self) -> dict[str, str]:
        """As it stands in a run's summary; ``part`` says which part of a larger collection it is."""
        told = {"collection": PART_OF.get(self.collection, self.collection), "reason": self.reason, "code": self.code}
        return told | ({"part": self.collection} if self.collection in PART_OF else {})


@dataclass(slots=True)
class Fetched:
    """What a run has read until now. Without ``slow``, the audit log and the reports are still being read."""

    counters: Counters = field(default_factory=Counters)
    complete: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    slow: bool = False
    merged: frozenset[str] = frozenset()  # by ``on_inventory``
    links: dict[str, str] = field(default_factory=dict)  # collection -> where the next delta run begins


@dataclass(frozen=True, slots=True)
class Order:
    """What to read: a run, the registration to read with, the tenant, since when audit events are wanted, and for a delta run the links."""

    run_id: int
    registration: Registration
    tenant: str
    audit_since: datetime
    connector_id: UUID
    links: dict[str, str] = field(default_factory=dict)


def fetch(order: Order, on_inventory: Callable[[Fetched], None]) -> Fetched:
    """Read the whole tenant into the run's staging tables, going on where an earlier attempt was killed.

    ``on_inventory`` is called in another thread when everything but the slow lane is read, if that lane is not done by then.
    Raises ``ConsentryError`` when nothing can be read, and ``psycopg.Error`` when the database goes away.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Fetch(order, on_inventory).run())


class _Fetch:
    def __init__(self, order: Order, on_inventory: Callable[[Fetched], None]) -> None:
        self.order = order
        self.on_inventory = on_inventory
        self.result = Fetched()
        self.states: dict[str, str] = {}
        self.preparing: list[asyncio.Task[None]] = []
        self.inventory_read = asyncio.Event()

    async def run(self) -> Fetched:
        place = cloud()
        tokens = Tokens(place, self.order.registration, self.order.tenant)
        info = connection_string(django.settings_dict)
        async with (
            await psycopg.AsyncConnection.connect(info, autocommit=True) as connection,
            await psycopg.AsyncConnection.connect(info, autocommit=True) as pulse,
            GraphClient(place, tokens.get_async) as graph,
            _azure(place, self.order, graph.counters) as azure,
        ):
            self.result.counters = graph.counters
            self.connection, self.graph = connection, graph
            if self.order.links:
                self.writer = Writer(connection, self.order.run_id, DELTA_COLLECTIONS)
            else:
                self.writer = Writer(connection, self.order.run_id, COLLECTIONS, self.order.connector_id)
            self.lookups = Lookups(connection, self.writer, self.order.connector_id)
            await self.writer.open(afresh=bool(self.order.links))
            cursors = {(name, part): at for name, progress in self.writer.collections.items() for part, at in progress.parts.items()}
            self.reader = Reader(graph, self.writer, cursors, azure=azure)
            helpers = [asyncio.create_task(self.writer.write()), asyncio.create_task(self._beat(pulse))]
            try:
                await _first_of(self._changes() if self.order.links else self._collections(), helpers)
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
                with contextlib.suppress(psycopg.Error):
                    await self._pulse(pulse)
        return self.result

    async def _collections(self) -> None:
        reader = self.reader
        work: dict[str, Callable[[], Awaitable[None]]] = {name: getattr(reader, name) for name in COLLECTIONS}
        work["audit_events"] = lambda: reader.audit_events(self.order.audit_since)
        await self._begin_links()
        async with asyncio.TaskGroup() as group:
            slow = [group.create_task(self._read(name, work[name])) for name in SLOW]
            slow.append(group.create_task(self._read("azure_roles", work["azure_roles"])))  # an extra: Azure's bad day is no one else's
            slow.append(group.create_task(self._publishers(_NAMES_IN_FULL, granted=False)))
            lists = [group.create_task(self._list(name, work[name])) for name in _LISTS]
            await asyncio.gather(*lists, *(group.create_task(self._read(name, work[name])) for name in _AT_ONCE))
            await asyncio.gather(*(self._read(name, work[name]) for name in ("permissions", "principals")))
            await asyncio.gather(*self.preparing)
            if not await self.writer.intact():
                raise Transient("staging_lost", "The database lost what was read, as after a crash.", "Everything is read again by itself.")
            self.inventory_read.set()
            _, late = await asyncio.wait(slow, timeout=_SLOW_GRACE_SECONDS)
            if late:
                merged = frozenset(self.result.complete)
                await asyncio.to_thread(self.on_inventory, self.result)
                self.result.merged = merged
        self.result.slow = True

    async def _begin_links(self) -> None:
        """Ask where a later delta run begins, before anything is read, so that it tells of what changes meanwhile."""
        kept = self.reader.cursors.get(_LINKS)
        if kept is None:
            kept = await links_from_now(self.graph)
            await self.writer.keep(Page(*_LINKS, {}, dict(kept)))
        self.result.links = kept

    async def _changes(self) -> None:
        """The reading half of a delta run."""
        delta = DeltaReader(self.graph, self.writer, self.order.links)
        names = ("service_principals", "applications", "delegated_grants")
        told = dict(zip(names, await asyncio.gather(*(delta.tell(name) for name in names)), strict=True))
        self.reader.audited = {}
        people = Changes()

        async def changed_people() -> None:
            nonlocal people
            people = await delta.tell_of_users()

        await asyncio.gather(
            self._read("audit_events", lambda: self.reader.audit_events(self.order.audit_since)),
            *([self._read("changed_people", changed_people)] if "users" in self.order.links else []),
        )
        await self.writer.flush()
        delta.audited = await self.lookups.news(self.reader.audited) | await self.lookups.left_behind(people.changed)
        await self._read("service_principals", lambda: delta.service_principals(told["service_principals"]))
        await self._read("applications", lambda: delta.applications(told["applications"]))
        await asyncio.gather(
            self._read("delegated_grants", lambda: delta.delegated_grants(told["delegated_grants"])),
            self._read("app_role_assignments", delta.app_role_assignments),
            self._read("owners", delta.owners),
            self._read("assigned_people", delta.assigned_people),
            self._read("federated_credentials", delta.federated_credentials),
            self._read("policies", self.reader.policies),
            self._read("consent_requests", self.reader.consent_requests),
        )
        await delta.users(await self.lookups.known(people.changed), await self.lookups.known(people.removed))
        heirs = await self.lookups.heirs()
        await self._read("inherited_permissions", lambda: delta.inherited_permissions(self.reader, heirs))
        await asyncio.gather(
            self._read("permissions", self.reader.permissions),
            self._read("principals", self.reader.principals),
            self._publishers(_NAMES_IN_DELTA, granted=True),
        )
        self.result.links = delta.next_links
        self.result.slow = True

    async def _publishers(self, most: int, *, granted: bool) -> None:
        """Read the names of at most so many publishers' tenants; ``granted``: only where that is known to be allowed."""
        name = "publisher_tenants"
        if not self.order.links:
            await self.inventory_read.wait()  # what they are called is the least of all: it never holds the rest up
            if await self.reader.list_of("service_principal") is None:
                return
        ids = await self.lookups.nameless([*MICROSOFT_TENANTS, self.order.tenant], most, granted=granted)
        if ids:
            await self._read(name, lambda: self.reader.publisher_tenants(ids))

    async def _list(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Read a collection that others may be read along."""
        await self._read(name, work)
        self.reader.listed(COLLECTIONS[name], self.writer.collections[name].rows if name in self.result.complete else None)

    async def _read(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        progress = self.writer.collections[name]
        if not progress.ended:
            await self.writer.mark(name, "reading")
            try:
                await work()
            except _FATAL:
                raise
            except MicrosoftError as error:
                if name == "service_principals" and isinstance(error, Transient):
                    raise  # Microsoft is down: nothing is known about anything
                await self.writer.mark(name, "incomplete", code=_code(error), reason=_reason(error))
                self.states[name] = _state_of(error)
            else:
                await self.writer.flush()
                if progress.unreadable:
                    reason = f"{progress.unreadable} objects could not be understood."
                    await self.writer.mark(name, "incomplete", code=UNREADABLE, reason=reason)
                    self.states[name] = CapabilityState.GRANTED  # what answers is allowed, and what it lacks is a gap
                else:
                    await self.writer.mark(name, "complete")
        if progress.state == "complete":
            self.result.complete.add(name)
            if progress.table in staging.FUTURE:
                self.preparing.append(asyncio.create_task(self.writer.prepare(name)))
        else:
            state = self.states.get(name) or (CapabilityState.UNLICENSED if progress.code == "unlicensed" else CapabilityState.UNAVAILABLE)
            self.result.gaps.append(Gap(name, state, progress.code, progress.reason))

    async def _beat(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            await self._pulse(connection)
            await asyncio.sleep(_BEAT_SECONDS)

    async def _pulse(self, connection: psycopg.AsyncConnection[Any]) -> None:
        seen = self.result.counters
        await connection.execute(
            "UPDATE sync_syncrun SET heartbeat_at = now(), requests = %s, throttled = %s, retried = %s, resource_units = %s WHERE id = %s",
            [seen.requests, seen.throttled, seen.retried, seen.resource_units, self.order.run_id],
        )


@contextlib.asynccontextmanager
async def _azure(place: Cloud, order: Order, counters: Counters) -> AsyncIterator[GraphClient | None]:
    """A client of Azure Resource Manager whose requests count with the others, where that is asked."""
    there = place.azure()
    if there is None:
        yield None
        return
    tokens = Tokens(there, order.registration, order.tenant)
    async with GraphClient(there, tokens.get_async, counters=counters, most_tries=_AZURE_TRIES) as client:
        yield client


async def _first_of(work: Coroutine[Any, Any, None], helpers: list[asyncio.Task[None]]) -> None:
    """Wait for the work; a helper that ends before it has failed, and its error is what matters."""
    main = asyncio.create_task(work)
    done, _ = await asyncio.wait([main, *helpers], return_when=asyncio.FIRST_COMPLETED)
    if main not in done:
        main.cancel()
        await asyncio.gather(main, return_exceptions=True)
        await next(iter(done))
    try:
        await main
    except BaseExceptionGroup as group:
        raise _worst(group) from group


def _worst(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.append(_worst(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in leaves if not isinstance(error, ConsentryError)), leaves[0])


def _code(error: MicrosoftError) -> str:
    return "unlicensed" if isinstance(error, Unlicensed) else error.code


def _reason(error: MicrosoftError) -> str:
    return "unlicensed" if isinstance(error, Unlicensed) else f"{error.what} {error.remedy}"


def _state_of(error: MicrosoftError) -> str:
    if isinstance(error, Unlicensed):
        return CapabilityState.UNLICENSED
    if isinstance(error, Forbidden):
        return CapabilityState.MISSING
    if isinstance(error, (Unavailable, NotFound, Resync)):
        return CapabilityState.UNAVAILABLE
    return CapabilityState.GRANTED  # a passing fault says nothing about what is allowed
