"""``consentry up``: database, migrations, web and workers as one process tree that is watched and restarted."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from urllib.request import urlopen

import typer

from consentry.cli import say
from consentry.cli.parts import require_free_port
from consentry.core import boot, database, parent

_BACK_OFF_LONGEST = 30.0
_HEALTHY_AFTER = 20.0
_STOP_SECONDS = 10.0


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(up)


def up(
    port: int = typer.Option(8000, help="Port of the console."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    workers: int = typer.Option(1, help="Worker processes on this machine."),
) -> None:
    """Run the whole console: database, migrations, web, workers and scheduler."""
    run(port=port, host=host, workers=workers, children=[], on_ready=_invite)


def _invite(address: str) -> None:
    say(f"Consentry is ready at {address}")
    token = importlib.import_module("consentry.accounts.services").make_setup_link()
    if token:
        say(f"First start. Make your account here (the link works once, for a day): {address}/setup/{token}/")


def run(*, port: int, host: str, workers: int, children: list[Child], on_ready: Callable[[str], None]) -> None:
    """Start everything, call ``on_ready`` with the address, and stay until a signal asks to stop.

    Raises ``ConsentryError`` before anything is started when the port is taken or there is no database.
    """
    require_free_port(host, port)
    address = os.environ.setdefault("CONSENTRY_BASE_URL", f"http://localhost:{port}").rstrip("/")
    boot.setup()
    boot.migrate()
    command = [sys.executable, "-m", "consentry.cli"]
    tree = ProcessTree(
        [
            *children,
            Child("web", [*command, "web", "--port", str(port), "--host", host]),
            *(Child(f"worker {number}", [*command, "worker"]) for number in range(1, workers + 1)),
        ]
    )
    tree.run(ready=lambda: answers(f"http://{host}:{port}/healthz"), on_ready=lambda: on_ready(address))


def answers(url: str) -> bool:
    """True when ``url`` (ours, on this machine) answers 200 right now."""
    try:
        with urlopen(url, timeout=1) as response:  # noqa: S310  # our own loopback address
            return bool(response.status == 200)
    except OSError:
        return False


@dataclass(slots=True)
class Child:
    """One watched process."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    next_start: float = 0.0


@dataclass(slots=True)
class ProcessTree:
    """Children that are started, restarted with back-off and stopped together."""

    children: list[Child]
    _stopping: bool = field(default=False, init=False)

    def run(self, *, ready: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Watch until SIGINT or SIGTERM, then stop every child."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        parent.die_with_it()
        announced = False
        last_database_check = time.monotonic()
        try:
            while not self._stopping:
                for child in self.children:
                    self._watch(child)
                if not announced and ready():
                    announced = True
                    on_ready()
                if time.monotonic() - last_database_check > 5:
                    last_database_check = time.monotonic()
                    _mend_database()
                time.sleep(0.2)
        finally:
            self._stop()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _watch(self, child: Child) -> None:
        moment = time.monotonic()
        if child.process is not None and child.process.poll() is not None:
            code = child.process.returncode
            _signal_group(child.process, signal.SIGKILL)  # whatever it left behind
            child.process = None
            child.failures = 0 if moment - child.started_at > _HEALTHY_AFTER else child.failures + 1
            delay = min(_BACK_OFF_LONGEST, 0.5 * 2**child.failures)
            child.next_start = moment + delay
            say(f"The {child.name} process ended (exit code {code}); it starts again in {delay:.0f} s.")
        if child.process is None and moment >= child.next_start:
            child.started_at = moment
            child.process = subprocess.Popen(  # our own interpreter and module
                child.command,
                env={**os.environ, "CONSENTRY_SUPERVISED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what a child has to say to people goes to standard error
                start_new_session=True,
            )

    def _stop(self) -> None:
        running = [child.process for child in reversed(self.children) if child.process and child.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)


def _mend_database() -> None:
    if "CONSENTRY_DATABASE_URL" not in os.environ and database.embedded_server().ensure_running():
        say("The database server had stopped; it is running again.")


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass
