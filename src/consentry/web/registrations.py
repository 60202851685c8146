"""Administration > Registrations: the app registrations of the tenant, reader and responder, with a check button."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from consentry.connect import registrations
from consentry.connect.jobs import RETURN_PATH
from consentry.connect.models import RegistrationRole
from consentry.core.errors import ConsentryError
from consentry.providers.entra.manifest import MANIFEST
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.forms import RegistrationForm


def _card(request: ConsoleRequest, role: str, form: RegistrationForm | None = None, findings: list[str] | None = None) -> dict[str, Any]:
    problem = ""
    try:
        environment = registrations.from_environment(role)
    except ConsentryError as error:
        environment, problem = None, f"{error.what} {error.remedy}"
    stored = registrations.stored(request.user.account, role)
    found = environment or stored
    initial = (
        {"client_id": stored.client_id, "certificate_pem": stored.certificate_pem, "tenant_hint": stored.tenant_hint} if stored else None
    )
    return {
        "role": role,
        "label": RegistrationRole(role).label,
        "purpose": MANIFEST[role].text,
        "permissions": MANIFEST[role].permissions,
        "found": found,
        "from_environment": environment is not None,
        "credential": None if found is None else "certificate" if found.private_key else "client secret" if found.secret else "nothing",
        "form": form or RegistrationForm(initial=initial, prefix=role),
        "findings": findings,
        "problem": problem,
        "powerful": role == RegistrationRole.RESPONDER,
    }


def _page(request: ConsoleRequest, changed: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    cards = [changed if changed and changed["role"] == role else _card(request, role) for role in MANIFEST]
    return render(
        request, "administration/registrations.html", {"cards": cards, "redirect_uri": f"{settings.BASE_URL}{RETURN_PATH}"}, status=status
    )


@never_cache
@require_role("administrator")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page."""
    return _page(request)


@require_POST
@require_role("administrator")
def save(request: ConsoleRequest, role: str) -> HttpResponse:
    """Keep or delete one registration."""
    if role not in MANIFEST:
        raise Http404
    if request.POST.get("deed") == "delete":
        registrations.forget(request.user.account, role, actor=request.user.email)
        return redirect("administration-registrations")
    form = RegistrationForm(request.POST, prefix=role)
    if not form.is_valid():
        return _page(request, _card(request, role, form), 422)
    fields = form.cleaned_data
    registrations.save(
        request.user.account,
        role,
        client_id=fields["client_id"],
        secret=fields["client_secret"],
        certificate_pem=fields["certificate_pem"],
        private_key=fields["private_key_pem"],
        tenant_hint=fields["tenant_hint"],
        actor=request.user.email,
    )
    return redirect("administration-registrations")


@require_POST
@require_role("administrator")
def check(request: ConsoleRequest, role: str) -> HttpResponse:
    """Say what is wrong with one registration."""
    if role not in MANIFEST:
        raise Http404
    try:
        findings = registrations.check(request.user.account, role)
    except ConsentryError as error:
        findings = [f"{error.what} {error.remedy}"]
    return _page(request, _card(request, role, findings=findings))
