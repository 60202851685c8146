"""What the simulated cloud remembers: tenants, people, app registrations and their consents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


@dataclass(slots=True)
class Person:
    """Somebody who can sign in at the simulated sign-in page."""

    object_id: str
    upn: str
    display_name: str
    password: str
    is_admin: bool  # Global Administrator: may consent for the organisation
    tenant_id: str


@dataclass(slots=True)
class Registration:
    """An application registration of the product (tenant, reader or responder), consented to per tenant."""

    client_id: str
    display_name: str
    publisher: str
    redirect_uris: list[str]
    roles: list[str]  # Graph application permissions in requiredResourceAccess, by value
    secrets: dict[str, float] = field(default_factory=dict)  # secret text -> expiry, POSIX seconds
    certificates_pem: list[str] = field(default_factory=list)
    home_tenant_id: str | None = None
    multi_tenant: bool = True


@dataclass(slots=True)
class Consent:
    """Admin consent of one tenant to one registration."""

    tenant_id: str
    client_id: str
    granted_at: float  # POSIX seconds
    roles_visible_at: float  # tokens carry no roles before this moment: consent spreads slowly
    roles: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)  # of these, the roles that tokens carried before: they stay visible


@dataclass(slots=True)
class Tenant:
    """One Entra tenant. ``directory`` is the Graph side (``simulator.directory.Directory``)."""

    tenant_id: str
    display_name: str
    domains: list[str]  # first is the default domain
    people: list[Person]  # who can sign in; a handful
    directory: Any


@dataclass(slots=True)
class Cloud:
    """Everything the server answers from."""

    tenants: dict[str, Tenant] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    consents: dict[tuple[str, str], Consent] = field(default_factory=dict)  # (tenant_id, client_id)

    def find_tenant(self, name: str) -> Tenant | None:
        """The tenant with this id or domain, or None."""
        wanted = name.lower()
        for tenant in self.tenants.values():
            if wanted == tenant.tenant_id or wanted in tenant.domains:
                return tenant
        return None
