"""Where Microsoft is: its addresses, taken from the environment or those of the global cloud."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from consentry.core.errors import ConsentryError

GLOBAL_LOGIN, GLOBAL_GRAPH = "https://login.microsoftonline.com", "https://graph.microsoft.com"
GLOBAL_AZURE = "https://management.azure.com"
# Owner tenants that are Microsoft's: Microsoft Services, Microsoft corporate, Graph Command Line Tools, and one that EntraFalcon adds
MICROSOFT_TENANTS = (
    "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
    "72f988bf-86f1-41af-91ab-2d7cd011db47",
    "cdc5aeea-15c5-4db6-b079-fcadd2505dc2",
    "33e01921-4d64-4f8c-a055-5bdaffd5e33d",
)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses without a path, and an extra certificate authority for them. ``azure_url`` is None where Azure is not asked."""

    login_url: str
    graph_url: str
    ca_file: str | None
    azure_url: str | None = None

    @property
    def replaced_login(self) -> bool:
        """True for a proxy, a private endpoint or a double: its discovery document is not asked for."""
        return self.login_url != GLOBAL_LOGIN

    def azure(self) -> Cloud | None:
        """The same cloud with Azure Resource Manager in Graph's place, or None."""
        return replace(self, graph_url=self.azure_url) if self.azure_url else None


def cloud() -> Cloud:
    """The configured cloud. Raises ``ConsentryError`` for an address that is no origin or is plain http elsewhere than loopback."""
    graph = _origin("CONSENTRY_MICROSOFT_GRAPH_URL", GLOBAL_GRAPH)
    azure = None
    if graph == GLOBAL_GRAPH or os.environ.get("CONSENTRY_MICROSOFT_AZURE_URL"):  # a double's tenant is none of the real Azure's business
        azure = _origin("CONSENTRY_MICROSOFT_AZURE_URL", GLOBAL_AZURE)
    login = _origin("CONSENTRY_MICROSOFT_LOGIN_URL", GLOBAL_LOGIN)
    return Cloud(login, graph, os.environ.get("CONSENTRY_MICROSOFT_CA_FILE") or None, azure)


def _origin(name: str, default: str) -> str:
    text = (os.environ.get(name) or default).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
        raise ConsentryError(
            "address_invalid", f"{name} is not an address such as {default}.", "Give scheme and host only, without a path."
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConsentryError("address_insecure", f"{name} is plain http.", "Use https; http is accepted for loopback addresses only.")
    return text
