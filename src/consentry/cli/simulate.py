"""``consentry simulate microsoft``: the simulated Microsoft cloud alone."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from consentry.cli.parts import require_free_port
from consentry.core import parent
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.server import build_cloud, describe, serve


def register(root: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Doubles of vendors, for trying and testing.", no_args_is_help=True)

    @group.callback()
    def simulate() -> None:
        pass

    group.command()(microsoft)
    root.add_typer(group, name="simulate")


def microsoft(
    port: int = typer.Option(0, help="Port; 0 picks a free one."),
    plugins: int = typer.Option(400, help="Service principals that are not Microsoft's own."),
    users: int = typer.Option(1500, help="People of the tenant."),
    grants: int | None = typer.Option(None, help="Delegated grants; by default in proportion."),
    assignments: int | None = typer.Option(None, help="Application permissions; by default in proportion."),
    seed: int = typer.Option(1, help="The same seed makes the same tenant."),
    latency_ms: float = typer.Option(0.0, help="Wait per Graph request."),
    throttle_rate: float = typer.Option(0.0, help="Share of Graph requests answered with 429."),
    consent_delay: float = typer.Option(6.0, help="Seconds until a consent shows in tokens."),
    consented: bool = typer.Option(False, "--consented", help="The tenant has consented to every registration already."),
    healthy: bool = typer.Option(False, "--healthy", help="A tenant without the stories of attacks."),
    redirect_uri: list[str] = typer.Option([], help="Registered redirect address; may be repeated."),
    state_file: Path | None = typer.Option(None, help="Remember consents here over restarts."),
    only_describe: bool = typer.Option(False, "--describe", help="Print the description and exit."),
) -> None:
    """A Microsoft cloud on loopback. Prints its addresses, tenant id, client ids and secrets as JSON."""
    options = SimulatorOptions(
        port=port,
        plugins=plugins,
        users=users,
        grants=grants,
        assignments=assignments,
        seed=seed,
        latency_ms=latency_ms,
        throttle_rate=throttle_rate,
        consent_delay_seconds=consent_delay,
        consented=consented,
        healthy=healthy,
        state_file=state_file,
    )
    if only_describe:
        print(json.dumps(describe(build_cloud(options, redirect_uri or None), port)))
        return
    if port:
        require_free_port("127.0.0.1", port)
    parent.die_with_it()
    serve(options, on_ready=lambda description: print(json.dumps(description), flush=True), redirect_uris=redirect_uri or None)
