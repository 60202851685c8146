"""The provider protocol for Microsoft Entra ID."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from consentry.connect.provider import CapabilityResult, ConsentAnswer, Registration, TenantProof
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.providers.entra import licences
from consentry.providers.entra.clouds import MICROSOFT_TENANTS, cloud
from consentry.providers.entra.errors import Forbidden, MicrosoftError, NotYet, Reauthorise, Transient, Unlicensed, consent_error
from consentry.providers.entra.graph import GraphClient
from consentry.providers.entra.tokens import Tokens

_TRIES_WHILE_SOMEBODY_WAITS = 4
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
# capability -> a cheap call that needs its permission
PROBES = {
    "service_principals": "/v1.0/servicePrincipals?$select=id&$top=1",
    "applications": "/v1.0/applications?$select=id&$top=1",
    "delegated_grants": "/v1.0/oauth2PermissionGrants?$top=1",
    "principals": "/v1.0/users?$select=id&$top=1",
    "licences": "/v1.0/subscribedSkus",
    "policies": "/v1.0/policies/authorizationPolicy",
    "audit_events": "/v1.0/auditLogs/directoryAudits?$top=1",
    "sign_in_activity": "/beta/reports/servicePrincipalSignInActivities?$top=1",
    "publisher_tenants": f"/v1.0/tenantRelationships/findTenantInformationByTenantId(tenantId='{MICROSOFT_TENANTS[0]}')",
    "consent_requests": "/v1.0/identityGovernance/appConsent/appConsentRequests?$top=1",
    "risky_service_principals": "/v1.0/identityProtection/riskyServicePrincipals?$top=1",
}
REQUIRED = {"service_principals", "delegated_grants"}
_SLOW = {"audit_events", "sign_in_activity"}
T = TypeVar("T")


class _Domain(msgspec.Struct):
    name: str
    isDefault: bool = False  # Microsoft's spelling


class _Organization(msgspec.Struct):
    id: str
    displayName: str | None = None
    verifiedDomains: list[_Domain] | None = None


class _Organizations(msgspec.Struct):
    value: list[_Organization]


class EntraProvider:
    """Microsoft Entra ID behind ``connect.provider.Provider``."""

    def consent_url(self, registration: Registration, *, tenant: str, redirect_uri: str, state: str) -> str:
        """The v2 admin consent page. ``tenant`` is a GUID, a domain or ``organizations``.

        Source: learn.microsoft.com/entra/identity-platform/v2-admin-consent.
        """
        place = cloud()
        query = {"client_id": registration.client_id, "scope": f"{place.graph_url}/.default", "redirect_uri": redirect_uri, "state": state}
        return f"{place.login_url}/{tenant}/v2.0/adminconsent?{urlencode(query)}"

    def read_answer(self, parameters: Mapping[str, str]) -> ConsentAnswer:
        """``error`` is looked at first: ``admin_consent=True`` stands on refusals too."""
        error = parameters.get("error")
        if error or parameters.get("error_description"):
            code, what, remedy = consent_error(error or "", parameters.get("error_subcode", ""), parameters.get("error_description", ""))
            return ConsentAnswer(False, None, code, what, remedy)
        tenant = parameters.get("tenant", "")
        if parameters.get("admin_consent", "").lower() != "true" or not _GUID.match(tenant):
            return ConsentAnswer(False, None, "consent_incomplete", "Microsoft's answer was incomplete.", "Try again.")
        return ConsentAnswer(True, uuid.UUID(tenant))

    def prove_tenant(self, registration: Registration, tenant: str) -> TenantProof:
        """A token for the tenant, ``/organization`` and the licences. The id it answers must be the one that was asked for."""
        return _run(self._prove(registration, tenant))

    async def _prove(self, registration: Registration, tenant: str) -> TenantProof:
        async with self._client(registration, tenant) as graph:
            try:
                found = msgspec.json.decode(await graph.get("/v1.0/organization"), type=_Organizations).value
            except Forbidden as error:
                raise _not_spread(error) from error
            if not found:
                raise _not_spread(None)
            organization = found[0]
            proven = uuid.UUID(organization.id)
            if _GUID.match(tenant) and proven != uuid.UUID(tenant):
                raise Reauthorise(
                    "tenant_mismatch", "Microsoft answered for another tenant than the one asked for.", "Try again with the right account."
                )
            domains = organization.verifiedDomains or []
            default = next((domain.name for domain in domains if domain.isDefault), domains[0].name if domains else "")
            return TenantProof(
                proven, organization.displayName or "", default, [domain.name for domain in domains], await self._licence(graph)
            )

    async def _licence(self, graph: GraphClient) -> dict[str, Any]:
        try:
            return licences.check(await graph.get("/v1.0/subscribedSkus"), now())
        except MicrosoftError as error:
            return {"m365_e3": None, "reason": error.what, "checked_at": now().isoformat()}

    def probe(self, registration: Registration, tenant: str) -> list[CapabilityResult]:
        """Ask once per capability. Service principals and grants must answer, or the consent has not spread."""
        return _run(self._probe(registration, tenant))

    async def _probe(self, registration: Registration, tenant: str) -> list[CapabilityResult]:
        async with self._client(registration, tenant) as graph:
            return list(await asyncio.gather(*(self._probe_one(graph, name, path) for name, path in PROBES.items())))

    async def _probe_one(self, graph: GraphClient, name: str, path: str) -> CapabilityResult:
        try:
            await graph.get(path, slow=name in _SLOW)
        except Unlicensed as error:
            return CapabilityResult(name, "unlicensed", error.what)
        except Forbidden as error:
            if name in REQUIRED:
                raise _not_spread(error) from error
            return CapabilityResult(name, "missing", f"{error.what} {error.remedy}")
        except (Reauthorise, Transient) as error:
            if name in REQUIRED:
                raise
            return CapabilityResult(name, "unavailable", error.what)
        except MicrosoftError as error:
            return CapabilityResult(name, "unavailable", error.what)
        return CapabilityResult(name, "granted")

    def check_registration(self, registration: Registration, tenant: str | None) -> list[str]:
        """Format first; with a known tenant also a real token."""
        findings = []
        if not _GUID.match(registration.client_id):
            findings.append("The client id is not a GUID: copy the Application (client) ID from Entra.")
        if registration.private_key or registration.certificate_pem:
            findings += _check_certificate(registration)
        elif not registration.secret:
            findings.append("There is neither a client secret nor a certificate with its private key.")
        if not findings and tenant:
            try:
                Tokens(cloud(), registration, tenant).get()
            except NotYet:
                pass  # the credentials were accepted; consent is the next step
            except ConsentryError as error:
                findings.append(f"{error.what} {error.remedy} [{error.code}]")
        return findings

    def _client(self, registration: Registration, tenant: str) -> GraphClient:
        place = cloud()
        if registration.certificate_pem:
            problems = _check_certificate(registration)
            if problems:
                raise Reauthorise("certificate_unusable", problems[0], "Enter another one under Administration > Registrations.")
        return GraphClient(place, Tokens(place, registration, tenant).get_async, priority="normal", most_tries=_TRIES_WHILE_SOMEBODY_WAITS)


def _not_spread(error: MicrosoftError | None) -> NotYet:
    return NotYet(
        error.code if error else "consent_spreading",
        "Microsoft accepted the consent but does not grant the permissions yet.",
        "It usually takes seconds to a few minutes; if it stays, check the app's API permissions in Entra.",
        request_id=error.request_id if error else "",
    )


def _check_certificate(registration: Registration) -> list[str]:
    try:
        certificate = x509.load_pem_x509_certificate(registration.certificate_pem.encode())
    except ValueError:
        return ["The certificate is not PEM text that starts with -----BEGIN CERTIFICATE-----."]
    if certificate.not_valid_after_utc < now():
        return [f"The certificate expired on {certificate.not_valid_after_utc:%d %B %Y}: register a new one."]
    try:
        key = load_pem_private_key(str.__str__(registration.private_key or "").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ["The private key is not unencrypted PEM text."]

    def public(thing: Any) -> bytes:
        encoded: bytes = thing.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return encoded

    return [] if public(key) == public(certificate) else ["The private key does not belong to the certificate."]


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
