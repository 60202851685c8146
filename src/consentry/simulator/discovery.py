"""The addresses that clients discover: OpenID Connect metadata and instance discovery.

Source: learn.microsoft.com/entra/identity-platform/v2-protocols-oidc. Tokens for Graph are opaque to clients, so the key set is empty.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from consentry.simulator.state import Cloud
from consentry.simulator.tokens import TokenError

_SHARED = frozenset({"common", "organizations", "consumers"})


class Discovery:
    """Metadata of one cloud, under the address by which it was asked."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def openid_configuration(self, request: web.Request) -> web.Response:
        """``GET /{tenant}/v2.0/.well-known/openid-configuration``."""
        name, origin = request.match_info["tenant"], origin_of(request)
        tenant = self.cloud.find_tenant(name)
        if tenant is None and name not in _SHARED:
            return TokenError("invalid_tenant", 90002, f"Tenant '{name}' not found.").response()
        base = f"{origin}/{name}"
        issuer = tenant.tenant_id if tenant else "{tenantid}"
        document = {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": f"{origin}/{issuer}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "msgraph_host": request.host,
        }
        return web.json_response(document)

    async def instance(self, request: web.Request) -> web.Response:
        """``GET /common/discovery/instance``: this host is a cloud of its own."""
        asked = urlsplit(request.query.get("authorization_endpoint", ""))
        if asked.netloc != request.host:
            return TokenError("invalid_instance", 50049, "Unknown or invalid instance.").response()
        tenant = asked.path.strip("/").split("/")[0]
        names = {"preferred_network": request.host, "preferred_cache": request.host, "aliases": [request.host]}
        endpoint = f"{asked.scheme}://{asked.netloc}/{tenant}/v2.0/.well-known/openid-configuration"
        return web.json_response({"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [names]})

    async def keys(self, request: web.Request) -> web.Response:
        """``GET /{tenant}/discovery/v2.0/keys``."""
        del request
        return web.json_response({"keys": []})


def origin_of(request: web.Request) -> str:
    """The address by which the client sees this server, also behind a TLS front that names the scheme."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{'https' if scheme == 'https' else 'http'}://{request.host}"
