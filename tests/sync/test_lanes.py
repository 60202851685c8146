"""A worker has two lanes: the sync of a slow tenant never holds up scores, alerts and notifications."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from aiohttp import web
from django.db import connection
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.world import World

from consentry.core.boot import RUNTIME_DATABASE
from consentry.core.dsn import connection_string
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
