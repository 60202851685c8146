"""The one door to Microsoft Graph: paging, batches, retries and throttling. Writes are refused here unless asked for."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from consentry.core.clock import now
from consentry.core.secrets import Secret
from consentry.providers.entra.clouds import Cloud
from consentry.providers.entra.errors import MicrosoftError, Reauthorise, Transient, graph_error

BATCH_SIZE = 20  # learn.microsoft.com/graph/json-batching
_MOST_TRIES = 7
_LONGEST_WAIT = 120.0
_LONGEST_PAUSE = 10.0  # of our own making: Microsoft counts units over ten seconds
_PATIENCE = 300.0  # seconds that a request may be put off by throttling while others come through
_RETRIED = {429, 500, 502, 503, 504}
_SLOW_REQUESTS, _SLOW_WINDOW = 5, 10.0  # auditLogs and reports: 5 requests per 10 s per app and tenant
_FAULTS = (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError)


class _ErrorBody(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorBody | None = None


class _BatchItem(msgspec.Struct):
    id: str
    status: int
    headers: dict[str, str] | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _BatchAnswer(msgspec.Struct):
    responses: list[_BatchItem]


@dataclass(slots=True)
class Counters:
    """What a run cost: it stands in the run's summary."""

    requests: int = 0
    batched: int = 0
    throttled: int = 0
    retried: int = 0
    resource_units: int = 0


@dataclass(slots=True)
class GraphClient:
    """Reads of one tenant with one token source. Use as an async context manager, in one event loop."""

    cloud: Cloud
    token: Callable[..., Awaitable[Secret]]
    priority: str = "low"
    max_in_flight: int = 16
    most_tries: int = _MOST_TRIES  # of one request; with the pauses between them about half a minute
    counters: Counters = field(default_factory=Counters)
    _session: aiohttp.ClientSession | None = field(default=None, init=False)
    _gate: asyncio.Semaphore | None = field(default=None, init=False)
    _slow_lane: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _slow_times: deque[float] = field(default_factory=deque, init=False)
    _pause_until: float = field(default=0.0, init=False)
    _ease_until: float = field(default=0.0, init=False)  # batches alone hold back
    _strikes: int = field(default=0, init=False)  # pauses after each other without anything coming through
    _arrived: int = field(default=0, init=False)

    async def __aenter__(self) -> GraphClient:
        connector = aiohttp.TCPConnector(limit=self.max_in_flight + 2, ssl=_ssl(self.cloud))
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=120, sock_connect=10, sock_read=60), read_bufsize=2**22
        )
        self._gate = asyncio.Semaphore(self.max_in_flight)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session:
            await self._session.close()

    async def get(self, path: str, *, slow: bool = False, headers: dict[str, str] | None = None) -> bytes:
        """The body of a path such as ``/v1.0/organization`` or of a next link. Raises ``MicrosoftError``."""
        if not slow:
            return await self._send("GET", path, None, headers)
        async with self._slow_lane:
            await self._slow_pace()
            return await self._send("GET", path, None, headers, slow=True)

    async def post(self, path: str, body: Any) -> bytes:
        """A read that Graph wants as POST (``getByIds``). Raises ``MicrosoftError``."""
        return await self._send("POST", path, msgspec.json.encode(body), None)

    async def batch(self, paths: Iterable[str], *, version: str = "v1.0") -> list[bytes | MicrosoftError]:
        """The bodies of many paths (without version), in their order, twenty to a request; a failed one is its error.

        Throttled items are asked again after their own ``Retry-After``; the outer 200 says nothing about them.
        """
        wanted = list(paths)
        chunks = [list(range(start, min(start + BATCH_SIZE, len(wanted)))) for start in range(0, len(wanted), BATCH_SIZE)]
        results: list[bytes | MicrosoftError] = [
            Transient("batch_item_missing", "Microsoft left out an answer.", "It is read again.")
        ] * len(wanted)
        await asyncio.gather(*(self._batch_chunk(wanted, chunk, results, version) for chunk in chunks))
        return results

    async def _batch_chunk(self, paths: list[str], chunk: list[int], results: list[bytes | MicrosoftError], version: str) -> None:
        turns, pause = _Turns(self), 0.0
        while turns.left():
            await asyncio.sleep(pause)
            body = {"requests": [{"id": str(index), "method": "GET", "url": paths[index]} for index in chunk]}
            self.counters.batched += len(chunk)
            content = await self._send("POST", f"/{version}/$batch", msgspec.json.encode(body), None, batch=True)
            answer = msgspec.json.decode(content, type=_BatchAnswer)
            again, wait, throttled = [], 0.0, False
            for item in answer.responses:
                index, headers = int(item.id), {name.lower(): value for name, value in (item.headers or {}).items()}
                self.counters.resource_units += _number(headers.get("x-ms-resource-unit"))
                self._heed(headers.get("x-ms-throttle-limit-percentage"))
                if item.status < 300:
                    results[index] = bytes(item.body)
                    self._arrived += 1
                    continue
                results[index] = _failure(item.status, bytes(item.body), "")
                if item.status in _RETRIED:
                    self.counters.throttled += item.status == 429
                    throttled |= item.status == 429
                    again.append(index)
                    wait = max(wait, retry_after(headers.get("retry-after"), turns.taken - 1))
            if len(again) < len(chunk):
                self._strikes = 0
            if not again:
                return
            self.counters.retried += len(again)
            if throttled:
                self._throttled(wait)
            pause = 0.0 if throttled else wait
            chunk = again

    async def _send(
        self, method: str, path: str, body: bytes | None, extra: dict[str, str] | None, *, slow: bool = False, batch: bool = False
    ) -> bytes:
        if self._session is None or self._gate is None:
            raise RuntimeError("GraphClient is used outside of its context")
        url = self._address(path)
        fresh = False
        last: MicrosoftError = Transient(
            "microsoft_unreachable", "Microsoft Graph can't be reached.", "Check the network; it is tried again by itself."
        )
        turns, pause = _Turns(self, most=self.most_tries), 0.0
        while turns.left():
            if pause:
                await asyncio.sleep(pause)
            headers = {
                "Authorization": f"Bearer {str.__str__(await self.token(fresh=fresh))}",
                "Accept": "application/json",
                "client-request-id": str(uuid.uuid4()),
                "x-ms-throttle-priority": self.priority,
                **({"Content-Type": "application/json"} if body is not None else {}),
                **(extra or {}),
            }
            await self._wait_for_pause(batch=batch)
            self.counters.requests += 1
            self.counters.retried += turns.taken > 1
            try:
                async with self._gate, self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                    content = await response.read()
                    status, answered = response.status, response.headers
            except _FAULTS as error:
                last = Transient(
                    "microsoft_unreachable",
                    f"Microsoft Graph at {self.cloud.graph_url} can't be reached ({type(error).__name__}).",
                    "Check the network, the proxy and CONSENTRY_MICROSOFT_GRAPH_URL; it is tried again by itself.",
                )
                pause = retry_after(None, turns.taken - 1)
                continue
            self.counters.resource_units += _number(answered.get("x-ms-resource-unit"))
            self._heed(answered.get("x-ms-throttle-limit-percentage"))
            if status < 300:
                if not batch:  # its items say what came through
                    self._arrived += 1
                    self._strikes = 0
                return content
            last = _failure(status, content, answered.get("request-id", ""))
            if status == 401 and not fresh:
                fresh, pause = True, 0.0
                continue
            if status not in _RETRIED:
                raise last
            wait = retry_after(answered.get("Retry-After"), turns.taken - 1)
            if status == 429:
                self.counters.throttled += 1
            shared = status == 429 and not slow  # the slow lane has a budget of its own
            if shared:
                self._throttled(wait)
            pause = 0.0 if shared else wait
        raise last

    def _address(self, path: str) -> str:
        if path.startswith("/"):
            return self.cloud.graph_url + path
        ours, theirs = urlsplit(self.cloud.graph_url), urlsplit(path)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise Reauthorise(
                "foreign_link", "Microsoft Graph sent a link to another host.", "Check CONSENTRY_MICROSOFT_GRAPH_URL and the proxy."
            )
        return path

    def _throttled(self, wait: float) -> None:
        # Everybody waits, for what Microsoft says and longer each time: units come free one by one, and whoever
        # comes back first would take them from all the others
        moment = time.monotonic()
        if moment >= self._pause_until:
            self._strikes += 1
        own = min(_LONGEST_PAUSE, 0.25 * 2 ** min(self._strikes, 6)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter
        self._pause_until = max(self._pause_until, moment + max(wait, own))

    def _heed(self, percentage: str | None) -> None:
        # 0.8 to 1.8 of the limit: slow down before Graph does it for us, the more the nearer it is. Batches first: one costs
        # twenty times as much as a page, and whatever waits for the last page of a long chain waits for every page of it
        try:
            share = float(percentage or 0)
        except ValueError:
            return
        if share >= 0.8:
            until = time.monotonic() + min(5.0, 2 * share - 1.5)
            self._ease_until = max(self._ease_until, until)
            if share >= 1:
                self._pause_until = max(self._pause_until, until)

    async def _wait_for_pause(self, *, batch: bool) -> None:
        latest = time.monotonic() + _LONGEST_PAUSE  # others that go on never hold a batch back for longer
        while True:
            moment = time.monotonic()
            remaining = max(self._pause_until, min(self._ease_until, latest) if batch else 0.0) - moment
            if remaining <= 0:
                return
            await asyncio.sleep(remaining)

    async def _slow_pace(self) -> None:
        moment = time.monotonic()
        while self._slow_times and self._slow_times[0] < moment - _SLOW_WINDOW:
            self._slow_times.popleft()
        if len(self._slow_times) >= _SLOW_REQUESTS:
            await asyncio.sleep(self._slow_times[0] + _SLOW_WINDOW - moment)
            self._slow_times.popleft()
        self._slow_times.append(time.monotonic())


@dataclass(slots=True)
class _Turns:
    """How often a request may be sent again: some times in a row, counted anew while others come through, and never for ever."""

    client: GraphClient
    most: int = _MOST_TRIES
    taken: int = 0
    _since: float = field(default_factory=time.monotonic)
    _arrived: int = -1

    def left(self) -> bool:
        """Take a turn. False when there is none left."""
        if self._arrived not in (-1, self.client._arrived) and self.taken >= self.most and time.monotonic() - self._since < _PATIENCE:
            self.taken = 1
        self._arrived = self.client._arrived
        self.taken += 1
        return self.taken <= self.most


def retry_after(header: str | None, attempt: int) -> float:
    """Seconds to wait: the header (whole, fractional or a date), else exponential with jitter; never more than two minutes."""
    seconds = None
    if header:
        try:
            seconds = float(header)
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(header) - now()).total_seconds()
            except (TypeError, ValueError):
                seconds = None
    if seconds is None or not seconds >= 0:
        seconds = 0.5 * 2**attempt * random.uniform(0.7, 1.3)  # noqa: S311  # jitter
    return min(seconds, _LONGEST_WAIT)


def _failure(status: int, content: bytes, request_id: str) -> MicrosoftError:
    try:
        error = msgspec.json.decode(content, type=_ErrorAnswer).error or _ErrorBody()
    except msgspec.MsgspecError:
        error = _ErrorBody()
    return graph_error(status, error.code or "", error.message or "", request_id)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _ssl(cloud: Cloud) -> Any:
    if cloud.ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(cloud.ca_file)
    return context
