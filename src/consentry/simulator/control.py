"""``/_simulator``: what tests and the demo do to the cloud from outside. Loopback only; POST takes and gives JSON.

``registration`` is ``tenant``, ``reader``, ``responder`` or a client id; ``tenant`` is an id or domain, by default the main tenant.

======================  =====================================================  ====================================================
POST                    body                                                   does
======================  =====================================================  ====================================================
``consent``             ``{registration, tenant?, delay_seconds?}``            gives admin consent without the pages
``consent/revoke``      ``{registration?, tenant?}``                           removes the app from the tenant; without
                                                                               ``registration`` all three
``secret/expire``       ``{registration}``                                     its secrets are expired (AADSTS7000222)
``secret/add``          ``{registration, secret, days?}``                      one more secret
``certificate/add``     ``{registration, pem}``                                accepts assertions signed with this certificate
``registration``        ``{registration, roles?, redirect_uris?, tenant?,      changes the registration; ``multi_tenant: false``
                        multi_tenant?}``                                       makes it the tenant's own
``settings``            ``{consent_delay_seconds?, latency_ms?,                sets each that is given; ``cancel_answer`` is
                        page_token_lifetime_seconds?, cancel_answer?}``        ``observed``, ``documented`` or ``bare``
``throttle``            ``{rate}``                                             share of Graph requests answered with 429; 0 is off
``down``                ``{down}``                                             503 everywhere, sign-in included
``token-error``         ``{number, error?, status?, times?}``                  the next token requests fail with AADSTS ``number``
``directory``           ``{method, arguments?, tenant?}``                      calls a public method of ``Directory``; answers
                                                                               ``{"result": ...}``
``stats/reset``         ``{}``                                                 counts start again
======================  =====================================================  ====================================================

``GET stats`` answers ``{"total", "requests": {kind: count}, "statuses": {status: count}, "graph": {...}}``; a kind is a method and
a path with ids replaced, ``graph`` is what the Graph side counts by itself (items of batches among it).
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from consentry.simulator import enterprise_apps, pages
from consentry.simulator.consent import CANCEL_ANSWERS, AdminConsent
from consentry.simulator.directory import Grant
from consentry.simulator.graph import Graph
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.registrations import find_registration
from consentry.simulator.state import Cloud, Registration, Tenant
from consentry.simulator.tokens import TokenError, Tokens

Order = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?<=oauth2PermissionGrants/)[^/]+|(?<=appRoleAssign\w{4}/)[^/]+")
_GRAPH = ("/v1.0/", "/beta/")


@dataclass(slots=True)
class Control:
    """The orders, and the counts. ``remember`` runs after consents change."""

    cloud: Cloud
    options: SimulatorOptions
    graph: Graph
    tokens: Tokens
    consent: AdminConsent
    remember: Callable[[], None]
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def add_routes(self, app: web.Application) -> None:
        """Serve the orders, and watch every other request."""
        orders: dict[str, Callable[[Order], Any]] = {
            "consent": self.give_consent,
            "consent/revoke": self.revoke_consent,
            "secret/expire": self.expire_secret,
            "secret/add": self.add_secret,
            "certificate/add": self.add_certificate,
            "registration": self.change_registration,
            "settings": self.change_settings,
            "throttle": self.throttle,
            "down": self.take_down,
            "token-error": self.force_token_error,
            "directory": self.change_directory,
            "stats/reset": self.reset_stats,
        }
        for name, order in orders.items():
            app.router.add_post(f"/_simulator/{name}", _as_handler(order))
        app.router.add_get("/_simulator/stats", self.stats)
        app.middlewares.append(self._watch())

    async def stats(self, request: web.Request) -> web.Response:
        """``GET stats``."""
        _require_loopback(request)
        counts = {"total": self.requests.total(), "requests": self.requests, "statuses": self.statuses, "graph": self.graph.counts}
        return web.json_response(counts)

    def give_consent(self, order: Order) -> None:
        """``POST consent``."""
        delay = float(order.get("delay_seconds", self.options.consent_delay_seconds))
        enterprise_apps.consent(self.cloud, self._tenant(order), self._registration(order), now=time.time(), delay=delay)
        self.remember()

    def revoke_consent(self, order: Order) -> None:
        """``POST consent/revoke``."""
        wanted = [self._registration(order)] if "registration" in order else list(self.cloud.registrations.values())
        for registration in wanted:
            enterprise_apps.revoke(self.cloud, self._tenant(order), registration.client_id)
        self.remember()

    def expire_secret(self, order: Order) -> None:
        """``POST secret/expire``."""
        registration = self._registration(order)
        registration.secrets = dict.fromkeys(registration.secrets, time.time() - 1)

    def add_secret(self, order: Order) -> None:
        """``POST secret/add``."""
        self._registration(order).secrets[str(order["secret"])] = time.time() + float(order.get("days", 365)) * 24 * 3600

    def add_certificate(self, order: Order) -> None:
        """``POST certificate/add``."""
        self._registration(order).certificates_pem.append(str(order["pem"]))

    def change_registration(self, order: Order) -> None:
        """``POST registration``."""
        registration = self._registration(order)
        registration.roles = list(order.get("roles", registration.roles))
        registration.redirect_uris = list(order.get("redirect_uris", registration.redirect_uris))
        if "multi_tenant" in order:
            registration.multi_tenant = bool(order["multi_tenant"])
            if not registration.multi_tenant:
                registration.home_tenant_id = self._tenant(order).tenant_id

    def change_settings(self, order: Order) -> None:
        """``POST settings``."""
        for name in ("consent_delay_seconds", "page_token_lifetime_seconds", "latency_ms"):
            if name in order:
                setattr(self.options, name, order[name])
        if "cancel_answer" in order:
            if order["cancel_answer"] not in CANCEL_ANSWERS:
                raise ValueError(f"cancel_answer is one of {', '.join(CANCEL_ANSWERS)}")
            self.consent.cancel_answer = order["cancel_answer"]

    def throttle(self, order: Order) -> None:
        """``POST throttle``."""
        self.graph.weather.rate = float(order["rate"])

    def take_down(self, order: Order) -> None:
        """``POST down``."""
        self.graph.down = bool(order["down"])

    def force_token_error(self, order: Order) -> None:
        """``POST token-error``."""
        number, status = int(order["number"]), int(order.get("status", 400))
        error = TokenError(str(order.get("error", "invalid_request")), number, "Forced by the simulator's control.", status)
        self.tokens.forced.extend([error] * int(order.get("times", 1)))

    def change_directory(self, order: Order) -> Any:
        """``POST directory``."""
        name = str(order["method"])
        method = None if name.startswith("_") else getattr(self._tenant(order).directory, name, None)
        if not callable(method):
            raise ValueError(f"Directory has no method {name}")
        result = method(**order.get("arguments", {}))
        return result.render() if isinstance(result, Grant) else result

    def reset_stats(self, order: Order) -> None:
        """``POST stats/reset``."""
        del order
        for counts in (self.requests, self.statuses, self.graph.counts):
            counts.clear()

    def _tenant(self, order: Order) -> Tenant:
        name = order.get("tenant", next(iter(self.cloud.tenants)))
        tenant = self.cloud.find_tenant(name)
        if tenant is None:
            raise ValueError(f"there is no tenant {name}")
        return tenant

    def _registration(self, order: Order) -> Registration:
        registration = find_registration(self.cloud, order["registration"])
        if registration is None:
            raise ValueError(f"there is no registration {order['registration']}")
        return registration

    def _watch(self) -> Any:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/_simulator/"):
                return await handler(request)
            self.requests[f"{request.method} {_ID.sub('{id}', request.path)}"] += 1
            try:
                response = await self._answer(request, handler)
            except web.HTTPException as error:
                self.statuses[str(error.status)] += 1
                raise
            self.statuses[str(response.status)] += 1
            return response

        return watch

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self.graph.down or request.path.startswith(_GRAPH):
            return await handler(request)  # Graph says 503 in its own words
        if request.method == "GET" and request.path.endswith("/adminconsent"):
            return pages.failure(90033, "A transient error has occurred. Please try again.", status=503)
        return TokenError("temporarily_unavailable", 90033, "A transient error has occurred. Please try again.", 503).response()


def _as_handler(order: Callable[[Order], Any]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        _require_loopback(request)
        if request.content_type != "application/json":  # a page on another site could not send this without asking first
            return web.json_response({"error": "send application/json"}, status=415)
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise ValueError("the body is not an object")
            result = order(body)
        except KeyError as error:
            return web.json_response({"error": f"{error.args[0]} is missing or unknown"}, status=404)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"result": result}, dumps=_dumps)

    return handle


def _require_loopback(request: web.Request) -> None:
    """Refuse other machines, and other names for this one (a site may let its name point here)."""
    host = urlsplit(f"//{request.host}").hostname or ""
    if host not in {"localhost", "127.0.0.1"} or not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104
        raise web.HTTPForbidden


def _dumps(value: Any) -> str:
    return json.dumps(value, default=str)
