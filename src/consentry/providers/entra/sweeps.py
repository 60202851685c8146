"""Reading a collection to its end: page after page, by ids in windows, and again one by one where ``$expand`` stops.

Every page is stored with the cursor from which a killed run goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from consentry.providers.entra import shape
from consentry.providers.entra.errors import ExpiredPage, MicrosoftError, NotFound, Transient, Unavailable, Unlicensed
from consentry.providers.entra.graph import BATCH_SIZE, GraphClient
from consentry.providers.entra.pages import Decoder

Rows = dict[str, list[shape.Row]]  # staging table -> rows
Cursor = dict[str, Any]

EXPAND_CAP = 20  # $expand on directory objects stops at 20 without a next link
MOST_RESTARTS = 5
WINDOW = 16  # requests side by side; the client's own gate is as wide
AT_ONCE = 8  # requests of one window of ids: what is read ahead is held in memory
WINDOWS_AHEAD = 6  # one plugin with many pages does not hold up the others
UNLICENSED_TRIES = 3  # "no premium licence" is known to come and go in licensed tenants


@dataclass(slots=True)
class Page:
    """What one answer holds, and from where a resumed run goes on when it is stored.

    ``drop`` names what was staged of this part before and is void: (table, source or None for all of it).
    """

    collection: str
    part: str
    rows: Rows
    cursor: Cursor
    drop: tuple[tuple[str, str | None], ...] = ()
    unreadable: int = 0


class Store(Protocol):
    """Where pages go, and where ids that were staged come from."""

    async def keep(self, page: Page) -> None:
        """Store a page with its cursor, both or neither."""

    async def ids(self, source: str, after: str | None, limit: int) -> list[str]:
        """The next ids of a named set, in order, as it is when its first ids are asked for."""


@dataclass(slots=True)
class Sweeper:
    """Reads one tenant's collections into ``store``; ``cursors`` says how far an earlier attempt came, by collection and part."""

    graph: GraphClient
    store: Store
    cursors: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    _listed: dict[str, asyncio.Future[int | None]] = field(default_factory=dict)

    def listed(self, source: str, number: int | None) -> None:
        """Told by the caller: the sweep of ``service_principal`` or ``application`` is over. None when it has gaps."""
        self.list_of(source).set_result(number)

    def list_of(self, source: str) -> asyncio.Future[int | None]:
        """What ``listed`` is told of ``source``, now or later."""
        return self._listed.setdefault(source, asyncio.get_running_loop().create_future())

    async def one_by_one(self, source: str) -> str:
        """The set of all ids of ``source``, once they are known. A list with gaps would make what it lacks look removed."""
        if await self.list_of(source) is None:
            raise Transient("list_incomplete", "The list that this is read along has gaps.", "The next run reads it again.")
        return source

    async def expanded(
        self, collection: str, part: str, path: str, kind: type[Any], rows: Callable[[Any], Rows], drop: tuple[tuple[str, str | None], ...]
    ) -> bool:
        """Sweep with ``$expand``. True when the service refuses that and everything is to be read one by one."""
        try:
            await self.sweep(collection, part, [path], kind, rows, drop)
        except (Unavailable, NotFound):
            await self.store.keep(Page(collection, part, {}, {"one_by_one": True}, drop))
            return True
        return bool(self.cursors.get((collection, part), {}).get("one_by_one"))

    async def sweep(
        self,
        collection: str,
        part: str,
        paths: list[str],
        kind: type[Any],
        rows: Callable[[Any], Rows],
        drop: tuple[tuple[str, str | None], ...],
        *,
        slow: bool = False,
        leave: Callable[[int, float], bool] | None = None,
    ) -> None:
        """Follow a collection's next links from its start or its cursor. ``paths`` are tried in turn where the service refuses a query.

        ``leave`` is asked after each page, with how many were read and the seconds of the quickest, which are those of the network and
        not of other work; True gives the sweep up for reads one by one.
        """
        cursor = self.cursors.get((collection, part), {})
        if cursor.get("done") or cursor.get("one_by_one"):
            return
        decoder = Decoder(kind)
        choices = list(paths)
        restarts, unlicensed = int(cursor.get("restarts", 0)), 0
        link: str | None = cursor.get("next") or choices[0]
        first = cursor.get("next") is None
        pages, quickest = 0, float("inf")
        coming: asyncio.Task[tuple[bytes, float]] | None = None  # the next page is on its way while this one is shaped and stored
        try:
            while link:
                coming = coming or self._ask(link, slow=slow)
                try:
                    body, seconds = await coming
                    page = decoder.page(body)
                except Unlicensed:
                    coming = None
                    unlicensed += 1
                    if unlicensed >= UNLICENSED_TRIES or slow:
                        raise
                    await asyncio.sleep(0.2 * unlicensed)
                    continue
                except (ExpiredPage, Unavailable) as error:
                    coming = None
                    if first and isinstance(error, Unavailable):  # the query itself is refused
                        choices.pop(0)
                        if not choices:
                            raise
                    else:
                        restarts += 1
                        if restarts > MOST_RESTARTS:
                            raise
                        await self.store.keep(Page(collection, part, {}, {"restarts": restarts}, drop))
                    link, first = choices[0], True
                    continue
                pages, quickest = pages + 1, min(quickest, seconds)
                if page.next == link:
                    raise Transient("page_loop", "Microsoft's next page is the same page again.", "It is tried again with the next run.")
                link, first = page.next, False
                left = bool(link and leave and leave(pages, quickest))
                coming = self._ask(link, slow=slow) if link and not left else None
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                now: Cursor = {"next": link, "restarts": restarts} if link else {"done": True}
                await self.store.keep(Page(collection, part, rows(page.value), now, unreadable=page.unreadable))
                if left:
                    self.cursors[(collection, part)] = {"one_by_one": True}
                    await self.store.keep(Page(collection, part, {}, {"one_by_one": True}, drop))
                    return
        finally:
            if coming and not coming.cancel() and not coming.cancelled():
                coming.exception()  # whatever came of it, nobody waits for it any more

    def _ask(self, link: str, *, slow: bool) -> asyncio.Task[tuple[bytes, float]]:
        """Begin to ask for a page; its body and the seconds that it took."""

        async def ask() -> tuple[bytes, float]:
            asked = time.monotonic()
            body = await self.graph.get(link, slow=slow)
            return body, time.monotonic() - asked

        return asyncio.create_task(ask())

    async def follow_up(
        self,
        collection: str,
        part: str,
        source: str,
        path: str,
        kind: type[Any],
        rows: Callable[[str, Any], Rows],
        *,
        select: str = "",
    ) -> None:
        """Read ``path`` for each id of the set ``source``, in batches, every page of it. What is gone meanwhile has nothing.

        With ``select`` these properties alone are asked for, which halves the resource units, unless the service refuses that.
        """
        if select:
            try:
                await self.follow_up(collection, part, source, f"{path}&$select={select}", kind, rows)
            except Unavailable:
                await self.follow_up(collection, part, source, path, kind, rows)
            return
        decoder = Decoder(kind)

        async def read(object_id: str, answer: bytes | MicrosoftError, made: Rows) -> None:
            if isinstance(answer, NotFound):
                return  # deleted since the sweep
            page = decoder.page(sound(answer))
            while True:
                for table, more in rows(object_id, page.value).items():
                    made.setdefault(table, []).extend(more)
                if not page.next:
                    break
                page = decoder.page(await self.graph.get(page.next))

        async def window(ids: list[str]) -> Rows:
            made: Rows = {}
            answers = await self.graph.batch(path.format(one) for one in ids)
            await asyncio.gather(*(read(object_id, answer, made) for object_id, answer in zip(ids, answers, strict=True)))
            return made

        await self.windows(collection, source, BATCH_SIZE * AT_ONCE, window, part=part)

    async def windows(
        self, collection: str, source: str, size: int, window: Callable[[list[str]], Awaitable[Rows]], *, part: str = "list"
    ) -> None:
        """Work through the ids of a set in windows, several side by side; each is stored as soon as it is read.

        The cursor follows the first that is still being read, so one plugin with many pages holds nothing up. After a kill, what was
        stored past the cursor is read and stored again: whoever merges expects that an object may be there twice.
        """
        cursor = self.cursors.get((collection, part), {})
        if cursor.get("done"):
            return
        reached: str | None = cursor.get("after")
        after, more = reached, True
        reading: dict[str, asyncio.Task[Rows] | None] = {}  # by the last id of each window, in order; None when it is stored
        try:
            while True:
                while more and len(reading) < WINDOWS_AHEAD:
                    ids = await self.store.ids(source, after, size)
                    more = bool(ids)
                    if ids:
                        after = ids[-1]
                        reading[after] = asyncio.create_task(_awaited(window(ids)))
                if not reading:
                    break
                await asyncio.wait([task for task in reading.values() if task], return_when=asyncio.FIRST_COMPLETED)
                for last, task in list(reading.items()):
                    if task is None or not task.done():
                        continue
                    reading[last] = None
                    while reading and reading[first := next(iter(reading))] is None:
                        reached = first
                        del reading[first]
                    await self.store.keep(Page(collection, part, task.result(), {"after": reached} if reached else {}))
                del task
        finally:
            for late in reading.values():
                if late:
                    late.cancel()
        await self.store.keep(Page(collection, part, {}, {"done": True}))


async def _awaited(rows: Awaitable[Rows]) -> Rows:
    return await rows


def whole(related: list[Any] | None) -> bool:
    """True when ``$expand`` gave everything that is related; an empty answer may mean that it was ignored for this one."""
    return related is not None and len(related) < EXPAND_CAP


def sound(answer: bytes | MicrosoftError) -> bytes:
    """A batch item's answer. Raises what it failed with."""
    if isinstance(answer, MicrosoftError):
        raise answer
    return answer


def chunks(ids: list[str], size: int) -> Iterable[list[str]]:
    """The ids in lists of at most ``size``."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
