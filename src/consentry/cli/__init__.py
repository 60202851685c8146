"""The command line: parse, call a service or a query, print.

Every command module has ``register(root)``. Only the module of the command that was typed is imported, so that
``consentry doctor`` and ``--help`` work where nothing else does. Modules that use tables are imported after Django is configured.
"""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer

from consentry import __version__
from consentry.core import boot, paths
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.hostile import display_text
from consentry.flow import wire


class Command(NamedTuple):
    """Where a command lives, its line in ``--help``, and whether its module needs Django to be configured."""

    module: str
    help: str
    needs_django: bool = True


COMMANDS = {
    "up": Command("consentry.cli.up", "Run the whole console: database, migrations, web, workers and scheduler.", needs_django=False),
    "demo": Command("consentry.cli.demo", "Try everything without a Microsoft tenant.", needs_django=False),
    "connect": Command("consentry.cli.connect", "Connect a tenant that has consented already."),
    "integrate": Command("consentry.cli.connect", "Switch a capability on over a connector."),
    "sync": Command("consentry.cli.sync", "Read a tenant now."),
    "export": Command("consentry.cli.export", "Write plugins, grants and more as CSV, JSON or XLSX."),
    "user": Command("consentry.cli.people", "Add people."),
    "token": Command("consentry.cli.people", "Make API tokens."),
    "licence": Command("consentry.cli.licence", "Show, grant or revoke the account's CASB licence."),
    "doctor": Command("consentry.cli.doctor", "Check everything a person can get wrong.", needs_django=False),
    "web": Command("consentry.cli.parts", "Serve the console.", needs_django=False),
    "worker": Command("consentry.cli.parts", "Run queued jobs.", needs_django=False),
    "migrate": Command("consentry.cli.parts", "Bring the database's tables up to this version.", needs_django=False),
    "backup": Command("consentry.cli.backup", "Write the database to a file.", needs_django=False),
    "restore": Command("consentry.cli.backup", "Replace the database by a backup.", needs_django=False),
    "simulate": Command("consentry.cli.simulate", "Doubles of vendors, for trying and testing.", needs_django=False),
}
DONE, FAILED, WRONG_USE, INCOMPLETE = 0, 1, 2, 3


def build(command: str | None) -> typer.Typer:
    """The application with the one command, or with all of them for ``--help`` and unknown words."""
    root = typer.Typer(
        name="consentry",
        help="See, judge and remove other people's apps inside your Microsoft 365.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @root.callback(invoke_without_command=True)
    def version(show: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if show:
            typer.echo(__version__)
            raise typer.Exit(DONE)

    if command not in COMMANDS:
        for name, entry in COMMANDS.items():
            root.command(name, help=entry.help)(_listed_only)
        return root
    if COMMANDS[command].needs_django:
        asks_for_help = "--help" in sys.argv
        boot.setup(asks_for_help=asks_for_help)
        wire()
        if not asks_for_help:
            boot.ensure_tables()
    importlib.import_module(COMMANDS[command].module).register(root)
    return root


def _listed_only() -> None:
    """A line of ``--help``; the real command is imported when it is typed first."""


def say(message: str) -> None:
    """One line for the person, on standard error, so that standard output stays data."""
    print(display_text(message), file=sys.stderr, flush=True)


def main() -> None:
    """Run the command; expected failures end in two sentences and a code, unexpected ones in a log entry."""
    arguments = sys.argv[1:]
    command = arguments[0] if arguments else None
    try:
        build(command)(args=arguments)
    except ConsentryError as error:
        say(f"{error.what}\n{error.remedy}".replace("\n", " "))
        say(f"Code: {error.code}")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            _report(error)
        say("The disk is full. Free some space, then run the command again.")
        say("Code: disk_full")
        sys.exit(FAILED)
    except Exception as error:
        _report(error)


def _report(error: Exception) -> NoReturn:
    say(f"Something unexpected went wrong ({type(error).__name__}).")
    say(f"Please report it with the last entry of {_log_failure()}. Code: unexpected")
    sys.exit(FAILED)


def _log_failure() -> Path | str:
    try:
        log = paths.data_dir() / "errors.log"
        with log.open("a") as file:
            file.write(f"{now().isoformat()} consentry {__version__} {' '.join(sys.argv[1:2])}\n{traceback.format_exc()}\n")
    except (ConsentryError, OSError):
        logging.getLogger(__name__).exception("unexpected failure")
        return "the output above"
    return log
