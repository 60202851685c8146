"""The server: builds the cloud, joins sign-in, tokens and Graph, and offers ``/_simulator`` to tests and the demo."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from consentry.simulator import pages
from consentry.simulator.graph import Graph, add_graph_routes
from consentry.simulator.login import Login
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.state import Cloud, Consent, Registration
from consentry.simulator.tenant import PASSWORD, make_tenant
from consentry.simulator.tokens import Tokens, signing_key

DEFAULT_REDIRECT = "http://localhost:8000/connect/microsoft/return"
ROLES = {
    "tenant": ["Organization.Read.All"],
    "reader": ["Directory.Read.All", "AuditLog.Read.All", "Policy.Read.All"],
    "responder": ["DelegatedPermissionGrant.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All"],
}
_YEAR = 365 * 24 * 3600
GRAPH = web.AppKey("graph", Graph)


def build_cloud(options: SimulatorOptions, redirect_uris: list[str] | None = None) -> Cloud:
    """The main tenant, a small second one for wrong-account outcomes, and the product's three registrations."""
    cloud = Cloud()
    main = make_tenant(seed=options.seed, plugins=options.plugins, users=max(options.users, 12), grants=options.grants)
    other = make_tenant(seed=options.seed + 1_000_003, plugins=3, users=12)
    if other.domains == main.domains:
        other = make_tenant(seed=options.seed + 1_000_004, plugins=3, users=12)
    for tenant in (main, other):
        cloud.tenants[tenant.tenant_id] = tenant
    for kind, roles in ROLES.items():
        registration = Registration(
            client_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"consentry {kind} {options.seed}")),
            display_name=f"Consentry {kind}",
            publisher="Your organization",
            redirect_uris=redirect_uris or [DEFAULT_REDIRECT],
            roles=roles,
            secrets={hashlib.sha256(f"{kind} {options.seed}".encode()).hexdigest()[:40]: time.time() + _YEAR},
        )
        cloud.registrations[registration.client_id] = registration
        if options.consented:
            cloud.consents[main.tenant_id, registration.client_id] = Consent(main.tenant_id, registration.client_id, 0.0, 0.0, list(roles))
    if options.state_file and options.state_file.exists():
        for row in json.loads(options.state_file.read_text()):
            cloud.consents[row["tenant_id"], row["client_id"]] = Consent(**row)
    return cloud


def describe(cloud: Cloud, port: int) -> dict[str, str]:
    """What somebody needs to use the cloud, as JSON-ready text."""
    main = next(iter(cloud.tenants.values()))
    origin = f"http://localhost:{port}"
    tenant, reader, responder = cloud.registrations.values()
    return {
        "login_url": origin,
        "graph_url": origin,
        "tenant_id": main.tenant_id,
        "tenant_domain": main.domains[0],
        "client_id": reader.client_id,
        "client_secret": next(iter(reader.secrets)),
        "tenant_client_id": tenant.client_id,
        "tenant_client_secret": next(iter(tenant.secrets)),
        "responder_client_id": responder.client_id,
        "responder_client_secret": next(iter(responder.secrets)),
        "admin": main.people[0].upn,
        "user": main.people[1].upn,
        "password": PASSWORD,
    }


def build_app(cloud: Cloud, options: SimulatorOptions) -> web.Application:
    """The whole cloud as one application."""
    app = web.Application(client_max_size=8 * 1024 * 1024)
    tokens = Tokens(cloud, signing_key(options.seed))

    def remember() -> None:
        if options.state_file:
            options.state_file.write_text(json.dumps([asdict(consent) for consent in cloud.consents.values()]))

    login = Login(cloud, options, remember)
    app[GRAPH] = graph = add_graph_routes(app, cloud=cloud, options=options, authenticate=tokens.access)

    async def style(_: web.Request) -> web.Response:
        return pages.stylesheet()

    async def stats(_: web.Request) -> web.Response:
        return web.json_response(graph.counts)

    async def control(request: web.Request) -> web.Response:
        """``{"down": bool}``, ``{"throttle_rate": p}``, ``{"revoke_consents": true}`` or
        ``{"directory": method, "arguments": {...}}`` on the main tenant."""
        order: dict[str, Any] = await request.json()
        graph.down = order.get("down", graph.down)
        graph.weather.rate = order.get("throttle_rate", graph.weather.rate)
        if order.get("revoke_consents"):
            cloud.consents.clear()
            remember()
        result = None
        if "directory" in order:
            directory = next(iter(cloud.tenants.values())).directory
            if order["directory"].startswith("_"):
                raise web.HTTPBadRequest
            result = getattr(directory, order["directory"])(**order.get("arguments", {}))
        return web.json_response(result if isinstance(result, dict) else {"done": True})

    async def discovery(request: web.Request) -> web.Response:
        base = f"{request.url.origin()}/{request.match_info['tenant']}"
        return web.json_response(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            }
        )

    app.router.add_get("/_simulator/style.css", style)
    app.router.add_get("/_simulator/stats", stats)
    app.router.add_post("/_simulator/control", control)
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", discovery)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", tokens.token)
    for path in ("/{tenant}/v2.0/adminconsent", "/{tenant}/adminconsent"):
        app.router.add_route("GET", path, login.admin_consent)
        app.router.add_route("POST", path, login.admin_consent)
    return app


async def start(options: SimulatorOptions, redirect_uris: list[str] | None = None) -> tuple[web.AppRunner, dict[str, str], Cloud]:
    """Listen on loopback; port 0 picks a free one. The caller cleans the runner up."""
    cloud = build_cloud(options, redirect_uris)
    runner = web.AppRunner(build_app(cloud, options), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port)
    await site.start()
    port = runner.addresses[0][1]
    return runner, describe(cloud, port), cloud


def serve(options: SimulatorOptions, *, on_ready: Callable[[dict[str, str]], None], redirect_uris: list[str] | None = None) -> None:
    """Run until SIGINT or SIGTERM; ``on_ready`` gets the description once requests are answered."""

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        runner, description, _ = await start(options, redirect_uris)
        on_ready(description)
        await stop.wait()
        await runner.cleanup()

    asyncio.run(run())
