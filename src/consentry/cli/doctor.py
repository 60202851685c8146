"""``consentry doctor``: finds what a person can get wrong before it hurts, and says how to mend it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import typer

from consentry.connect.provider import Registration
from consentry.core import boot, database, paths, secrets
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.hostile import display_text
from consentry.core.secrets import Secret
from consentry.providers.entra.clouds import cloud
from consentry.providers.entra.provider import EntraProvider

_LEAST_FREE_BYTES = 512 * 1024 * 1024
_MOST_SKEW = timedelta(minutes=4)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; ``state`` is ok, warning or error."""

    check: str
    state: str
    what: str
    remedy: str = ""


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(doctor)


def doctor(
    tenant: str | None = typer.Option(None, help="Tenant id or domain: try the environment's registrations there."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output."),
) -> None:
    """Check everything a person can get wrong. Exit code 1 when something must be mended."""
    findings = [_guarded(name, check) for name, check in CHECKS.items()]
    findings += _registrations(tenant)
    if not any(finding.state == "error" and finding.check in {"data folder", "key file", "database"} for finding in findings):
        findings += _guarded_list("tables", _tables)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(display_text(f"{finding.state:8}{finding.check:20}{finding.what} {finding.remedy}".rstrip()))
    raise typer.Exit(1 if any(finding.state == "error" for finding in findings) else 0)


def _guarded_list(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except ConsentryError as error:
        return [Finding(name, "error", error.what, f"{error.remedy} [{error.code}]")]


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ConsentryError as error:
        return Finding(name, "error", error.what, f"{error.remedy} [{error.code}]")


def _python() -> Finding:
    return Finding("python", "ok", f"Python {sys.version.split()[0]}")


def _data_folder() -> Finding:
    folder = paths.data_dir()
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        return Finding("data folder", "error", f"{folder} has {free // 1_000_000} MB left.", "Free some space.")
    return Finding("data folder", "ok", f"{folder} can be written to; {free // 1_000_000_000} GB free")


def _key_file() -> Finding:
    count = len(secrets.keys())
    return Finding("key file", "ok", f"{secrets.key_file()} holds {count} {'key' if count == 1 else 'keys'}")


def _database() -> Finding:
    version = database.check(database.database_url())
    return Finding("database", "ok", f"PostgreSQL {version // 10000} answers")


def _base_url() -> Finding:
    text = os.environ.get("CONSENTRY_BASE_URL", "http://localhost:8000")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return Finding(
            "base address",
            "error",
            f"CONSENTRY_BASE_URL is {text}, which is no address.",
            "Give scheme and host, such as https://consentry.example.com.",
        )
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1"}:
        return Finding(
            "base address", "error", f"{text} is plain http.", "Microsoft sends browsers back to https addresses only, but for localhost."
        )
    return Finding("base address", "ok", f"{text}; register {text.rstrip('/')}/connect/microsoft/return as redirect address")


def _port() -> Finding:
    parts = urlsplit(os.environ.get("CONSENTRY_BASE_URL", "http://localhost:8000"))
    if parts.hostname not in {"localhost", "127.0.0.1"}:
        return Finding("port", "ok", "the console is behind another address; 'consentry up --port' says which one it takes")
    port = parts.port or 80
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)):
            return Finding("port", "ok", f"port {port} is free")
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as response:
            if response.read(8) == b"ok\n":
                return Finding("port", "ok", f"Consentry answers on port {port}")
    except (OSError, ValueError):
        pass
    return Finding("port", "error", f"Port {port} is taken by another program.", "Stop it, or start Consentry with another --port.")


def _registrations(tenant: str | None) -> list[Finding]:
    # what the environment gives; registrations entered under Administration have a check button there
    found = []
    for role, prefix in (("reader", ""), ("tenant", "TENANT_"), ("responder", "RESPONDER_")):
        name = f"CONSENTRY_MICROSOFT_{prefix}"
        if os.environ.get(f"{name}CLIENT_ID"):
            found += _guarded_list(role, lambda role=role, name=name: [_registration(role, name, tenant)])  # type: ignore[misc]
    return found or [Finding("registration", "ok", "none in the environment; enter one under Administration > Registrations")]


def _registration(role: str, prefix: str, tenant: str | None) -> Finding:
    secret = os.environ.get(f"{prefix}CLIENT_SECRET")
    certificate = os.environ.get(f"{prefix}CERTIFICATE_FILE")
    key = os.environ.get(f"{prefix}PRIVATE_KEY_FILE") or certificate
    try:
        registration = Registration(
            role=role,
            client_id=os.environ[f"{prefix}CLIENT_ID"].strip(),
            secret=Secret(secret) if secret else None,
            certificate_pem=_text(certificate) if certificate else "",
            private_key=Secret(_text(key)) if key else None,
        )
    except OSError as error:
        return Finding(role, "error", f"The file {error.filename} can't be read.", "Check the path and its permissions.")
    problems = EntraProvider().check_registration(registration, tenant)
    if problems:
        return Finding(role, "error", problems[0], f"Correct the {prefix} variables.")
    return Finding(role, "ok", f"registration {registration.client_id}{' is accepted by the tenant' if tenant else ''}")


def _tables() -> list[Finding]:
    boot.setup()
    health = importlib.import_module("consentry.connect.health")  # needs Django, which was configured just now
    if boot.tables_missing():
        return [Finding("tables", "ok", "none yet; the first start makes them")]
    boot.ensure_tables()
    found = [Finding("tables", "ok", "are of this version")]
    for name, problems in health.check_connectors():
        what = problems[0] if problems else "the tenant accepts the registration"
        found.append(Finding(f"connector {name}", "error" if problems else "ok", what))
    return found


def _text(path: str) -> str:
    with open(os.path.expanduser(path)) as file:  # noqa: PTH111  # the error keeps the name as it was typed
        return file.read()


def _microsoft() -> Finding:
    place = cloud()
    asked = time.monotonic()
    try:
        with urlopen(f"{place.login_url}/common/v2.0/.well-known/openid-configuration", timeout=4) as response:  # noqa: S310  # checked by cloud()
            date = response.headers.get("Date")
    except HTTPError as error:
        date = error.headers.get("Date")
    except OSError as error:
        reason = getattr(error, "reason", error)
        return Finding(
            "Microsoft",
            "warning",
            f"{place.login_url} can't be reached ({reason}).",
            "Check the network and the proxy before connecting a tenant.",
        )
    if date:
        skew = abs(parsedate_to_datetime(date) - now())
        if skew > _MOST_SKEW + timedelta(seconds=time.monotonic() - asked):
            return Finding(
                "Microsoft",
                "error",
                f"This machine's clock is {int(skew.total_seconds())} s off.",
                "Set it (use network time): Microsoft refuses signed requests.",
            )
    return Finding("Microsoft", "ok", f"{place.login_url} answers")


CHECKS: dict[str, Callable[[], Finding]] = {
    "python": _python,
    "data folder": _data_folder,
    "key file": _key_file,
    "database": _database,
    "base address": _base_url,
    "port": _port,
    "Microsoft": _microsoft,
}
