"""The token endpoint: client credentials by secret or certificate, errors with Microsoft's codes, tokens without roles.

Sources: learn.microsoft.com/entra/identity-platform, v2-oauth2-client-creds-grant-flow, certificate-credentials, reference-error-codes.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from consentry.simulator.collections import Access
from consentry.simulator.errors import GraphError
from consentry.simulator.state import Cloud, Registration

LIFETIME_SECONDS = 3599
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.text, self.status = error, number, text, status

    def body(self) -> dict[str, Any]:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }


class Tokens:
    """Issues and checks the cloud's tokens."""

    def __init__(self, cloud: Cloud, signing_key: bytes) -> None:
        self.cloud = cloud
        self.key = signing_key

    async def token(self, request: web.Request) -> web.Response:
        """``POST /{tenant}/oauth2/v2.0/token``."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return web.json_response(self.issue(request.match_info["tenant"], form, str(request.url.origin())))
        except TokenError as error:
            return web.json_response(error.body(), status=error.status)

    def issue(self, tenant_name: str, form: dict[str, str], origin: str) -> dict[str, Any]:
        """The token answer. Raises ``TokenError``."""
        if tenant_name in {"common", "consumers"}:
            raise TokenError("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints.")
        tenant = self.cloud.find_tenant(tenant_name)
        if tenant is None:
            raise TokenError("invalid_request", 90002, f"Tenant '{tenant_name}' not found. Check to make sure you have the correct tenant ID.")
        if form.get("grant_type") != "client_credentials":
            raise TokenError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client_id = form.get("client_id", "")
        registration = self.cloud.registrations.get(client_id)
        consent = self.cloud.consents.get((tenant.tenant_id, client_id))
        if registration is None or consent is None:
            raise TokenError(
                "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found in the directory '{tenant.display_name}'."
            )
        self._authenticate(registration, form, f"{origin}/{tenant_name}/oauth2/v2.0/token")
        scope = form.get("scope", "")
        if not scope.endswith("/.default"):
            raise TokenError("invalid_scope", 1002012, f"The provided value for scope {scope} is not valid.")
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": scope.removesuffix("/.default"),
            "iss": f"https://sts.windows.net/{tenant.tenant_id}/",
            "iat": now,
            "nbf": now - 300,
            "exp": now + LIFETIME_SECONDS,
            "appid": client_id,
            "tid": tenant.tenant_id,
            "idtyp": "app",
        }
        if time.time() >= consent.roles_visible_at and consent.roles:
            claims["roles"] = consent.roles
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": jwt.encode(claims, self.key, algorithm="HS256"),
        }

    def access(self, request: web.Request) -> Access:
        """Who a Graph request comes from. Raises ``GraphError`` 401."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(text if scheme == "Bearer" else "", self.key, algorithms=["HS256"], options={"verify_aud": False})
        except jwt.PyJWTError as error:
            raise GraphError(
                401, "InvalidAuthenticationToken", "Access token validation failure.", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            ) from error
        return Access(self.cloud.tenants[claims["tid"]], claims["appid"], frozenset(claims.get("roles", [])))

    def _authenticate(self, registration: Registration, form: dict[str, str], endpoint: str) -> None:
        if form.get("client_assertion_type") == _ASSERTION:
            self._check_assertion(registration, form.get("client_assertion", ""), endpoint)
            return
        expires = registration.secrets.get(form.get("client_secret", ""))
        if expires is None:
            raise TokenError(
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                f"not the client secret ID, for a secret added to app '{registration.client_id}'.",
                401,
            )
        if expires < time.time():
            raise TokenError("invalid_client", 7000222, f"The provided client secret keys for app '{registration.client_id}' are expired.", 401)

    def _check_assertion(self, registration: Registration, assertion: str, endpoint: str) -> None:
        refusal = TokenError(
            "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application.", 401
        )
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError as error:
            raise TokenError("invalid_client", 50027, "JWT token is invalid or malformed.", 401) from error
        for pem in registration.certificates_pem:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            prints = {_thumbprint(certificate.fingerprint(hashes.SHA256())), _thumbprint(certificate.fingerprint(hashes.SHA1()))}  # noqa: S303  # x5t
            if header.get("x5t#S256", header.get("x5t")) not in prints:
                continue
            try:
                claims = jwt.decode(assertion, certificate.public_key(), algorithms=["PS256", "RS256"], options={"verify_aud": False})  # type: ignore[arg-type]
            except jwt.ExpiredSignatureError as error:
                raise TokenError("invalid_client", 700024, "Client assertion is not within its valid time range.", 401) from error
            except jwt.PyJWTError as error:
                raise refusal from error
            if claims.get("iss") != registration.client_id or claims.get("sub") != registration.client_id or not claims.get("jti"):
                raise refusal
            if str(claims.get("aud", "")).split("://")[-1] != endpoint.split("://")[-1]:
                raise TokenError("invalid_client", 700023, "Client assertion audience claim does not match Realm issuer.", 401)
            return
        raise refusal


def _thumbprint(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signing_key(seed: int) -> bytes:
    """A key that stays the same over restarts, so that tokens outlive them."""
    return hashlib.sha256(f"consentry simulator {seed}".encode()).digest()
