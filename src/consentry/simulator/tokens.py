"""The token endpoint: client credentials by secret or certificate, errors with Microsoft's codes, tokens without roles.

Sources: learn.microsoft.com/entra/identity-platform, v2-oauth2-client-creds-grant-flow and reference-error-codes.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web

from consentry.simulator import assertions, enterprise_apps
from consentry.simulator.collections import Access
from consentry.simulator.errors import GraphError
from consentry.simulator.registrations import is_graph
from consentry.simulator.state import Cloud, Registration, Tenant

LIFETIME_SECONDS = 3599
AZURE = ("https://management.azure.com", "https://management.core.windows.net")


class TokenError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.text, self.status = error, number, text, status

    def response(self, correlation: str | None = None) -> web.Response:
        """The answer in the form that reference-error-codes documents."""
        trace, correlation = str(uuid.uuid4()), correlation or str(uuid.uuid4())
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        body = {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}",
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }
        headers = {"Cache-Control": "no-store", "x-ms-request-id": trace}
        if self.status in {429, 503}:
            headers["Retry-After"] = "1"
        return web.json_response(body, status=self.status, headers=headers)


class Tokens:
    """Issues and checks the cloud's tokens. ``forced`` holds errors that the next requests get, first one first."""

    def __init__(self, cloud: Cloud, signing_key: bytes) -> None:
        self.cloud = cloud
        self.key = signing_key
        self.forced: list[TokenError] = []

    async def token(self, request: web.Request) -> web.Response:
        """``POST /{tenant}/oauth2/v2.0/token``."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            if self.forced:
                raise self.forced.pop(0)
            answer = self.issue(request.match_info["tenant"], form, request.host)
        except TokenError as error:
            return error.response(request.headers.get("client-request-id"))
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    def issue(self, tenant_name: str, form: dict[str, str], host: str) -> dict[str, Any]:
        """The token answer. Raises ``TokenError``."""
        if "grant_type" not in form:
            raise TokenError("invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
        if form["grant_type"] != "client_credentials":
            raise TokenError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        tenant = self._tenant(tenant_name)
        registration = self._registration(tenant, form.get("client_id", ""))
        self._authenticate(registration, form, host, {tenant.tenant_id, *tenant.domains})
        resource = self._resource(form.get("scope", ""), tenant, host)
        row = enterprise_apps.find(tenant, registration.client_id) or {}
        if not row.get("accountEnabled") or row.get("isDisabled"):
            raise TokenError(
                "unauthorized_client", 7000112, f"Application '{registration.client_id}'({registration.display_name}) is disabled."
            )
        now = time.time()
        claims: dict[str, Any] = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{tenant.tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + LIFETIME_SECONDS,
            "appid": registration.client_id,
            "app_displayname": registration.display_name,
            "oid": row["id"],
            "tid": tenant.tenant_id,
            "idtyp": "app",
            "ver": "1.0",
            "uti": uuid.uuid4().hex,
        }
        if roles := enterprise_apps.visible_roles(self.cloud, tenant, registration.client_id, now):
            claims["roles"] = roles
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": jwt.encode(claims, self.key, algorithm="HS256"),
        }

    def access(self, request: web.Request, audience: Callable[[str, str], bool] = is_graph) -> Access:
        """Who a request comes from, with a token for ``audience``. Raises ``GraphError`` 401, also when the app has left the tenant since."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise _unauthenticated("Access token is empty.")
        try:
            claims = jwt.decode(text, self.key, algorithms=["HS256"], options={"verify_aud": False})
        except jwt.ExpiredSignatureError as error:
            raise _unauthenticated("Lifetime validation failed, the token is expired.") from error
        except jwt.PyJWTError as error:
            raise _unauthenticated("Access token validation failure. Invalid token.") from error
        if not audience(claims["aud"], request.host):
            raise _unauthenticated("Access token validation failure. Invalid audience.")
        tenant = self.cloud.tenants.get(claims["tid"])
        if tenant is None or enterprise_apps.find(tenant, claims["appid"]) is None:
            raise GraphError(401, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
        return Access(tenant, claims["appid"], frozenset(claims.get("roles", [])))

    def _tenant(self, name: str) -> Tenant:
        if name in {"common", "consumers"}:
            raise TokenError("invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints.")
        if name == "organizations":
            raise TokenError("invalid_request", 90130, "Application is not supported over the /common or /consumers endpoints.")
        tenant = self.cloud.find_tenant(name)
        if tenant is None:
            raise TokenError(
                "invalid_request",
                90002,
                f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
            )
        return tenant

    def _registration(self, tenant: Tenant, client_id: str) -> Registration:
        registration = self.cloud.registrations.get(client_id)
        if registration is None or enterprise_apps.find(tenant, client_id) is None:
            raise TokenError(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{tenant.display_name}'. This can happen if "
                "the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
            )
        return registration

    @staticmethod
    def _resource(scope: str, tenant: Tenant, host: str) -> str:
        resource = scope.removesuffix("/.default")
        if resource == scope or " " in scope:
            raise TokenError("invalid_scope", 1002012, f"The provided value for scope {scope} is not valid.")
        if not is_graph(resource, host) and resource.rstrip("/") not in AZURE:
            raise TokenError(
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant named {tenant.display_name}.",
            )
        return resource

    @staticmethod
    def _authenticate(registration: Registration, form: dict[str, str], host: str, tenants: set[str]) -> None:
        if form.get("client_assertion_type") == assertions.ASSERTION_TYPE:
            try:
                assertions.check(form.get("client_assertion", ""), registration, host=host, tenants=tenants)
            except assertions.RefusedAssertionError as refused:
                raise TokenError("invalid_client", refused.number, refused.text, 401) from refused
            return
        if "client_secret" not in form:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise TokenError("invalid_client", 7000218, text, 401)
        expires = registration.secrets.get(form["client_secret"])
        if expires is None:
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                f"not the client secret ID, for a secret added to app '{registration.client_id}'."
            )
            raise TokenError("invalid_client", 7000215, text, 401)
        if expires <= time.time():
            text = f"The provided client secret keys for app '{registration.client_id}' are expired."
            raise TokenError("invalid_client", 7000222, text, 401)


def signing_key(seed: int) -> bytes:
    """A key that stays the same over restarts, so that tokens outlive them."""
    return hashlib.sha256(f"consentry simulator {seed}".encode()).digest()


def _unauthenticated(text: str) -> GraphError:
    return GraphError(401, "InvalidAuthenticationToken", text, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
