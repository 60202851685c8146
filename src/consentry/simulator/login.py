"""Sign-in and admin consent: account picker, password, permissions page, and the redirect with Microsoft's parameters.

Sources: learn.microsoft.com/entra/identity-platform/v2-admin-consent and v2-oauth2-client-creds-grant-flow.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from consentry.simulator import pages
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.state import Cloud, Consent, Person, Registration

_COOKIE = "simulated_microsoft"
_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


@dataclass(slots=True)
class Login:
    """The sign-in pages of one cloud."""

    cloud: Cloud
    options: SimulatorOptions
    on_consent: Callable[[], None]
    signed_in: dict[str, str] = field(default_factory=dict)  # session cookie -> upn

    async def admin_consent(self, request: web.Request) -> web.StreamResponse:
        """``/{tenant}/v2.0/adminconsent`` and the older ``/{tenant}/adminconsent``, GET and the forms' POST."""
        asked = dict(request.query)
        modern = "/v2.0/" in request.path
        registration = self.cloud.registrations.get(asked.get("client_id", ""))
        if registration is None:
            return pages.failure(700016, f"Application with identifier '{asked.get('client_id', '')}' was not found.")
        if not _registered(registration, asked.get("redirect_uri", "")):
            return pages.failure(50011, "The redirect URI specified in the request does not match the redirect URIs configured for the application.")
        if modern and request.match_info["tenant"] in {"common", "consumers"}:
            return pages.failure(90133, "The admin consent endpoint does not support the common tenant.")
        if modern and not asked.get("scope", "").endswith("/.default"):
            return pages.failure(900144, "The request body must contain the following parameter: 'scope'.")
        form = {name: str(value) for name, value in (await request.post()).items()} if request.method == "POST" else {}
        return self._step(request, registration, asked, form, modern=modern)

    def _step(
        self, request: web.Request, registration: Registration, asked: dict[str, str], form: dict[str, str], *, modern: bool
    ) -> web.StreamResponse:
        action = str(request.rel_url)
        people = [person for tenant in self.cloud.tenants.values() for person in tenant.people]
        person = self._person(request, people)
        if form.get("answer") == "switch" or (person is None and not form):
            response = pages.pick_account(action, people)
            response.del_cookie(_COOKIE)
            return response
        if "upn" in form:
            return self._sign_in(action, people, form)
        if person is None:
            return pages.enter_email(action)
        name = request.match_info["tenant"]
        if _GUID.match(name) or "." in name:
            target = self.cloud.find_tenant(name)
            if target is None:
                return pages.failure(90002, f"Tenant '{name}' not found.")
            if target.tenant_id != person.tenant_id:
                return pages.failure(50020, f"User account '{person.upn}' does not exist in tenant '{target.display_name}' and cannot access the application.")
        if not registration.multi_tenant and person.tenant_id != registration.home_tenant_id:
            return pages.failure(50194, f"Application '{registration.client_id}' is not configured as a multi-tenant application.")
        if form.get("answer") == "accept" and person.is_admin:
            return self._accept(registration, person, asked, modern=modern)
        if form.get("answer") == "cancel":
            return _redirect(
                asked,
                {
                    "error": "access_denied",
                    "error_subcode": "cancel",
                    "error_description": "AADSTS65004: User declined to consent to access the app.",
                    **({"admin_consent": "True"} if modern else {}),
                },
            )
        if form.get("answer") == "back":
            return _redirect(asked, {"error": "access_denied", "error_subcode": "cancel", **({"admin_consent": "True"} if modern else {})})
        if not person.is_admin:
            return pages.need_admin(action, registration, person)
        held = self.cloud.consents.get((person.tenant_id, registration.client_id))
        old = held.roles if held else []
        return pages.permissions(action, registration, person, [role for role in registration.roles if role not in old], old)

    def _person(self, request: web.Request, people: list[Person]) -> Person | None:
        upn = self.signed_in.get(request.cookies.get(_COOKIE, ""))
        return next((person for person in people if person.upn == upn), None)

    def _sign_in(self, action: str, people: list[Person], form: dict[str, str]) -> web.StreamResponse:
        if not form["upn"]:
            return pages.enter_email(action)
        person = next((person for person in people if person.upn.lower() == form["upn"].lower()), None)
        if person is None:
            return pages.enter_email(action, "We couldn't find an account with that username.")
        if "password" not in form:
            return pages.enter_password(action, person.upn)
        if not secrets.compare_digest(form["password"], person.password):
            return pages.enter_password(action, person.upn, "Your account or password is incorrect.")
        session = secrets.token_urlsafe(16)
        self.signed_in[session] = person.upn
        response = web.HTTPSeeOther(action)
        response.set_cookie(_COOKIE, session, httponly=True, samesite="Lax")
        return response

    def _accept(self, registration: Registration, person: Person, asked: dict[str, str], *, modern: bool) -> web.StreamResponse:
        now = time.time()
        key = (person.tenant_id, registration.client_id)
        held = self.cloud.consents.get(key)
        visible = held.roles_visible_at if held and held.roles == registration.roles else now + self.options.consent_delay_seconds
        self.cloud.consents[key] = Consent(person.tenant_id, registration.client_id, now, visible, list(registration.roles))
        self.on_consent()
        scope = {"scope": " ".join(f"https://graph.microsoft.com/{role}" for role in registration.roles)} if modern else {}
        return _redirect(asked, {"admin_consent": "True", "tenant": person.tenant_id, **scope})


def _redirect(asked: dict[str, str], parameters: dict[str, str]) -> web.StreamResponse:
    state = {"state": re.sub(r"<[^>]*>", "", asked["state"])} if "state" in asked else {}
    separator = "&" if urlsplit(asked["redirect_uri"]).query else "?"
    return web.HTTPSeeOther(f"{asked['redirect_uri']}{separator}{urlencode({**parameters, **state})}")


def _registered(registration: Registration, uri: str) -> bool:
    """Exact match, but for the port of localhost, which Microsoft ignores."""

    def key(text: str) -> tuple[str, str, int | None, str]:
        parts = urlsplit(text)
        local = parts.hostname in {"localhost", "127.0.0.1"}
        return parts.scheme, parts.hostname or "", None if local else parts.port, parts.path

    return key(uri) in {key(known) for known in registration.redirect_uris}
