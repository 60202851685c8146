"""``consentry licence``: the account's CASB entitlement."""

from __future__ import annotations

import json
from datetime import datetime

import typer

from consentry.accounts import services
from consentry.cli import say
from consentry.core.errors import ConsentryError

ACTOR = "command line"


def register(root: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The account's licence.", no_args_is_help=True)
    group.command()(show)
    group.command()(grant)
    group.command()(revoke)
    root.add_typer(group, name="licence")


def show(
    account: str | None = typer.Option(None, help="Account, by its short name."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Show the entitlement."""
    found = services.account_named(account)
    held, active = services.casb(found), services.has_casb(found)
    until = held.until.isoformat() if held and held.until else None
    if as_json:
        print(json.dumps({"account": found.slug, "casb": active, "until": until}))
    else:
        print(f"{found.slug}: CASB {'granted' + (f' until {until}' if until else '') if active else 'not granted'}")


def grant(
    feature: str = typer.Argument(help="casb"),
    until: datetime | None = typer.Option(None, formats=["%Y-%m-%d"], help="Last day; without it there is no end."),
    account: str | None = typer.Option(None, help="Account, by its short name."),
) -> None:
    """Grant CASB."""
    _known(feature)
    found = services.account_named(account)
    services.grant_casb(found, until=until.date() if until else None, actor=ACTOR)
    say(f"CASB is granted to {found.slug}.")


def revoke(
    feature: str = typer.Argument(help="casb"), account: str | None = typer.Option(None, help="Account, by its short name.")
) -> None:
    """Take CASB away: nothing is collected any more."""
    _known(feature)
    found = services.account_named(account)
    services.revoke_casb(found, actor=ACTOR)
    say(f"CASB is taken from {found.slug}.")


def _known(feature: str) -> None:
    if feature != services.CASB:
        raise ConsentryError("feature_unknown", f"There is no licence called {feature}.", "The licence is called casb.")
