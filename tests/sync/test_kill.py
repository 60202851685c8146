"""A worker that is killed with -9 at any moment: the run goes on, and the inventory is the old one or the new one, never a mixture."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from django.db import connection
from tests.world import World

from consentry.core.boot import RUNTIME_DATABASE
from consentry.core.dsn import connection_string
from consentry.inventory.models import Change, DelegatedGrant, Plugin
from consentry.risk import services as risk
from consentry.sync import queries, services
from consentry.sync.models import CollectionProgress, RunState, SyncRun

KILLS = 14
WORK = "import sys; from consentry.core import boot; boot.setup(); from consentry.sync import services; services.run(int(sys.argv[1]))"


def work(run_id: int) -> subprocess.Popen[bytes]:
    """A process that carries the run out."""
    environment = {**os.environ, RUNTIME_DATABASE: connection_string(connection.settings_dict)}
    return subprocess.Popen([sys.executable, "-c", WORK, str(run_id)], env=environment)


def test_killed_at_random_moments_it_ends_with_the_whole_state(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=300, users=500, grants=9000, latency_ms=15.0)
    run = services.start_sync(world.integration, trigger="test")
    chance = random.Random(7)
    seen_pages = 0
    for _ in range(KILLS):
        world.fresh_budget()
        process = work(run.pk)
        time.sleep(0.45 + chance.random() * 0.8)  # Python itself takes the first part of it
        process.send_signal(signal.SIGKILL)
        process.wait()
        state = SyncRun.objects.get(pk=run.pk).state
        found = Plugin.objects.count(), DelegatedGrant.objects.count()
        assert found in {(0, 0), (len(world.directory.service_principals), len(world.directory.grants))}, state
        pages = sum(CollectionProgress.objects.filter(run_id=run.pk).values_list("pages", flat=True))
        assert pages >= seen_pages, "a page that was stored is never read again"
        seen_pages = pages
        if state in {RunState.SCORING, RunState.DONE}:
            break
    assert seen_pages > 0
    for _ in range(5):
        if SyncRun.objects.get(pk=run.pk).state not in {RunState.SCORING, RunState.DONE}:
            world.fresh_budget()
            assert work(run.pk).wait(60) == 0
    risk.rescore_run(run.pk)
    assert queries.run_summary(run.pk)["status"] == "done"
    world.assert_equal_to_tenant()
    assert Change.objects.filter(kind="plugin_first_seen").count() == len(world.directory.service_principals)
    assert not queries.staged_runs()


def test_a_run_whose_worker_died_is_queued_again(make_world: Callable[..., World]) -> None:
    world = make_world(latency_ms=40.0)
    run = services.start_sync(world.integration, trigger="test")
    process = work(run.pk)
    while SyncRun.objects.get(pk=run.pk).state == RunState.QUEUED:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert SyncRun.objects.get(pk=run.pk).state == RunState.FETCHING
    jobs = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'sync.run'"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sync_syncrun SET heartbeat_at = now() - interval '90 seconds' WHERE id = %s", [run.pk])
        cursor.execute(jobs)
        before = cursor.fetchone()[0]
        for _ in range(50):
            if services.recover():
                break
            time.sleep(0.1)  # until PostgreSQL has noticed that the process is gone
        cursor.execute(jobs)
        assert cursor.fetchone()[0] == before + 1
    services.run(run.pk)
    risk.rescore_run(run.pk)
    world.assert_equal_to_tenant()
