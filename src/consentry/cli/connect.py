"""``consentry connect microsoft`` and ``consentry integrate third-party-apps``: for people who automate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import typer

from consentry.accounts import services as accounts
from consentry.cli import say
from consentry.connect import services
from consentry.connect.models import Connector, Integration
from consentry.connect.provider import WaitForConsent
from consentry.core.errors import ConsentryError

T = TypeVar("T")
ACTOR = "command line"


def register(root: typer.Typer) -> None:
    """Add the commands."""
    connect = typer.Typer(help="Connect a tenant.", no_args_is_help=True)
    connect.callback()(_nothing)
    connect.command()(microsoft)
    root.add_typer(connect, name="connect")
    integrate = typer.Typer(help="Switch a capability on.", no_args_is_help=True)
    integrate.callback()(_nothing)
    integrate.command("third-party-apps")(third_party_apps)
    root.add_typer(integrate, name="integrate")


def _nothing() -> None:
    pass


def microsoft(
    name: str = typer.Option(help="Name of the connector."),
    tenant: str = typer.Option(help="Tenant id."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
    timeout: float = typer.Option(600.0, help="Seconds to wait for consent."),
) -> None:
    """Make an MS Tenant connector from a registration that the tenant has consented to already."""
    try:
        UUID(tenant)
    except ValueError as error:
        raise ConsentryError("tenant_invalid", f"{tenant} is not a tenant id.", "Give the tenant's GUID.") from error
    account = accounts.default_account()
    connector = wait(lambda: services.connect_by_credentials(account, name=name, tenant=tenant.lower(), actor=ACTOR), timeout)
    _show(_connector_data(connector), as_json, f"{connector.name} is connected to {connector.tenant_name} ({connector.tenant_id}).")


def third_party_apps(
    connector: str = typer.Option(help="Name of the connector."),
    description: str = typer.Option("", help="A note."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
    timeout: float = typer.Option(600.0, help="Seconds to wait for consent."),
) -> None:
    """Switch 3rd Party Apps on over a connector."""
    found = find_connector(connector)
    integration = wait(lambda: services.integrate_by_credentials(found, description=description, actor=ACTOR), timeout)
    _show(_integration_data(integration), as_json, f"3rd Party Apps is connected over {found.name}.")


def find_connector(name: str) -> Connector:
    """The connector of that name. Raises ``ConsentryError`` when there is none."""
    found = Connector.objects.filter(name=name).order_by("created_at").first()
    if found is None:
        raise ConsentryError("connector_unknown", f"There is no connector called {name}.", "Make it with 'consentry connect microsoft'.")
    return found


def wait(attempt: Callable[[], T], timeout: float) -> T:
    """Try until it works, a lasting failure comes, or ``timeout`` seconds are over: then the last reason is raised."""
    deadline = time.monotonic() + timeout
    pause = 2.0
    while True:
        try:
            return attempt()
        except WaitForConsent as error:
            if time.monotonic() + pause > deadline:
                raise
            say(f"Waiting for Microsoft: {error.what} [{error.code}]")
            time.sleep(pause)
            pause = min(30.0, pause * 1.6)


def _show(data: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    else:
        say(sentence)


def _connector_data(connector: Connector) -> dict[str, Any]:
    return {
        "id": str(connector.pk),
        "name": connector.name,
        "tenant_id": str(connector.tenant_id),
        "tenant_name": connector.tenant_name,
        "tenant_domains": connector.tenant_domains,
        "status": connector.status,
        "licence": connector.licence,
    }


def _integration_data(integration: Integration) -> dict[str, Any]:
    return {
        "id": str(integration.pk),
        "connector": integration.connector.name,
        "capability": integration.capability,
        "description": integration.description,
        "status": integration.status,
        "capabilities": {row.name: row.state for row in integration.connector.capabilities.order_by("name")},
    }
