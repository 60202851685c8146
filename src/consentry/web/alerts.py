"""Alerts: what the policies found, and what people make of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from consentry.accounts.models import Account, Person
from consentry.core.errors import ConsentryError
from consentry.inventory.models import RiskLevel
from consentry.policy import conditions, queries, services
from consentry.policy.definitions import definition
from consentry.policy.models import LIVE, Alert, AlertState
from consentry.providers.entra.values import guid
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row

_SIZE = 50
_NOBODY = "nobody"  # no address of a person has this form
VIEWS = (("live", "To do", LIVE), ("closed", "Closed", (AlertState.RESOLVED, AlertState.DISMISSED)), ("all", "All", ()))


def alert_row(alert: Alert) -> dict[str, Any]:
    """An alert with its plugin and the rule that it is of."""
    return {**plugin_row(alert.plugin), "alert": alert, "rule": definition(alert.policy)}


@require_role("viewer")
def alerts(request: ConsoleRequest) -> HttpResponse:
    """What the policies found."""
    account = request.user.account
    asked = {name: request.GET.get(name, "") for name in ("view", "policy", "severity", "given", "q", "audit")}
    chosen = asked["view"] if asked["view"] in {name for name, _, _ in VIEWS} else "live"
    states = next(states for name, _, states in VIEWS if name == chosen)
    listed = queries.alerts(
        account.pk,
        states=tuple(states),
        policy=asked["policy"] or None,
        severity=asked["severity"] or None,
        assignee={"": None, _NOBODY: ""}.get(asked["given"], asked["given"]),
        text=asked["q"].replace("\x00", ""),
        audit=asked["audit"] == "yes",
    )
    page = Paginator(listed, _SIZE).get_page(request.GET.get("page"))
    kept = {name: value for name, value in asked.items() if value}
    narrowed = kept.keys() - {"view"}
    context = {
        "rows": [alert_row(alert) for alert in page.object_list],
        "page": page,
        "views": [(name, label, name == chosen, urlencode({**kept, "view": name})) for name, label, _ in VIEWS],
        "kept": urlencode(kept) + "&" if kept else "",
        "query": urlencode(kept),
        "narrowed": bool(narrowed),
        "chosen": chosen,
        "asked": asked,
        "severities": [(value, label) for value, label in reversed(RiskLevel.choices) if value != "none"],
        "policies": [(row.key, definition(row).title) for row in services.policies(account)],
        "people": [(_NOBODY, "Nobody"), *((email, "Me" if email == request.user.email else email) for email in _people(account))],
        "may_decide": request.user.may("analyst"),
    }
    return render(request, "policy/alerts.html", context)


def _people(account: Account) -> list[str]:
    return list(Person.objects.filter(account=account, is_active=True).order_by("email").values_list("email", flat=True))


@require_POST
@require_role("analyst")
def change_many(request: ConsoleRequest) -> HttpResponse:
    """Acknowledge, resolve or dismiss the alerts that were ticked, or give them to oneself; what is closed stays as it is."""
    ids = [found for text in request.POST.getlist("alert") if (found := guid(text))]
    chosen = Alert.objects.filter(pk__in=ids, policy__account=request.user.account).select_related("policy", "plugin__connector")
    ticked = list(chosen.filter(state__in=LIVE))
    closed = chosen.count() - len(ticked)
    deed, reason, actor = request.POST.get("deed", ""), request.POST.get("reason", ""), request.user.email
    number = f"{len(ticked)} {'alert' if len(ticked) == 1 else 'alerts'}"
    left = f" {closed} {'was' if closed == 1 else 'were'} closed already and stayed so." if closed else ""
    try:
        with transaction.atomic():
            for one in ticked:
                if deed == "mine":
                    services.assign(one, actor, actor=actor)
                else:
                    services.change_alert(one, deed, reason=reason, actor=actor)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
    else:
        done = "given to you" if deed == "mine" else AlertState(deed).label.lower() if ticked else ""
        if ticked:
            messages.success(request, f"{number} {done}.{left}")
        elif left:
            messages.warning(request, f"Nothing to do.{left}")
        else:
            messages.warning(request, "No alert is ticked. Tick some, then choose what to do.")
    return HttpResponseRedirect(f"{reverse('alerts')}?{request.POST.get('query', '')}")


def _find(request: ConsoleRequest, pk: UUID) -> Alert:
    found = Alert.objects.select_related("policy", "plugin__connector")
    return get_object_or_404(found, pk=pk, policy__account=request.user.account)


@require_role("viewer")
def alert(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """One alert with the evidence of the time."""
    found = _find(request, pk)
    context = {
        **alert_row(found),
        "may_decide": request.user.may("analyst"),
        "live": found.state in LIVE,
        "happened": conditions.happened(found.evidence.get("changes", ())),
        "comments": found.comments.all(),
        "people": _people(request.user.account),
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
