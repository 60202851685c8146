"""The trip to Microsoft and back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from consentry.connect import services
from consentry.connect.jobs import RETURN_PATH
from consentry.connect.models import AttemptOutcome, AuthorisationAttempt, Connector, Integration
from consentry.core.errors import ConsentryError
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.panels import find_connector, find_integration, refused, trigger
from consentry.web.rows import is_waiting


def to_microsoft(request: ConsoleRequest, subject: Connector | Integration) -> HttpResponse:
    """Begin an authorisation and lead a new tab to Microsoft. Raises ``ConsentryError`` without a registration."""
    url = services.begin_authorisation(
        subject, person=request.user, session_key=_session_key(request), redirect_uri=f"{settings.BASE_URL}{RETURN_PATH}"
    )
    if not request.htmx:
        return HttpResponseRedirect(url)
    return trigger({"consentry:authorise": {"url": url}, "integrations-changed": {}})


def _session_key(request: ConsoleRequest) -> str:
    if request.session.session_key is None:
        request.session.save()
    return str(request.session.session_key)


@require_POST
@require_role("administrator")
def connector_authorise(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Send the browser to Microsoft for a connector."""
    return _authorise(request, find_connector(request, pk))


@require_POST
@require_role("administrator")
def integration_authorise(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Send the browser to Microsoft for an integration."""
    return _authorise(request, find_integration(request, pk))


def _authorise(request: ConsoleRequest, subject: Connector | Integration) -> HttpResponse:
    try:
        return to_microsoft(request, subject)
    except ConsentryError as error:
        return refused(request, error)


@never_cache
@require_role("administrator")
def microsoft_return(request: ConsoleRequest) -> HttpResponse:
    """Where Microsoft sends the browser back to. Leads on to an address that can be loaded again."""
    parameters = {name: str(value) for name, value in request.GET.items()}
    try:
        found = services.finish_authorisation(parameters, person=request.user, session_key=_session_key(request))
    except ConsentryError as error:
        view = {"title": "This answer can't be used", "text": error.what, "remedy": error.remedy, "code": error.code}
        return render(request, "integrations/returned.html", {"view": view}, status=400)
    return redirect("attempt", pk=found.pk)


@never_cache
@require_role("administrator")
def attempt(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """How far a returned attempt is: the page, and its live part."""
    found = get_object_or_404(
        AuthorisationAttempt.objects.select_related("connector", "integration"), pk=pk, connector__account=request.user.account
    )
    template = "integrations/attempt.html" if request.htmx else "integrations/returned.html"
    return render(request, template, {"view": _attempt_view(found)})


def _attempt_view(found: AuthorisationAttempt) -> dict[str, Any]:
    subject = "integration" if found.integration_id else "connector"
    expired = found.outcome in (AttemptOutcome.EXPIRED, AttemptOutcome.OPEN)
    return {
        "url": reverse("attempt", kwargs={"pk": found.pk}),
        "outcome": found.outcome,
        "waiting": is_waiting(found),
        "for_integration": found.integration_id is not None,
        "tenant_name": found.connector.tenant_name,
        "tenant_id": found.connector.tenant_id,
        "domains": found.connector.tenant_domains,
        "title": "The authorisation timed out" if expired else "The permissions were not applied",
        "text": found.reason or "The consent is being checked: a token is asked for and the tenant has to answer.",
        "remedy": found.remedy,
        "code": found.code,
        "again_url": reverse(f"{subject}-authorise", kwargs={"pk": found.integration_id or found.connector_id}),
    }
