"""A worker that is killed with -9 at any moment: the run goes on, and the inventory is the old one or the new one, never a mixture."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from django.db import connection
from tests.sync.test_delta import change_a_lot
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


def shown(world: World) -> tuple[object, ...]:
    """What people see of plugins and grants."""
    grants = world.live(DelegatedGrant).values_list("grant_id", "scope_set_id")
    return dict(grants), dict(world.live(Plugin).values_list("service_principal_id", "name"))


@pytest.mark.parametrize("mode", ["delta", "full"])
def test_killed_after_changes_people_see_the_old_state_or_the_new_one(make_world: Callable[..., World], mode: str) -> None:
    world = make_world(plugins=200, users=300, grants=4000, latency_ms=8.0)
    world.full()
    SyncRun.objects.update(requests=1000)  # a tenant that counts as large
    before = shown(world)
    change_a_lot(world.directory)
    run = services.start_sync(world.integration, trigger="test", full=mode == "full")
    chance, after = random.Random(5), None
    for _ in range(KILLS):
        world.fresh_budget()
        process = work(run.pk)
        time.sleep(0.4 + chance.random() * (0.5 if mode == "delta" else 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if shown(world) != before:
            after = after or shown(world)
            world.assert_equal_to_tenant()
            assert shown(world) == after
        if SyncRun.objects.get(pk=run.pk).state == RunState.SCORING:
            break
    if SyncRun.objects.get(pk=run.pk).state != RunState.SCORING:
        world.fresh_budget()
        assert work(run.pk).wait(60) == 0
    risk.rescore_run(run.pk)
    summary = queries.run_summary(run.pk)
    assert (summary["status"], summary["mode"]) == ("done", mode)
    world.assert_equal_to_tenant()
    renamed = Change.objects.filter(run_id=run.pk, kind="plugin_renamed").count()
    assert renamed == 5, "told once, however often it began"
    assert not queries.staged_runs()


def test_a_database_that_goes_away_leaves_the_run_to_be_taken_up(make_world: Callable[..., World]) -> None:
    world = make_world(latency_ms=25.0)
    run = services.start_sync(world.integration, trigger="test")
    process = work(run.pk)
    while CollectionProgress.objects.filter(run_id=run.pk, state="complete").count() < 2:
        time.sleep(0.01)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert process.wait(30) != 0
        assert SyncRun.objects.get(pk=run.pk).state == RunState.FETCHING
        # as after a crash of the server: what is not logged is empty
        cursor.execute(f"TRUNCATE staging_{run.pk}.service_principal")
    world.fresh_budget()
    assert work(run.pk).wait(60) == 0
    risk.rescore_run(run.pk)
    world.assert_equal_to_tenant()
