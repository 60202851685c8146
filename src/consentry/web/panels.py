"""What the pages of Integrations share: finding what a request is about, panels, and answers that htmx reads."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from consentry.connect.models import Connector, Integration
from consentry.core.errors import ConsentryError
from consentry.web.access import ConsoleRequest


def connectors_of(request: ConsoleRequest) -> list[Connector]:
    """The account's connectors with their integrations and attempts, oldest first."""
    listed = Connector.objects.filter(account=request.user.account).prefetch_related("integrations", "attempts")
    return list(listed.order_by("created_at"))


def find_connector(request: ConsoleRequest, pk: UUID) -> Connector:
    """One of the account's connectors, or 404."""
    return get_object_or_404(Connector.objects.prefetch_related("integrations", "attempts"), pk=pk, account=request.user.account)


def find_integration(request: ConsoleRequest, pk: UUID) -> Integration:
    """One of the account's integrations, or 404."""
    found = Integration.objects.select_related("connector__account").prefetch_related("connector__attempts")
    return get_object_or_404(found, pk=pk, connector__account=request.user.account)


def panel(request: ConsoleRequest, template: str, context: dict[str, Any], *, title: str, status: int = 200) -> HttpResponse:
    """A slide-over panel for htmx; the same as a page of its own without."""
    context = {**context, "may_manage": request.user.may("administrator"), "panel_title": title}
    if request.htmx:
        return render(request, template, context, status=status)
    return render(request, "integrations/panel_page.html", {**context, "panel": template}, status=status)


def done(request: ConsoleRequest, text: str) -> HttpResponse:
    """Close what is open, fetch the tables again and say ``text``."""
    if not request.htmx:
        return HttpResponseRedirect(reverse("integrations"))
    return trigger({"integrations-changed": {}, "consentry:close": {}, "consentry:note": {"text": text, "level": "success"}})


def refused(request: ConsoleRequest, error: ConsentryError) -> HttpResponse:
    """Say why not, and what to do."""
    if not request.htmx:
        return render(request, "errors/400.html", {"what": error.what, "remedy": error.remedy, "code": error.code}, status=409)
    return trigger({"consentry:note": {"text": f"{error.what} {error.remedy}", "level": "error"}})


def trigger(events: dict[str, Any]) -> HttpResponse:
    """An answer without a body whose ``events`` happen in the browser."""
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(events)})
