"""The Integrations page: both tabs, both panels, live rows, edit and sync now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from consentry.accounts.models import Account
from consentry.connect import registrations, services
from consentry.connect.models import Connector, RegistrationRole
from consentry.core.errors import ConsentryError
from consentry.providers.entra.manifest import MANIFEST
from consentry.sync import services as sync
from consentry.web import rows
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.authorise import to_microsoft
from consentry.web.forms import ConnectorEditForm, ConnectorForm, IntegrationEditForm, IntegrationForm
from consentry.web.panels import connectors_of, done, find_connector, find_integration, panel, refused
from consentry.web.progress import progress_for
from consentry.web.steps import steps_for

TABS = ("integrated", "configured")


def _is_registered(account: Account) -> bool:
    try:
        return registrations.registration(account, RegistrationRole.TENANT) is not None
    except ConsentryError:
        return True  # there is one; its file can't be read, and the attempt says so


def _context(request: ConsoleRequest, tab: str) -> dict[str, Any]:
    connectors = connectors_of(request)
    progress = progress_for(request.user.account)
    return {
        "tab": tab,
        "rows": rows.integrated_rows(connectors) if tab == "integrated" else rows.configured_rows(connectors),
        "steps": steps_for(connectors, read_once=not progress.first),
        "has_connector": any(connector.tenant_id for connector in connectors),
        "registered": _is_registered(request.user.account),
        "may_manage": request.user.may("administrator"),
        "new_connector_url": reverse("connector-new"),
        "new_integration_url": reverse("integration-new"),
        "progress": progress,
    }


@require_role("viewer")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page with its two tabs."""
    tab = request.GET.get("tab", "")
    return render(request, "integrations/index.html", _context(request, tab if tab in TABS else TABS[0]))


@require_role("viewer")
def table(request: ConsoleRequest, tab: str) -> HttpResponse:
    """One tab's content, fetched again when something changed."""
    chosen = tab if tab in TABS else TABS[0]
    return render(request, f"integrations/{chosen}.html", _context(request, chosen))


@require_role("administrator")
def connector_new(request: ConsoleRequest) -> HttpResponse:
    """The panel "New Connector"."""
    form = ConnectorForm(request.POST if request.method == "POST" else None, initial={"kind": "ms_tenant"})
    account = request.user.account
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            with transaction.atomic():
                made = services.create_connector(account, name=fields["name"], tenant_hint=fields["tenant_hint"], actor=request.user.email)
                return to_microsoft(request, made)
        except ConsentryError as error:
            form.add_error("name" if error.code.startswith("name_") else None, f"{error.what} {error.remedy}")
    context = {"form": form, "registered": _is_registered(account), "asks": MANIFEST["tenant"].permissions}
    return panel(request, "integrations/connector_new.html", context, title="New Connector", status=422 if form.errors else 200)


@require_role("administrator")
def integration_new(request: ConsoleRequest) -> HttpResponse:
    """The panel "New Integration": save, then authorise."""
    connectors = connectors_of(request)
    form = IntegrationForm(request.POST if request.method == "POST" else None, connectors)
    if request.method == "POST" and form.is_valid():
        chosen = get_object_or_404(Connector, pk=form.cleaned_data["connector"], account=request.user.account)
        try:
            made = services.create_integration(chosen, description=form.cleaned_data["description"], actor=request.user.email)
        except ConsentryError as error:
            form.add_error(None, f"{error.what} {error.remedy}")
        else:
            context = {"integration": made, "asks": MANIFEST["reader"].permissions}
            response = panel(request, "integrations/integration_authorise.html", context, title="New Integration")
            response["HX-Trigger"] = "integrations-changed"
            return response
    context = {"form": form, "has_connector": any(connector.tenant_id for connector in connectors)}
    return panel(request, "integrations/integration_new.html", context, title="New Integration", status=422 if form.errors else 200)


@require_role("viewer")
def connector(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A connector's line, live."""
    return _line(request, rows.connector_row(find_connector(request, pk)))


@require_role("viewer")
def integration(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """An integration's line, live."""
    found = find_integration(request, pk)
    return _line(request, rows.integration_row(found, found.connector, rows.activity_of([found.connector])))


def _line(request: ConsoleRequest, row: rows.Row) -> HttpResponse:
    template = "integrations/configured_row.html" if request.GET.get("tab") == "configured" else "integrations/row.html"
    response = render(request, template, {"row": row, "may_manage": request.user.may("administrator")})
    if not row.live:
        response["HX-Trigger"] = "integrations-changed, consentry:settled"
    return response


@require_role("administrator")
def connector_edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Rename a connector; before the tenant is proven also say which one it is."""
    found = find_connector(request, pk)
    form = ConnectorEditForm(
        request.POST if request.method == "POST" else None, initial={"name": found.name, "tenant_hint": found.tenant_hint}
    )
    if found.tenant_id is not None:
        del form.fields["tenant_hint"]
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            hint = fields.get("tenant_hint", found.tenant_hint)
            services.edit_connector(found, name=fields["name"], tenant_hint=hint, actor=request.user.email)
            return done(request, "Saved.")
        except ConsentryError as error:
            form.add_error("name", f"{error.what} {error.remedy}")
    context = {"form": form, "action": request.path}
    return panel(request, "integrations/edit.html", context, title="Edit connector", status=422 if form.errors else 200)


@require_role("administrator")
def integration_edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Change an integration's description and schedule."""
    found = find_integration(request, pk)
    initial = {"description": found.description, "sync_every_minutes": found.sync_every_minutes}
    form = IntegrationEditForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        services.edit_integration(found, **form.cleaned_data, actor=request.user.email)
        return done(request, "Saved.")
    context = {"form": form, "action": request.path}
    return panel(request, "integrations/edit.html", context, title="Edit integration", status=422 if form.errors else 200)


@require_POST
@require_role("administrator")
def connector_sync(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Sync now."""
    found = find_connector(request, pk).integrations.select_related("connector__account").first()
    try:
        if found is None:
            raise ConsentryError(
                "integration_missing", "3rd Party Apps is not switched on over this connector.", "Add it under Configured Integrations."
            )
        sync.start_sync(found, trigger="person")
    except ConsentryError as error:
        return refused(request, error)
    return done(request, "The sync has started.")
