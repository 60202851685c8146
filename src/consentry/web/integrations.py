"""The Integrations page: both tabs, both panels, the trip to Microsoft and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from consentry.connect import registrations, services
from consentry.connect.jobs import RETURN_PATH
from consentry.connect.models import AttemptOutcome, AuthorisationAttempt, Connector, Integration, RegistrationRole, Status
from consentry.core.errors import ConsentryError
from consentry.sync import services as sync
from consentry.sync.models import RunState, SyncRun
from consentry.web import rows
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.forms import ConnectorEditForm, ConnectorForm, IntegrationEditForm, IntegrationForm
from consentry.web.labels import COUNTS, capability_sign, collection_label, licence_sign
from consentry.web.progress import LIVE, progress_for
from consentry.web.rows import attempt_note, is_waiting, latest_attempt

_RUNS_SHOWN = 5
ASKS = (
    {"value": "Directory.Read.All", "why": "Apps, their permissions, who granted them, owners and people."},
    {"value": "AuditLog.Read.All", "why": "When and by whom consent was given, and when an app was last used."},
    {"value": "Policy.Read.All", "why": "What the tenant lets people consent to."},
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """One line of a confirmation."""

    tone: str
    icon: str
    text: str


def _connectors(request: ConsoleRequest) -> list[Connector]:
    listed = Connector.objects.filter(account=request.user.account).prefetch_related("integrations", "attempts")
    return list(listed.order_by("created_at"))


def _context(request: ConsoleRequest, tab: str) -> dict[str, Any]:
    connectors = _connectors(request)
    return {
        "tab": tab,
        "rows": rows.integrated_rows(connectors) if tab == "integrated" else rows.configured_rows(connectors),
        "has_connector": any(connector.tenant_id for connector in connectors),
        "registered": registrations.registration(request.user.account, RegistrationRole.TENANT) is not None,
        "may_manage": request.user.may("administrator"),
        "new_connector_url": reverse("connector-new"),
        "new_integration_url": reverse("integration-new"),
        "progress": progress_for(request.user.account),
    }


@require_role("viewer")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page with its two tabs."""
    tab = "configured" if request.GET.get("tab") == "configured" else "integrated"
    return render(request, "integrations/index.html", _context(request, tab))


@require_role("viewer")
def table(request: ConsoleRequest, tab: str) -> HttpResponse:
    """One tab's table, fetched again when something changed."""
    chosen = "configured" if tab == "configured" else "integrated"
    return render(request, f"integrations/{chosen}.html", _context(request, chosen))


def _panel(request: ConsoleRequest, template: str, context: dict[str, Any], *, title: str, status: int = 200) -> HttpResponse:
    context = {**context, "may_manage": request.user.may("administrator"), "panel_title": title}
    if request.htmx:
        return render(request, template, context, status=status)
    return render(request, "integrations/panel_page.html", {**context, "panel": template}, status=status)


def _events(request: ConsoleRequest, text: str) -> HttpResponse:
    if not request.htmx:
        return HttpResponseRedirect(reverse("integrations"))
    response = HttpResponse(status=204)
    response["HX-Trigger"] = json.dumps(
        {"integrations-changed": {}, "consentry:close": {}, "consentry:note": {"text": text, "level": "success"}}
    )
    return response


def _refused(request: ConsoleRequest, error: ConsentryError) -> HttpResponse:
    if not request.htmx:
        return render(request, "errors/400.html", {"what": error.what, "remedy": error.remedy, "code": error.code}, status=409)
    response = HttpResponse(status=204)
    response["HX-Trigger"] = json.dumps({"consentry:note": {"text": f"{error.what} {error.remedy}", "level": "error"}})
    return response


def _to_microsoft(request: ConsoleRequest, subject: Connector | Integration) -> HttpResponse:
    if request.session.session_key is None:
        request.session.save()
    url = services.begin_authorisation(
        subject, person=request.user, session_key=str(request.session.session_key), redirect_uri=f"{settings.BASE_URL}{RETURN_PATH}"
    )
    if not request.htmx:
        return HttpResponseRedirect(url)
    response = HttpResponse(status=204)
    response["HX-Trigger"] = json.dumps({"consentry:authorise": {"url": url}, "integrations-changed": {}})
    return response


@require_role("administrator")
def connector_new(request: ConsoleRequest) -> HttpResponse:
    """The panel "New Connector"."""
    form = ConnectorForm(request.POST or None)
    duplicate = None
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            connector = services.create_connector(
                request.user.account, name=fields["name"], tenant_hint=fields["tenant_hint"], actor=request.user.email
            )
            return _to_microsoft(request, connector)
        except ConsentryError as error:
            duplicate = error
    registered = registrations.registration(request.user.account, RegistrationRole.TENANT) is not None
    context = {"form": form, "registered": registered, "duplicate": duplicate}
    failed = request.method == "POST"
    return _panel(request, "integrations/connector_new.html", context, title="New Connector", status=422 if failed else 200)


@require_role("administrator")
def integration_new(request: ConsoleRequest) -> HttpResponse:
    """The panel "New Integration": save, then authorise."""
    connectors = _connectors(request)
    form = IntegrationForm(request.POST or None, connectors)
    if request.method == "POST" and form.is_valid():
        connector = get_object_or_404(Connector, pk=form.cleaned_data["connector"], account=request.user.account)
        try:
            integration = services.create_integration(connector, description=form.cleaned_data["description"], actor=request.user.email)
        except ConsentryError as error:
            form.add_error(None, f"{error.what} {error.remedy}")
        else:
            response = _panel(
                request, "integrations/integration_authorise.html", {"integration": integration, "asks": ASKS}, title="New Integration"
            )
            response["HX-Trigger"] = "integrations-changed"
            return response
    context = {"form": form, "has_connector": any(connector.tenant_id for connector in connectors)}
    return _panel(request, "integrations/integration_new.html", context, title="New Integration", status=422 if form.errors else 200)


def _connector(request: ConsoleRequest, pk: UUID) -> Connector:
    return get_object_or_404(Connector.objects.prefetch_related("integrations", "attempts"), pk=pk, account=request.user.account)


def _integration(request: ConsoleRequest, pk: UUID) -> Integration:
    return get_object_or_404(
        Integration.objects.select_related("connector__account").prefetch_related("connector__attempts"),
        pk=pk,
        connector__account=request.user.account,
    )


@require_role("viewer")
def connector(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A connector's line, live."""
    return _line(request, rows.connector_row(_connector(request, pk)))


@require_role("viewer")
def integration(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """An integration's line, live."""
    found = _integration(request, pk)
    return _line(request, rows.integration_row(found, found.connector, rows.activity_of([found.connector])))


def _line(request: ConsoleRequest, row: rows.Row) -> HttpResponse:
    template = "integrations/configured_row.html" if request.GET.get("tab") == "configured" else "integrations/row.html"
    response = render(request, template, {"row": row, "may_manage": request.user.may("administrator")})
    if not row.live:
        response["HX-Trigger"] = "integrations-changed"
    return response


@require_POST
@require_role("administrator")
def connector_authorise(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Send the browser to Microsoft for a connector."""
    return _authorise(request, _connector(request, pk))


@require_POST
@require_role("administrator")
def integration_authorise(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Send the browser to Microsoft for an integration."""
    return _authorise(request, _integration(request, pk))


def _authorise(request: ConsoleRequest, subject: Connector | Integration) -> HttpResponse:
    try:
        return _to_microsoft(request, subject)
    except ConsentryError as error:
        return _refused(request, error)


def _capabilities(connector: Connector) -> list[dict[str, str]]:
    found = []
    for row in connector.capabilities.order_by("name"):
        sign = capability_sign(row.state)
        found.append({"label": collection_label(row.name), "detail": row.detail, "state": sign.label, "tone": sign.tone, "icon": sign.icon})
    return found


@require_role("viewer")
def connector_details(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The panel with a connector's reason, remedy, licence and capabilities."""
    found = _connector(request, pk)
    context = {
        "connector": found,
        "licence": licence_sign(found.licence),
        "capabilities": _capabilities(found),
        "integrations": found.integrations.all(),
        "attempt_note": attempt_note(latest_attempt(found.attempts.all(), integration=None)) if found.status != Status.CONNECTED else "",
    }
    return _panel(request, "integrations/connector_details.html", context, title=found.name)


@require_role("viewer")
def integration_details(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The panel with an integration's schedule, capabilities and runs."""
    found = _integration(request, pk)
    runs = list(found.connector.runs.order_by("-id")[:_RUNS_SHOWN])
    context = {
        "integration": found,
        "capabilities": _capabilities(found.connector),
        "runs": [_run(run) for run in runs],
        "attempt_note": attempt_note(latest_attempt(found.connector.attempts.all(), integration=found))
        if found.status != Status.CONNECTED
        else "",
        "progress": progress_for(request.user.account) if runs and runs[0].state in LIVE else None,
        "can_sync": found.status != Status.PENDING and found.disconnected_at is None,
        "sync_url": reverse("connector-sync", kwargs={"pk": found.connector_id}),
    }
    return _panel(request, "integrations/integration_details.html", context, title="3rd Party Apps")


def _run(run: SyncRun) -> dict[str, Any]:
    ended = run.finished_at or run.heartbeat_at
    started = run.started_at or run.queued_at
    return {
        "state": run.state,
        "state_label": RunState(run.state).label,
        "at": started,
        "seconds": (ended - started).total_seconds() if ended else None,
        "mode": run.mode,
        "trigger": run.trigger,
        "requests": run.requests,
        "throttled": run.throttled,
        "retried": run.retried,
        "counts": [{"label": label, "value": run.counts[name]} for name, label in COUNTS.items() if name in run.counts],
        "incomplete": [
            {"label": collection_label(gap["collection"]), "reason": gap["reason"], "code": gap.get("code", "")} for gap in run.incomplete
        ],
        "error": run.error,
        "remedy": run.remedy,
        "error_code": run.error_code,
    }


@require_role("administrator")
def connector_edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Rename a connector."""
    found = _connector(request, pk)
    form = ConnectorEditForm(request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_connector(found, name=form.cleaned_data["name"], tenant_hint=found.tenant_hint, actor=request.user.email)
            return _events(request, "Saved.")
        except ConsentryError as error:
            form.add_error("name", f"{error.what} {error.remedy}")
    return _panel(
        request,
        "integrations/edit.html",
        {"form": form, "action": request.path},
        title="Edit connector",
        status=422 if form.errors else 200,
    )


@require_role("administrator")
def integration_edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Change an integration's description and schedule."""
    found = _integration(request, pk)
    initial = {"description": found.description, "sync_every_minutes": found.sync_every_minutes}
    form = IntegrationEditForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.edit_integration(found, **form.cleaned_data, actor=request.user.email)
        return _events(request, "Saved.")
    return _panel(
        request,
        "integrations/edit.html",
        {"form": form, "action": request.path},
        title="Edit integration",
        status=422 if form.errors else 200,
    )


_KEPT = Consequence("good", "circle-check", "Everything collected so far stays: plugins, history, decisions and notes.")
_AT_MICROSOFT = Consequence(
    "info", "info-circle", "The consent at Microsoft stays until you remove the app in Entra under Enterprise applications."
)
DISCONNECT = (Consequence("warn", "plug-off", "Nothing is read any more, until it is re-authorised."), _KEPT, _AT_MICROSOFT)
DELETE_CONNECTOR = (
    Consequence(
        "bad", "trash", "Everything collected through it is deleted: plugins, grants, people and the history. This can't be undone."
    ),
    Consequence("good", "circle-check", "Decisions and notes stay, and apply again when the tenant is connected again."),
    _AT_MICROSOFT,
)
DELETE_INTEGRATION = (Consequence("warn", "plug-off", "Nothing is read any more; the schedule is deleted."), _KEPT, _AT_MICROSOFT)


def _confirmed(request: ConsoleRequest, subject: Connector | Integration, deed: str) -> HttpResponse:
    is_connector = isinstance(subject, Connector)
    name = subject.name if isinstance(subject, Connector) else f"3rd Party Apps over {subject.connector.name}"
    if request.method == "POST":
        (services.delete if deed == "Delete" else services.disconnect)(subject, actor=request.user.email)
        return _events(request, f"{name} was {'deleted' if deed == 'Delete' else 'disconnected'}.")
    lines = DISCONNECT if deed == "Disconnect" else DELETE_CONNECTOR if is_connector else DELETE_INTEGRATION
    context = {
        "action": request.path,
        "title": f"{deed}?",
        "subject": name,
        "consequences": lines,
        "button": deed,
        "danger": deed == "Delete",
    }
    return render(request, "integrations/confirm.html", context)


@require_role("administrator")
def connector_disconnect(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then stop reading."""
    return _confirmed(request, _connector(request, pk), "Disconnect")


@require_role("administrator")
def integration_disconnect(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then stop reading."""
    return _confirmed(request, _integration(request, pk), "Disconnect")


@require_role("administrator")
def connector_delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete with everything collected."""
    return _confirmed(request, _connector(request, pk), "Delete")


@require_role("administrator")
def integration_delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete the integration."""
    return _confirmed(request, _integration(request, pk), "Delete")


@require_POST
@require_role("administrator")
def connector_sync(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Sync now."""
    found = _connector(request, pk).integrations.select_related("connector__account").first()
    try:
        if found is None:
            raise ConsentryError(
                "integration_missing", "3rd Party Apps is not switched on over this connector.", "Add it under Configured Integrations."
            )
        sync.start_sync(found, trigger="person")
    except ConsentryError as error:
        return _refused(request, error)
    return _events(request, "The sync has started.")


@never_cache
@require_role("administrator")
def microsoft_return(request: ConsoleRequest) -> HttpResponse:
    """Where Microsoft sends the browser back to."""
    try:
        attempt = services.finish_authorisation(request.GET.dict(), person=request.user, session_key=str(request.session.session_key))
    except ConsentryError as error:
        view = {
            "outcome": "failed",
            "waiting": False,
            "title": "This answer can't be used",
            "text": error.what,
            "remedy": error.remedy,
            "code": error.code,
        }
        return render(request, "integrations/returned.html", {"view": view}, status=400)
    return render(request, "integrations/returned.html", {"view": _attempt_view(attempt)})


@never_cache
@require_role("administrator")
def attempt(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """How far a returned attempt is, live."""
    found = get_object_or_404(
        AuthorisationAttempt.objects.select_related("connector", "integration"), pk=pk, connector__account=request.user.account
    )
    return render(request, "integrations/attempt.html", {"view": _attempt_view(found)})


def _attempt_view(found: AuthorisationAttempt) -> dict[str, Any]:
    subject = "integration" if found.integration_id else "connector"
    again = reverse(f"{subject}-authorise", kwargs={"pk": found.integration_id or found.connector_id})
    return {
        "url": reverse("attempt", kwargs={"pk": found.pk}),
        "outcome": found.outcome,
        "waiting": is_waiting(found),
        "for_integration": found.integration_id is not None,
        "tenant_name": found.connector.tenant_name,
        "tenant_id": found.connector.tenant_id,
        "domains": found.connector.tenant_domains,
        "title": "The permissions were not applied" if found.outcome == AttemptOutcome.FAILED else "The authorisation timed out",
        "text": found.reason or "The consent is being checked: a token is asked for and the tenant has to answer.",
        "remedy": found.remedy,
        "code": found.code,
        "again_url": again,
    }
