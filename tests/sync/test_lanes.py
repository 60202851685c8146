"""A worker has two lanes: the sync of a slow tenant never holds up scores, alerts and notifications."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from aiohttp import web
from django.db import connection
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.world import World

from consentry.accounts import services as accounts
from consentry.connect import services as connect
from consentry.core.boot import RUNTIME_DATABASE
from consentry.core.dsn import connection_string
from consentry.simulator import server
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.state import Consent
from consentry.sync import services
from consentry.sync.models import RunState, SyncRun

WORK = "from consentry.core import boot; boot.setup(); from consentry.core import worker; worker.run(1)"
LONGEST = 40.0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_other_jobs_do_not_wait_for_the_sync_of_a_slow_tenant(world: World) -> None:
    answers = threading.Event()

    def slow(_: web.Request, __: web.StreamResponse) -> None:
        answers.wait(LONGEST)

    world.weather.rules.append(slow)
    run = services.start_sync(world.integration, trigger="test")

    def state() -> str:
        return SyncRun.objects.get(pk=run.pk).state

    environment = {**os.environ, RUNTIME_DATABASE: connection_string(connection.settings_dict)}
    worker = subprocess.Popen([sys.executable, "-c", WORK], env=environment)
    try:
        until(lambda: state() == RunState.FETCHING)
        jobs.configure_task("risk.rescore_account").defer(account_id=str(world.integration.connector.account_id))
        until(lambda: not ProcrastinateJob.objects.filter(task_name="risk.rescore_account").exists())  # what succeeded is deleted
        assert state() == RunState.FETCHING, "this worker's only sync is still waiting"
        answers.set()
        until(lambda: state() == RunState.DONE)
    finally:
        answers.set()
        worker.terminate()
        assert worker.wait(30) == 0
    world.assert_equal_to_tenant()


def tenant_of(request: web.Request) -> str:
    """The tenant that a token of the simulator is for."""
    claims = request.headers["Authorization"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["tid"])


def test_two_workers_serve_the_other_tenant_while_one_does_not_answer(make_world: Callable[..., World], tmp_path: Path) -> None:
    options = SimulatorOptions(plugins=60, users=60, consented=True)
    main, other = server.build_cloud(options).tenants
    consents = tmp_path / "consents.json"
    registrations = server.build_cloud(options).registrations.values()
    given = [Consent(other, one.client_id, 0.0, 0.0, list(one.roles)) for one in registrations]
    consents.write_text(json.dumps([asdict(one) for one in given]))
    world = make_world(state_file=consents)
    second = connect.connect_by_credentials(accounts.default_account(), name="Fabrikam", tenant=other, actor="test")
    integration = connect.integrate_by_credentials(second, description="", actor="test")
    answers = threading.Event()

    def refused(request: web.Request, _: web.StreamResponse) -> web.StreamResponse | None:
        if tenant_of(request) != main or answers.is_set():
            return None
        return web.json_response({"error": {"code": "TooManyRequests", "message": ""}}, status=429, headers={"Retry-After": "0.5"})

    world.weather.rules.append(refused)
    first = services.start_sync(world.integration, trigger="test")
    environment = {**os.environ, RUNTIME_DATABASE: connection_string(connection.settings_dict)}
    workers = [subprocess.Popen([sys.executable, "-c", WORK], env=environment) for _ in range(2)]
    try:
        until(lambda: SyncRun.objects.get(pk=first.pk).state == RunState.FETCHING)
        for _ in range(2):
            run = services.start_sync(integration, trigger="test")
            until(lambda run=run: SyncRun.objects.get(pk=run.pk).state == RunState.DONE)  # type: ignore[misc]
        assert SyncRun.objects.get(pk=first.pk).state == RunState.FETCHING, "it is still being told to wait"
        answers.set()
        until(lambda: SyncRun.objects.get(pk=first.pk).state == RunState.DONE)
    finally:
        answers.set()
        for worker in workers:
            worker.terminate()
        assert [worker.wait(30) for worker in workers] == [0, 0]
    assert SyncRun.objects.get(pk=first.pk).throttled > 0
    world.assert_equal_to_tenant()
