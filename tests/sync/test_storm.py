"""Everything that Microsoft is known to do, at once: the inventory is the tenant's all the same."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Callable

import pytest
from aiohttp import web
from tests.sync.test_delta import change_a_lot
from tests.world import World

from consentry.inventory.models import Plugin
from consentry.sync import queries

ODD_DATES = ("2021-03-01T00:00:00-8:00", "0001-01-01T00:00:00Z", "2024-02-30T00:00:00Z", "2025-06-01T08:00:00.1234567Z", None, "soon")


def storm(world: World, seed: int) -> dict[str, int]:
    """Cut connections, faults, throttling without a word how long, expired tokens, doubles, new words and odd dates. Counts what happened."""
    chance = random.Random(seed)
    happened = {"cut": 0, "fault": 0, "throttled": 0, "expired": 0, "odd": 0}

    def strikes(what: str, share: float) -> bool:
        if chance.random() >= share:
            return False
        happened[what] += 1
        return True

    def weather(request: web.Request, response: web.StreamResponse) -> web.StreamResponse | None:
        if response.status != 200:
            return None
        if strikes("cut", 0.06) and request.transport is not None:
            asyncio.get_running_loop().call_soon(request.transport.abort)  # a short answer is through by then
        elif strikes("fault", 0.06):
            return web.Response(status=chance.choice((500, 502, 503, 504)), text="<html>upstream</html>")
        elif strikes("throttled", 0.06):
            waits = chance.choice(({}, {"Retry-After": "0.128"}, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
            return web.json_response({"error": {"code": "", "innererror": {}}}, status=429, headers=waits)
        elif "skiptoken" in request.path_qs and strikes("expired", 0.08 if happened["expired"] else 1.0):
            return web.json_response({"error": {"code": "Directory_ExpiredPageToken", "message": ""}}, status=400)
        if request.path.endswith("/servicePrincipals"):
            return odd(response)
        return None

    def odd(response: web.StreamResponse) -> web.StreamResponse:
        body = json.loads(response.body)  # type: ignore[attr-defined]
        for row in body["value"]:
            row["spatialAnchors"] = [{"@odata.type": "#microsoft.graph.anchor", "depth": None}]
            if "createdDateTime" in row:
                happened["odd"] += 1
                row["createdDateTime"] = ODD_DATES[zlib.crc32(row["id"].encode()) % len(ODD_DATES)]
            if row.get("verifiedPublisher"):
                row["verifiedPublisher"]["tier"] = "unheardOf"
        return web.json_response(body)

    world.weather.rules.append(weather)
    world.weather.repeat("/oauth2PermissionGrants")
    return happened


@pytest.mark.parametrize("seed", [3, 11])
def test_everything_at_once(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=600, users=500, grants=9000, throttle_rate=0.01, seed=seed)
    happened = storm(world, seed)
    retried = 0
    for step in ("first", "changes", "everything again"):
        if step == "changes":
            change_a_lot(world.directory)
            gone = next(iter(world.directory.users))
            world.directory.delete_user(gone)  # grants go on naming this one
        summary = world.sync(full=step == "everything again")
        retried += summary["retried"]
        if summary["incomplete"]:  # too much at once for one collection: said, nothing lost, and mended by the next run
            assert not summary["changes"].keys() & {"plugin_removed", "grant_removed"} or step == "changes"
            summary = world.sync()
        assert (summary["status"], summary["incomplete"]) == ("done", []), step
        world.assert_equal_to_tenant()
    assert all(happened.values()), happened
    assert retried > 0
    told = Plugin.objects.filter(connector_id=world.connector_id)
    assert {one.created_at.year for one in told if one.created_at} == {2021, 2025}, "dates that are none are unknown"
