"""The HTTP side of Graph: routes, permissions, paging, batches, errors and throttling."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from aiohttp import web

from consentry.simulator import collections, writes
from consentry.simulator.collections import Access, Answer, Query
from consentry.simulator.errors import GraphError
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.state import Cloud
from consentry.simulator.throttling import Budget, Weather, units_for

Authenticate = Callable[[web.Request], Access]
_BATCH_LIMIT = 20
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Graph:
    """The state of the HTTP side: budgets, weather and counts of what was asked."""

    cloud: Cloud
    options: SimulatorOptions
    authenticate: Authenticate
    budgets: dict[tuple[str, str], Budget] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    down: bool = False
    weather: Weather = field(init=False)

    def __post_init__(self) -> None:
        self.weather = Weather(self.options.throttle_rate, random.Random(self.options.seed))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, or one batch of up to twenty."""
        self._count(f"{request.method} {request.path}")
        if self.options.latency_ms:
            await asyncio.sleep(self.options.latency_ms / 1000)
        request_id = request.headers.get("client-request-id")
        try:
            if self.down:
                raise GraphError(503, "serviceNotAvailable", "The service is temporarily unavailable.", {"Retry-After": "1"})
            access = self.authenticate(request)
            if request.method == "POST" and request.path.endswith("/$batch"):
                return await self._batch(request, access)
            body = await request.read()
            answer = self._answer(access, request.method, request.raw_path, body, str(request.url.origin()), dict(request.headers))
        except GraphError as error:
            answer = Answer(error.status, error.body(request_id), error.headers)
        headers = {"request-id": str(uuid.uuid4()), "client-request-id": request_id or "", **answer.headers}
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        content = _encoder.encode(answer.body)
        response = web.Response(body=content, status=answer.status, headers=headers, content_type="application/json", charset="utf-8")
        return response

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _answer(self, access: Access, method: str, raw_path: str, body: bytes, origin: str, headers: dict[str, str]) -> Answer:
        parts = urlsplit(raw_path)
        query = Query(
            version=parts.path.split("/")[1],
            path=unquote(parts.path).split("/", 2)[2],
            parameters=dict(parse_qsl(parts.query, keep_blank_values=True)),
            url=f"{origin}{parts.path}",
            eventual=headers.get("ConsistencyLevel", headers.get("consistencylevel", "")).lower() == "eventual",
            page_token_lifetime=self.options.page_token_lifetime_seconds,
        )
        self.weather.strike()
        slow = query.path.startswith(("auditLogs/", "reports/"))
        cost = collections.cost(query)
        budget = self.budgets.setdefault((access.tenant.tenant_id, access.client_id), Budget(units_for(len(access.tenant.directory.users))))
        share = budget.charge(cost, slow=slow)
        answer = (
            collections.read(access, query, body)
            if method == "GET" or query.path.endswith("getByIds")
            else writes.write(access, method, query, body)
        )
        answer.headers.setdefault("x-ms-resource-unit", str(cost))
        if share > 0.8:
            answer.headers["x-ms-throttle-limit-percentage"] = f"{share:.1f}"
        return answer

    async def _batch(self, request: web.Request, access: Access) -> web.Response:
        try:
            items = (await request.json())["requests"]
        except (ValueError, KeyError, TypeError) as error:
            raise GraphError(400, "BadRequest", "Invalid batch payload format.") from error
        if len(items) > _BATCH_LIMIT:
            raise GraphError(400, "BadRequest", f"Number of batch request steps exceeds the maximum value of {_BATCH_LIMIT}.")
        if len({str(item["id"]).lower() for item in items}) < len(items):
            raise GraphError(400, "BadRequest", "Duplicate request id in batch.")
        responses = []
        for item in items:
            self._count(f"batched {item['method']}")
            version = request.path.split("/")[1]
            try:
                answer = self._answer(
                    access,
                    item["method"],
                    f"/{version}/{item['url'].lstrip('/')}",
                    _encoder.encode(item.get("body") or {}),
                    str(request.url.origin()),
                    item.get("headers") or {},
                )
            except GraphError as error:
                answer = Answer(error.status, error.body(None), error.headers)
            responses.append(
                {
                    "id": item["id"],
                    "status": answer.status,
                    "headers": {"Content-Type": "application/json", **answer.headers},
                    "body": answer.body,
                }
            )
        responses.reverse()
        return web.Response(
            body=_encoder.encode({"responses": responses}), content_type="application/json", headers={"request-id": str(uuid.uuid4())}
        )


def add_graph_routes(app: web.Application, *, cloud: Cloud, options: SimulatorOptions, authenticate: Authenticate) -> Graph:
    """Serve ``/v1.0`` and ``/beta``; returns the object that holds counts and faults."""
    graph = Graph(cloud, options, authenticate)
    for version in ("v1.0", "beta"):
        app.router.add_route("*", f"/{version}/{{path:.*}}", graph.handle)
    return graph
