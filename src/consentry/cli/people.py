"""``consentry user add`` and ``consentry token create``."""

from __future__ import annotations

import json
from enum import StrEnum

import typer

from consentry.accounts import services
from consentry.cli import say

ACTOR = "command line"


class Role(StrEnum):
    """``accounts.models.Role``, as a choice of the command line."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    ANALYST = "analyst"
    VIEWER = "viewer"


def register(root: typer.Typer) -> None:
    """Add the commands."""
    user = typer.Typer(help="People.", no_args_is_help=True)
    user.callback()(_nothing)
    user.command()(add)
    root.add_typer(user, name="user")
    token = typer.Typer(help="API tokens.", no_args_is_help=True)
    token.callback()(_nothing)
    token.command()(create)
    root.add_typer(token, name="token")


def _nothing() -> None:
    pass


def add(
    email: str = typer.Argument(help="Address to sign in with."),
    role: Role = typer.Option(help="What they may do."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Add somebody; prints the password to hand over."""
    person, password = services.add_person(services.default_account(), email, role=role.value, actor=ACTOR)
    if as_json:
        print(json.dumps({"id": str(person.pk), "email": person.email, "role": person.role, "password": password}))
    else:
        say(f"{person.email} ({person.role}) may sign in with the password {password}")


def create(
    name: str = typer.Option(help="What it is for."),
    role: Role = typer.Option(help="What they may do."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Make an API token; it is shown this once."""
    token, text = services.create_token(services.default_account(), name=name, role=role.value, actor=ACTOR)
    if as_json:
        print(json.dumps({"token": text, "id": str(token.pk)}))
    else:
        print(text)
