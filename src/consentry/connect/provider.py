"""What a vendor's code offers to the connect room, and the words they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from consentry.core.errors import ConsentryError
from consentry.core.secrets import Secret


class WaitForConsent(ConsentryError):
    """The consent is not there yet: it may still be spreading."""


@dataclass(frozen=True, slots=True)
class Registration:
    """An app registration of ours, opened. Its repr shows no secret."""

    role: str
    client_id: str
    secret: Secret | None = None
    certificate_pem: str = ""
    private_key: Secret | None = None
    tenant_hint: str = ""
    from_environment: bool = False


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What a consent redirect says. ``claimed_tenant`` is a claim: it is tried and never trusted."""

    accepted: bool
    claimed_tenant: UUID | None = None
    code: str = ""
    what: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CapabilityResult:
    """The state of one capability: granted, missing, unlicensed or unavailable."""

    name: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TenantProof:
    """A tenant that answered to a token of its own."""

    tenant_id: UUID
    name: str
    default_domain: str
    domains: list[str]
    licence: dict[str, Any] = field(default_factory=dict)


class Provider(Protocol):
    """One vendor. Every method may raise ``ConsentryError`` in a person's words."""

    def consent_url(self, registration: Registration, *, tenant: str, redirect_uri: str, state: str) -> str:
        """Where a browser goes to consent."""

    def read_answer(self, parameters: Mapping[str, str]) -> ConsentAnswer:
        """Read a consent redirect's query string."""

    def prove_tenant(self, registration: Registration, tenant: str) -> TenantProof:
        """Take a token for the tenant and ask who it is. Raises ``WaitForConsent`` while consent spreads."""

    def probe(self, registration: Registration, tenant: str) -> list[CapabilityResult]:
        """One cheap call per capability. Raises ``WaitForConsent`` while consent spreads."""

    def check_registration(self, registration: Registration, tenant: str | None) -> list[str]:
        """What is wrong with a registration, a sentence each; empty when nothing was found."""


LoadProvider = Callable[[], Provider]
