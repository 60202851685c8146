"""``consentry doctor``: finds what a person can get wrong before it hurts, and says how to mend it."""

from __future__ import annotations

import json
import os
import shutil
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
from consentry.core import database, paths, secrets
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
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


def doctor(as_json: bool = typer.Option(False, "--json", help="One JSON document on standard output.")) -> None:
    """Check everything a person can get wrong. Exit code 1 when something must be mended."""
    findings = [_guarded(name, check) for name, check in CHECKS.items()]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.state:8}{finding.check:20}{finding.what} {finding.remedy}".rstrip())
    raise typer.Exit(1 if any(finding.state == "error" for finding in findings) else 0)


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


def _registrations() -> Finding:
    # what the environment gives; registrations entered under Administration have a check button there
    prefix = "CONSENTRY_MICROSOFT_"
    client_id = os.environ.get(f"{prefix}CLIENT_ID")
    if not client_id:
        return Finding("registration", "ok", "none in the environment; enter one under Administration > Registrations")
    secret = os.environ.get(f"{prefix}CLIENT_SECRET")
    certificate = os.environ.get(f"{prefix}CERTIFICATE_FILE")
    key = os.environ.get(f"{prefix}PRIVATE_KEY_FILE") or certificate
    try:
        registration = Registration(
            role="reader",
            client_id=client_id,
            secret=Secret(secret) if secret else None,
            certificate_pem=_text(certificate) if certificate else "",
            private_key=Secret(_text(key)) if key else None,
        )
    except OSError as error:
        return Finding("registration", "error", f"The file {error.filename} can't be read.", "Check the path and its permissions.")
    problems = EntraProvider().check_registration(registration, None)
    if problems:
        return Finding("registration", "error", problems[0], "Correct the CONSENTRY_MICROSOFT_ variables.")
    return Finding("registration", "ok", f"reader {client_id}")


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
    "registration": _registrations,
    "Microsoft": _microsoft,
}
