"""``consentry sync``: queue a run, and with ``--wait`` stay until it is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from datetime import timedelta
from typing import Self

import typer
from django.db import connection
from procrastinate.contrib.django import app as jobs
from procrastinate.contrib.django.models import ProcrastinateWorker
from rich.console import Console

from consentry.cli import DONE, FAILED, INCOMPLETE, say
from consentry.cli.connect import find_connector
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.worker import worker_connector
from consentry.sync import queries, services
from consentry.sync.models import CollectionProgress, RunState, SyncRun

_LOOK_SECONDS, _RECOVER_SECONDS, _PATIENCE_SECONDS, _STOP_SECONDS = 0.3, 15.0, 4.0, 10.0
_ENDED = {RunState.DONE: DONE, RunState.INCOMPLETE: INCOMPLETE, RunState.FAILED: FAILED}


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(sync)


def sync(
    connector: str = typer.Option(help="Name of the connector."),
    full: bool = typer.Option(False, "--full", help="Read everything again."),
    wait: bool = typer.Option(False, "--wait", help="Stay until the run is over."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Read a tenant now. Exit codes: 0 done, 1 failed, 3 done but incomplete."""
    integration = find_connector(connector).integrations.select_related("connector__account").first()
    if integration is None:
        raise ConsentryError(
            "integration_missing",
            f"3rd Party Apps is not switched on over {connector}.",
            "Run 'consentry integrate third-party-apps' first.",
        )
    services.recover()
    run = services.start_sync(integration, trigger="command", full=full)
    if wait:
        with _Helper() as helper:
            run = _follow(run.pk, helper)
    if as_json:
        print(json.dumps(queries.run_summary(run.pk), ensure_ascii=False))
    else:
        say(f"Run {run.pk}: {RunState(run.state).label}.{f' {run.error} {run.remedy} [{run.error_code}]' if run.error else ''}")
    raise typer.Exit(_ENDED.get(RunState(run.state), DONE))


def _worker_alive() -> bool:
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=now() - timedelta(seconds=45)).exists()


class _Helper:
    """A worker inside this command, for a machine on which none is running. It ends, and signs off, with the command."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._work: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if not _worker_alive():
            self.start()
        return self

    def start(self) -> None:
        """Begin to work, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._work = self._loop.create_task(self._jobs())
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._work)
        finally:
            connection.close()

    async def _jobs(self) -> None:
        with jobs.replace_connector(worker_connector()) as app:
            async with app.open_async():
                await app.run_worker_async(concurrency=2, install_signal_handlers=False, fetch_job_polling_interval=0.2)

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            return
        if self._work is not None:
            self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join(_STOP_SECONDS)


def _follow(run_id: int, helper: _Helper) -> SyncRun:
    console = Console(file=sys.stderr)
    began = time.monotonic()
    next_look = began + _RECOVER_SECONDS
    with console.status("Waiting for a worker") as status:
        while True:
            run = SyncRun.objects.get(pk=run_id)
            if run.state in _ENDED:
                return run
            if run.state == RunState.QUEUED and time.monotonic() > began + _PATIENCE_SECONDS:
                helper.start()  # a worker was heard of, but it may have been killed since
            if time.monotonic() > next_look:  # a worker that was killed is nobody's business but the scheduler's, which may not be there
                services.recover()
                next_look = time.monotonic() + _RECOVER_SECONDS
            time.sleep(_LOOK_SECONDS)
            parts = CollectionProgress.objects.filter(run_id=run_id, state="reading").values_list("name", "rows")
            reading = ", ".join(f"{name.replace('_', ' ')} {rows:,}" for name, rows in parts)
            status.update(f"{RunState(run.state).label}{': ' + reading if reading else ''}")
