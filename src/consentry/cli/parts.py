"""``consentry web``, ``worker`` and ``migrate``: the parts of ``up``, for several machines."""

from __future__ import annotations

import os
import socket
import sys

import typer

from consentry.core import boot, parent
from consentry.core import worker as work
from consentry.core.errors import ConsentryError


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command()(web)
    root.command()(worker)
    root.command()(migrate)


def web(
    port: int = typer.Option(8000, help="Port to listen on."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; a reverse proxy with TLS belongs in front of any other."),
    workers: int = typer.Option(1, help="Server processes."),
) -> None:
    """Serve the console."""
    require_free_port(host, port)
    parent.die_with_it()
    boot.setup()
    # granian starts processes of its own, which must find the same interpreter and the same settings
    os.execv(  # noqa: S606  # no shell, fixed arguments
        sys.executable,
        [
            sys.executable,
            "-m",
            "granian",
            "--interface=wsgi",
            f"--host={host}",
            f"--port={port}",
            f"--workers={workers}",
            "--blocking-threads=8",
            "--no-ws",
            "--log-level=warning",
            "--respawn-failed-workers",
            "consentry.core.wsgi:application",
        ],
    )


def worker(concurrency: int = typer.Option(4, help="Syncs run side by side, and as many other jobs.")) -> None:
    """Run queued jobs: syncs, verifications, scoring, schedules. Start as many as you like, on any machine."""
    parent.die_with_it()
    boot.setup()
    work.run(concurrency)


def migrate() -> None:
    """Bring the database's tables up to this version."""
    boot.setup()
    boot.migrate()


def require_free_port(host: str, port: int) -> None:
    """Raise ``ConsentryError`` when somebody listens there already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConsentryError(
                "port_taken", f"Port {port} is taken by another program.", "Stop that one or choose another with --port."
            ) from error
