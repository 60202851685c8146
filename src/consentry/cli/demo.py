"""``consentry demo``: the console with a simulated Microsoft cloud and a demo account."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import typer

from consentry.cli import say
from consentry.cli.up import Child, run
from consentry.core import paths
from consentry.core.errors import ConsentryError

EMAIL = "owner@demo.example"
RETURN_PATH = "/connect/microsoft/return"


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(demo)


def demo(
    port: int = typer.Option(8000, help="Port of the console."),
    plugins: int = typer.Option(400, help="Service principals of the simulated tenant."),
    users: int = typer.Option(1500, help="People of the simulated tenant."),
    seed: int = typer.Option(1, help="The same seed makes the same tenant."),
) -> None:
    """Try everything without a Microsoft tenant. Starting again starts with the same data."""
    os.environ.setdefault("CONSENTRY_DATA_DIR", str(Path(".data") / "demo"))
    folder = paths.data_dir()
    settings = _remembered(folder / "demo.json", plugins=plugins, users=users, seed=seed)
    simulator = [
        *(sys.executable, "-m", "consentry.cli", "simulate", "microsoft"),
        *("--port", str(settings["microsoft_port"]), "--plugins", str(settings["plugins"]), "--users", str(settings["users"])),
        *("--seed", str(settings["seed"]), "--redirect-uri", f"http://localhost:{port}{RETURN_PATH}"),
        *("--state-file", str(folder / "microsoft.json")),
    ]
    cloud = _describe(simulator)
    os.environ |= {
        "CONSENTRY_BASE_URL": f"http://localhost:{port}",
        "CONSENTRY_MICROSOFT_LOGIN_URL": cloud["login_url"],
        "CONSENTRY_MICROSOFT_GRAPH_URL": cloud["graph_url"],
        "CONSENTRY_MICROSOFT_AZURE_URL": cloud["azure_url"],
        "CONSENTRY_MICROSOFT_CLIENT_ID": cloud["client_id"],
        "CONSENTRY_MICROSOFT_CLIENT_SECRET": cloud["client_secret"],
        "CONSENTRY_MICROSOFT_TENANT_CLIENT_ID": cloud["tenant_client_id"],
        "CONSENTRY_MICROSOFT_TENANT_CLIENT_SECRET": cloud["tenant_client_secret"],
    }

    def announce(address: str) -> None:
        accounts = importlib.import_module("consentry.accounts.services")  # needs Django, which run() has configured
        accounts.ensure_person(EMAIL, name="Demo owner", password=settings["password"])
        say("")
        say(f"  Consentry           {address}")
        say(f"  User                {EMAIL}")
        say(f"  Password            {settings['password']}")
        say("")
        say("  On the simulated Microsoft pages use")
        say(f"  Microsoft account   {cloud['admin']}")
        say(f"  Password            {cloud['password']}")
        say("")
        say("  Ctrl-C stops all of it.")

    run(port=port, host="127.0.0.1", workers=1, children=[Child("simulated Microsoft", simulator)], on_ready=announce)


def _remembered(file: Path, **fresh: Any) -> dict[str, Any]:
    if file.exists():
        settings: dict[str, Any] = json.loads(file.read_text())
        return settings
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings = {**fresh, "microsoft_port": probe.getsockname()[1], "password": secrets.token_urlsafe(9)}
    file.write_text(json.dumps(settings))
    return settings


def _describe(simulator: list[str]) -> dict[str, str]:
    """What the simulator will print when it is up: the same for the same seed and port."""
    asked = time.monotonic()
    done = subprocess.run([*simulator, "--describe"], capture_output=True, text=True, check=False)  # our own module
    if done.returncode:
        raise ConsentryError(
            "simulator_failed", f"The simulated Microsoft cloud did not start: {done.stderr.strip()}", "Run 'make demo-reset'."
        )
    description: dict[str, str] = json.loads(done.stdout)
    say(f"The simulated Microsoft tenant is made ({time.monotonic() - asked:.1f} s).")
    return description
