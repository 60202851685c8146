"""Alerts and policies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from consentry.core.errors import ConsentryError
from consentry.policy import queries, services
from consentry.policy.models import Alert, AlertState
from consentry.policy.predefined import BY_KEY
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row

_SIZE = 50
_LIVE = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
VIEWS = (("live", "To do", _LIVE), ("closed", "Closed", (AlertState.RESOLVED, AlertState.DISMISSED)), ("all", "All", ()))


def _row(alert: Alert) -> dict[str, Any]:
    return {**plugin_row(alert.plugin), "alert": alert, "rule": BY_KEY[alert.policy.key]}


@require_role("viewer")
def alerts(request: ConsoleRequest) -> HttpResponse:
    """What the policies found."""
    chosen = request.GET.get("view", "live")
    states = next((states for name, _, states in VIEWS if name == chosen), _LIVE)
    page = Paginator(queries.alerts(request.user.account_id, states=tuple(states)), _SIZE).get_page(request.GET.get("page"))
    context = {
        "rows": [_row(alert) for alert in page.object_list],
        "page": page,
        "views": [(name, label, name == chosen) for name, label, _ in VIEWS],
        "kept": urlencode({"view": chosen}) + "&",
        "chosen": chosen,
    }
    return render(request, "policy/alerts.html", context)


def _find(request: ConsoleRequest, pk: UUID) -> Alert:
    found = Alert.objects.select_related("policy", "plugin__connector")
    return get_object_or_404(found, pk=pk, policy__account=request.user.account)


@require_role("viewer")
def alert(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """One alert with the evidence of the time."""
    found = _find(request, pk)
    return render(request, "policy/alert.html", {**_row(found), "may_decide": request.user.may("analyst"), "live": found.state in _LIVE})


@require_POST
@require_role("analyst")
def change(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Acknowledge, resolve, dismiss or reopen."""
    found = _find(request, pk)
    try:
        services.change_alert(found, request.POST.get("state", ""), reason=request.POST.get("reason", ""), actor=request.user.email)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    else:
        messages.success(request, f"The alert is {found.get_state_display().lower()}.")
    return redirect("alert", pk=pk)


@require_role("viewer")
def policies(request: ConsoleRequest) -> HttpResponse:
    """What the product looks out for, each with a switch."""
    context = {"rows": queries.policy_rows(request.user.account), "may_switch": request.user.may("administrator")}
    return render(request, "policy/policies.html", context)


@require_POST
@require_role("administrator")
def switch(request: ConsoleRequest, key: str) -> HttpResponse:
    """Switch a policy on or off."""
    try:
        services.set_state(request.user.account, key, request.POST.get("state", ""), actor=request.user.email)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    return redirect("policies")
