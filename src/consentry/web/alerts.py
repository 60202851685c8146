"""Alerts: what the policies found, and what people make of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from consentry.accounts.models import Person
from consentry.core.errors import ConsentryError
from consentry.policy import conditions, queries, services
from consentry.policy.models import Alert, AlertState
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row

_SIZE = 50
_LIVE = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
VIEWS = (("live", "To do", _LIVE), ("closed", "Closed", (AlertState.RESOLVED, AlertState.DISMISSED)), ("all", "All", ()))


def _row(alert: Alert) -> dict[str, Any]:
    return {**plugin_row(alert.plugin), "alert": alert, "rule": services.definition(alert.policy)}


@require_role("viewer")
def alerts(request: ConsoleRequest) -> HttpResponse:
    """What the policies found."""
    chosen = request.GET.get("view", "live")
    states = next((states for name, _, states in VIEWS if name == chosen), _LIVE)
    policy, silent = request.GET.get("policy"), request.GET.get("audit") == "yes"
    listed = queries.alerts(request.user.account_id, states=tuple(states), policy=policy or None, audit=silent)
    page = Paginator(listed, _SIZE).get_page(request.GET.get("page"))
    kept = {"view": chosen, **({"policy": policy} if policy else {}), **({"audit": "yes"} if silent else {})}
    context = {
        "rows": [_row(alert) for alert in page.object_list],
        "page": page,
        "views": [(name, label, name == chosen) for name, label, _ in VIEWS],
        "kept": urlencode(kept) + "&",
        "narrowed": bool(policy or silent),
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
    people = Person.objects.filter(account=request.user.account, is_active=True).order_by("email").values_list("email", flat=True)
    context = {
        **_row(found),
        "may_decide": request.user.may("analyst"),
        "live": found.state in _LIVE,
        "happened": conditions.happened(found.evidence.get("changes", ())),
        "comments": found.comments.all(),
        "people": list(people),
    }
    return render(request, "policy/alert.html", context)


@require_POST
@require_role("analyst")
def change(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Acknowledge, resolve, dismiss or reopen; give it to somebody; write to it."""
    found, actor = _find(request, pk), request.user.email
    try:
        if "comment" in request.POST:
            services.comment(found, request.POST["comment"], actor=actor)
            messages.success(request, "The comment was added.")
        elif "assignee" in request.POST:
            services.assign(found, request.POST["assignee"], actor=actor)
            messages.success(request, f"The alert is {found.assignee}'s now." if found.assignee else "The alert is nobody's now.")
        else:
            services.change_alert(found, request.POST.get("state", ""), reason=request.POST.get("reason", ""), actor=actor)
            messages.success(request, f"The alert is {found.get_state_display().lower()}.")
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    return redirect("alert", pk=pk)
