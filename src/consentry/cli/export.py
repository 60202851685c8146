"""``consentry export``: the same rows as the page and the API, uncapped and streamed."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

import typer

from consentry.accounts import services as accounts
from consentry.cli.connect import find_connector
from consentry.inventory import plugin_data
from consentry.policy import queries as alerts
from consentry.reports import writers


class Kind(StrEnum):
    PLUGINS = "plugins"
    GRANTS = "grants"
    PERMISSIONS = "permissions"
    PRINCIPALS = "principals"
    CHANGES = "changes"
    ALERTS = "alerts"


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(export)


def export(
    kind: Kind = typer.Argument(help="What to write."),
    connector: str | None = typer.Option(None, help="Only this connector."),
    form: Format = typer.Option(Format.CSV, "--format", help="Format."),
    output: Path | None = typer.Option(None, "-o", "--output", help="File to write; standard output without it."),
    include_microsoft: bool = typer.Option(False, "--include-microsoft", help="Microsoft's own apps too."),
) -> None:
    """Write everything of a kind."""
    account = accounts.default_account()
    if connector is not None:
        account = find_connector(connector).account
    if kind is Kind.ALERTS:
        rows = alerts.rows(account.pk, connector=connector)
    else:
        rows = plugin_data.rows(kind.value, account.pk, connector=connector, include_microsoft=include_microsoft)
    if output is None:
        writers.write(sys.stdout.buffer, rows, form=form.value)
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".partial")
    with partial.open("wb") as target:
        writers.write(target, rows, form=form.value)
    partial.replace(output)
