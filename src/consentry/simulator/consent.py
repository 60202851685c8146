"""Admin consent: the permissions page, and the redirect with Microsoft's parameters.

Sources: learn.microsoft.com/entra/identity-platform/v2-admin-consent, v2-oauth2-client-creds-grant-flow and reference-error-codes;
the answers to a refusal also as third parties have seen them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from consentry.simulator import enterprise_apps, pages
from consentry.simulator.login import Login, Session
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.pages import Form
from consentry.simulator.registrations import is_graph, is_registered
from consentry.simulator.state import GRAPH_APP_ID, Cloud, Person, Registration, Tenant

_SHARED = frozenset({"common", "organizations"})
DECLINED = "AADSTS65004: User declined to consent to access the app."
# What "Cancel" sends back on v2, each seen in the wild or documented
CANCEL_ANSWERS = {
    "observed": {"admin_consent": "True", "error": "access_denied", "error_subcode": "cancel", "error_description": DECLINED},
    "documented": {"admin_consent": "True", "error": "consent_required", "error_description": DECLINED},
    "bare": {"error": "access_denied", "error_subcode": "cancel"},
}
_UNKNOWN_APP = "Application with identifier '{client}' was not found in the directory '{tenant}'."
_SINGLE_TENANT = (
    "Application '{client}'({name}) is not configured as a multi-tenant application. "
    "Use a tenant-specific endpoint or configure the application to be multi-tenant."
)
_WRONG_REDIRECT = (
    "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the application '{client}'. "
    "Make sure the redirect URI sent in the request matches one added to your application."
)
_WRONG_TENANT = (
    "User account '{upn}' from identity provider 'https://sts.windows.net/{home}/' does not exist in tenant '{tenant}' "
    "and cannot access the application '{client}'({name}) in that tenant. The account needs to be added as an external user in the "
    "tenant first. Sign out and sign in again with a different Azure Active Directory user account."
)
_OLDER_CANCEL = {"error": "permission_denied", "error_description": "The admin canceled the request"}


class AdminConsent:
    """``/{tenant}/v2.0/adminconsent`` and the older ``/{tenant}/adminconsent``. ``on_consent`` runs after each consent."""

    def __init__(self, cloud: Cloud, options: SimulatorOptions, login: Login, on_consent: Callable[[], None]) -> None:
        self.cloud = cloud
        self.options = options
        self.login = login
        self.on_consent = on_consent
        self.cancel_answer = "observed"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET shows the next page; POST answers the page's form."""
        registration = self.cloud.registrations.get(request.query.get("client_id", ""))
        refusal = self._refusal(request, registration)
        if refusal is not None or registration is None:
            return refusal or pages.failure(700016, "Application was not found.")
        session = self.login.session(request)
        form = self.login.form(session, str(request.rel_url.without_query_params("prompt")))
        fields = {name: str(value) for name, value in (await request.post()).items()} if request.method == "POST" else {}
        if fields and fields.get("canary") != form.canary:
            return pages.failure(
                165000, "Invalid Request: The request tokens do not match the user context. Go back to the application and start again."
            )
        return self.login.remember(session, self._step(request, registration, session, form, fields))

    def _refusal(self, request: web.Request, registration: Registration | None) -> web.Response | None:
        """What stops the request before anybody signs in; none of it redirects."""
        query, name = request.query, request.match_info["tenant"]
        if "client_id" not in query:
            return pages.failure(900144, "The request body must contain the following parameter: 'client_id'.")
        tenant = self.cloud.find_tenant(name)
        if name == "consumers" or (_is_modern(request) and name == "common"):
            return pages.failure(90133, "The admin consent endpoint is not supported for the /common or /consumers tenant.")
        if tenant is None and name not in _SHARED:
            return pages.failure(90002, f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID.")
        if registration is None or (tenant and not _may_use(registration, tenant)):
            return pages.failure(700016, _UNKNOWN_APP.format(client=query["client_id"], tenant=tenant.display_name if tenant else name))
        if not registration.multi_tenant and tenant is None:
            return pages.failure(50194, _SINGLE_TENANT.format(client=registration.client_id, name=registration.display_name))
        if "redirect_uri" not in query:
            return pages.failure(900971, "No reply address provided.")
        if not is_registered(registration, query["redirect_uri"]):
            return pages.failure(50011, _WRONG_REDIRECT.format(uri=query["redirect_uri"], client=registration.client_id))
        return _scope_refusal(query.get("scope"), request.host) if _is_modern(request) else None

    def _step(
        self, request: web.Request, registration: Registration, session: Session, form: Form, fields: dict[str, str]
    ) -> web.StreamResponse:
        answer = fields.get("answer")
        if answer == "switch" or (not fields and request.query.get("prompt") in {"select_account", "login"}):
            return self.login.picker(session, form)
        if "upn" in fields:
            return self.login.step(session, form, fields) or pages.see_other(form.action)
        person = self.login.person(session)
        if person is None:
            return self.login.picker(session, form)
        wanted = self.cloud.find_tenant(request.match_info["tenant"])
        if wanted is not None and wanted.tenant_id != person.tenant_id:
            text = _WRONG_TENANT.format(
                upn=person.upn,
                home=person.tenant_id,
                tenant=wanted.display_name,
                client=registration.client_id,
                name=registration.display_name,
            )
            return pages.failure(50020, text, form=form)
        return self._decide(request, registration, person, form, answer)

    def _decide(
        self, request: web.Request, registration: Registration, person: Person, form: Form, answer: str | None
    ) -> web.StreamResponse:
        tenant = self.cloud.tenants[person.tenant_id]
        if not person.is_admin:
            if answer == "back":
                return _redirect(request, CANCEL_ANSWERS["bare"])
            return pages.need_admin(form, registration, person)
        if answer == "cancel":
            return _redirect(request, CANCEL_ANSWERS[self.cancel_answer] if _is_modern(request) else _OLDER_CANCEL)
        if answer == "accept":
            enterprise_apps.consent(self.cloud, tenant, registration, now=time.time(), delay=self.options.consent_delay_seconds)
            self.on_consent()
            scope = " ".join(f"https://graph.microsoft.com/{role}" for role in registration.roles)
            return _redirect(
                request, {"admin_consent": "True", "tenant": tenant.tenant_id, **({"scope": scope} if _is_modern(request) else {})}
            )
        held = enterprise_apps.roles(tenant, registration.client_id)
        asked = [role for role in tenant.directory.by_app_id(GRAPH_APP_ID)["appRoles"] if role["value"] in registration.roles]
        new = [role for role in asked if role["value"] not in held]
        return pages.permissions(form, registration, person, tenant.display_name, new, [role for role in asked if role not in new])


def _is_modern(request: web.Request) -> bool:
    return "/v2.0/" in request.path


def _may_use(registration: Registration, tenant: Tenant) -> bool:
    return registration.multi_tenant or registration.home_tenant_id == tenant.tenant_id


def _scope_refusal(scope: str | None, host: str) -> web.Response | None:
    if not scope:
        return pages.failure(900144, "The request body must contain the following parameter: 'scope'.")
    resource = scope.removesuffix("/.default")
    if resource == scope or " " in scope:
        return pages.failure(70011, f"The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid.")
    if not is_graph(resource, host):
        return pages.failure(500011, f"The resource principal named {resource} was not found in the tenant.")
    return None


def _redirect(request: web.Request, parameters: dict[str, str]) -> web.StreamResponse:
    """Back to the application; HTML is stripped from ``state``, as Microsoft documents."""
    target = request.query["redirect_uri"]
    state = {"state": re.sub(r"<[^>]*>", "", request.query["state"])} if "state" in request.query else {}
    separator = "&" if urlsplit(target).query else "?"
    return pages.see_other(f"{target}{separator}{urlencode({**parameters, **state})}")
