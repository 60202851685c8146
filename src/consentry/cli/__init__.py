"""The command line: parse, call a service or a query, print.

Every command module has ``register(root)``. Only the module of the command that was typed is imported, so that
``consentry doctor`` and ``--help`` work where nothing else does.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from pathlib import Path

import typer

from consentry import __version__
from consentry.core import paths
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.hostile import display_text

COMMANDS = {
    "up": "consentry.cli.up",
    "demo": "consentry.cli.demo",
    "web": "consentry.cli.parts",
    "worker": "consentry.cli.parts",
    "migrate": "consentry.cli.parts",
    "doctor": "consentry.cli.doctor",
    "backup": "consentry.cli.backup",
    "restore": "consentry.cli.backup",
    "connect": "consentry.cli.connect",
    "integrate": "consentry.cli.connect",
    "sync": "consentry.cli.sync",
    "export": "consentry.cli.export",
    "user": "consentry.cli.people",
    "token": "consentry.cli.people",
    "licence": "consentry.cli.licence",
    "simulate": "consentry.cli.simulate",
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

    modules = {COMMANDS[command]} if command in COMMANDS else set(COMMANDS.values())
    for name in sorted(modules):
        importlib.import_module(name).register(root)
    return root


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
    except Exception as error:
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
