"""The server: makes the cloud, joins sign-in, consent, tokens and Graph on one port, and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from consentry.simulator import azure, enterprise_apps, pages
from consentry.simulator.azure import Azure
from consentry.simulator.consent import AdminConsent
from consentry.simulator.control import Control
from consentry.simulator.discovery import Discovery
from consentry.simulator.graph import Graph, add_graph_routes
from consentry.simulator.login import Login
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.registrations import make_registrations
from consentry.simulator.state import Cloud, Consent, Tenant
from consentry.simulator.tenant import PASSWORD, make_tenant
from consentry.simulator.tokens import Tokens, signing_key

_SMALL = 12  # people of the second tenant, and the fewest of the main one
_LARGEST_BODY = 8 * 1024 * 1024
GRAPH = web.AppKey("graph", Graph)


def build_cloud(options: SimulatorOptions, redirect_uris: list[str] | None = None) -> Cloud:
    """The main tenant, a small second one for wrong-account outcomes, and the product's three registrations.

    ``consented`` in the options gives consent to all three in the main tenant, long ago; consents of the state file are restored.
    """
    main = make_tenant(
        seed=options.seed,
        plugins=options.plugins,
        users=max(options.users, _SMALL),
        grants=options.grants,
        assignments=options.assignments,
        healthy=options.healthy,
    )
    cloud = Cloud()
    for tenant in (main, _other_tenant(options.seed, main)):
        cloud.tenants[tenant.tenant_id] = tenant
    for registration in make_registrations(options.seed, redirect_uris):
        cloud.registrations[registration.client_id] = registration
    _, reader, _ = cloud.registrations.values()
    azure.assignment(main.directory, enterprise_apps.object_id(main, reader.client_id), azure.READER, azure.root(main.tenant_id))
    for registration in cloud.registrations.values():
        if options.consented:
            _restore(cloud, Consent(main.tenant_id, registration.client_id, 0.0, 0.0, list(registration.roles)))
    if options.state_file and options.state_file.exists():
        for row in json.loads(options.state_file.read_text("utf-8")):
            _restore(cloud, Consent(**row))
    return cloud


def describe(cloud: Cloud, port: int) -> dict[str, str]:
    """What somebody needs to use the cloud, as JSON-ready text."""
    main, other = cloud.tenants.values()
    origin = f"http://localhost:{port}"
    tenant, reader, responder = cloud.registrations.values()
    return {
        "login_url": origin,
        "graph_url": origin,
        "azure_url": f"http://127.0.0.1:{port}",  # another address, as a token for Graph is none for Azure
        "tenant_id": main.tenant_id,
        "tenant_domain": main.domains[0],
        "client_id": reader.client_id,
        "client_secret": next(iter(reader.secrets)),
        "tenant_client_id": tenant.client_id,
        "tenant_client_secret": next(iter(tenant.secrets)),
        "responder_client_id": responder.client_id,
        "responder_client_secret": next(iter(responder.secrets)),
        "admin": next(person.upn for person in main.people if person.is_admin),
        "user": next(person.upn for person in main.people if not person.is_admin),
        "password": PASSWORD,
        "other_tenant_id": other.tenant_id,
        "other_admin": next(person.upn for person in other.people if person.is_admin),
    }


def build_app(cloud: Cloud, options: SimulatorOptions) -> web.Application:
    """The whole cloud as one application."""

    def remember() -> None:
        if options.state_file:
            _write(options.state_file, cloud)

    async def style(request: web.Request) -> web.Response:
        del request
        return pages.stylesheet()

    app = web.Application(client_max_size=_LARGEST_BODY)
    key = signing_key(options.seed)
    tokens, discovery = Tokens(cloud, key), Discovery(cloud)
    consent = AdminConsent(cloud, options, Login(cloud, key), remember)
    graph = add_graph_routes(app, cloud=cloud, options=options, authenticate=tokens.access)
    app[GRAPH] = graph
    Azure(tokens).add_routes(app)
    Control(cloud, options, graph, tokens, consent, remember).add_routes(app)
    app.router.add_get("/_simulator/style.css", style)
    app.router.add_get("/common/discovery/instance", discovery.instance)
    app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", discovery.openid_configuration)
    app.router.add_get("/{tenant}/discovery/v2.0/keys", discovery.keys)
    app.router.add_post("/{tenant}/oauth2/v2.0/token", tokens.token)
    for path in ("/{tenant}/v2.0/adminconsent", "/{tenant}/adminconsent"):
        app.router.add_get(path, consent.handle)
        app.router.add_post(path, consent.handle)
    return app


async def start(options: SimulatorOptions, redirect_uris: list[str] | None = None) -> tuple[web.AppRunner, dict[str, str], Cloud]:
    """Listen on loopback; port 0 picks a free one. The caller cleans the runner up."""
    cloud = build_cloud(options, redirect_uris)
    runner = web.AppRunner(build_app(cloud, options), access_log=None, shutdown_timeout=1.0)
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
            if sys.platform == "win32":
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
            else:
                loop.add_signal_handler(number, stop.set)
        cloud_runner, description, _ = await start(options, redirect_uris)
        on_ready(description)
        await stop.wait()
        await cloud_runner.cleanup()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        loop = runner.get_loop()
        runner.run(run())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not there on Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _other_tenant(seed: int, main: Tenant) -> Tenant:
    """A small tenant whose domain is not the main tenant's."""
    number = seed + 1_000_003
    while True:
        tenant = make_tenant(seed=number, plugins=3, users=_SMALL)
        if not set(tenant.domains) & set(main.domains):
            return tenant
        number += 1


def _restore(cloud: Cloud, consent: Consent) -> None:
    tenant, registration = cloud.tenants.get(consent.tenant_id), cloud.registrations.get(consent.client_id)
    if tenant and registration:  # a state file may be another seed's
        enterprise_apps.install(tenant, registration, when=consent.granted_at)
        cloud.consents[consent.tenant_id, consent.client_id] = consent


def _write(file: Path, cloud: Cloud) -> None:
    """Write the consents beside the file and move them there, so that a kill leaves the old or the new ones."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(consent) for consent in cloud.consents.values()]), "utf-8")
    fresh.replace(file)
