"""The product's three app registrations, and how Microsoft matches redirect addresses and resources.

Sources: learn.microsoft.com/entra/identity-platform/reply-url and v2-admin-consent.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from urllib.parse import urlsplit

from consentry.simulator.state import GRAPH_APP_ID, Cloud, Registration

DEFAULT_REDIRECT = "http://localhost:8000/connect/microsoft/return"
PUBLISHER = "consentry.example"
ROLES = {
    "tenant": ["Organization.Read.All"],
    "reader": [
        "Directory.Read.All",
        "AuditLog.Read.All",
        "Policy.Read.All",
        "ConsentRequest.Read.All",
        "CrossTenantInformation.ReadBasic.All",
    ],
    "responder": ["DelegatedPermissionGrant.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All"],
}
_SECRET_SECONDS = 365 * 24 * 3600
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


def make_registrations(seed: int, redirect_uris: list[str] | None = None) -> list[Registration]:
    """Tenant, reader and responder, in this order. Ids and secrets are the same for the same seed."""
    return [
        Registration(
            client_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"consentry {kind} {seed}")),
            display_name=f"Consentry {kind}",
            publisher=PUBLISHER,
            redirect_uris=list(redirect_uris or [DEFAULT_REDIRECT]),
            roles=list(roles),
            secrets={_secret(kind, seed): time.time() + _SECRET_SECONDS},
            home_tenant_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"consentry publisher {seed}")),
        )
        for kind, roles in ROLES.items()
    ]


def find_registration(cloud: Cloud, name: str) -> Registration | None:
    """The registration with this client id, or of this kind (``tenant``, ``reader``, ``responder``)."""
    for registration in cloud.registrations.values():
        if name in {registration.client_id, registration.display_name.removeprefix("Consentry ")}:
            return registration
    return None


def is_registered(registration: Registration, uri: str) -> bool:
    """Whether a redirect address matches exactly; the port of ``localhost`` and ``127.0.0.1`` is ignored, as Microsoft does."""
    wanted = _comparable(uri)
    return wanted is not None and wanted in {_comparable(known) for known in registration.redirect_uris}


def is_graph(resource: str, host: str) -> bool:
    """Whether a resource names Graph: its own address, its app id, or this server under ``host`` or any loopback address."""
    if resource.rstrip("/") in {"https://graph.microsoft.com", GRAPH_APP_ID}:
        return True
    try:
        name = urlsplit(resource).hostname
    except ValueError:
        return False
    return name is not None and (name in _LOOPBACK or name == urlsplit(f"//{host}").hostname)


def _comparable(uri: str) -> tuple[str, str, int | None, str, str] | None:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    local = host in _LOOPBACK
    if parts.fragment or not host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        return None
    return parts.scheme, host, None if local else port, parts.path, parts.query


def _secret(kind: str, seed: int) -> str:
    digest = hashlib.sha256(f"{kind} {seed}".encode()).hexdigest()
    return f"{digest[:3]}8Q~{digest[3:37]}"  # the shape that Entra's secrets have
