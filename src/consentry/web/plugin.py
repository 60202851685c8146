"""A plugin's page: who uses it, what it may do, how risky it is and why, and what happened to it."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from consentry.core.clock import now
from consentry.core.hostile import mixed_letters, visible_text
from consentry.inventory import queries
from consentry.inventory.models import Credential, Decision, DecisionState, Plugin, PublisherTenant
from consentry.policy import queries as policy
from consentry.policy.models import LIVE
from consentry.risk import queries as risk
from consentry.risk.catalogue import LEVELS
from consentry.risk.models import ScorePoint
from consentry.risk.signals import BY_KEY as SIGNALS
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.alerts import alert_row
from consentry.web.permission_rows import permission_row
from consentry.web.plugin_rows import change_rows, plugin_row
from consentry.web.what_if import weighed

SHOWN_PEOPLE = 20
MOST_AT_ONCE = 1000
_DEPARTMENTS = 7


@require_role("viewer")
def plugin(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page."""
    found = _find(request, pk)
    refuses = risk.refusers([found.connector_id]).values()
    permissions = [permission_row(row, refuses) for row in queries.plugin_permissions(found)]
    users = queries.plugin_users(found)
    live = policy.alerts(request.user.account_id, states=LIVE).filter(plugin=found)
    same = {"connector_id": found.connector_id, "service_principal_id": found.service_principal_id}
    context = {
        **plugin_row(found),
        "mixed_letters": mixed_letters(found.name),
        "alerts": [alert_row(alert) for alert in live],
        **weighed(found, permissions, set(request.GET.getlist("without"))),
        **_people(request, users),
        "owners": queries.plugin_owners(found),
        "roles": queries.plugin_roles(found),
        "assignees": _part(request, "assigned", queries.plugin_assignees(found)),
        "publisher_tenant": _publisher_tenant(found),
        "credentials": Credential.objects.filter(**same, removed_at__isnull=True).order_by("ends_at"),
        "history": change_rows(queries.changes(request.user.account_id, plugin=found)[:50]),
        "decided": Decision.objects.filter(account=request.user.account, app_id=found.app_id or found.pk).order_by("-at")[:20],
        "axes": _axes(found),
        "reasons": [_explained(reason) for reason in found.risk.get("reasons", [])],
        "notes": [_explained(reason) for reason in found.risk.get("notes", [])],
        "unknown": found.risk.get("unknown", []),
        "points": [
            {"title": reason["title"], "points": reason["points"], "severity": reason["severity"]}
            for reason in found.risk.get("reasons", [])
        ],
        "score_history": _score_history(found),
        "access": _access(found, permissions, users),
        "decisions": DecisionState.choices,
        "may_decide": request.user.may("analyst"),
    }
    return render(request, "inventory/plugin.html", context)


@require_role("viewer")
def people(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Another part of the people who use it."""
    found = _find(request, pk)
    return render(request, "inventory/plugin_people.html", {"plugin": found, **_people(request, queries.plugin_users(found))})


@require_role("viewer")
def assigned(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Another part of who is assigned to it."""
    found = _find(request, pk)
    part = _part(request, "assigned", queries.plugin_assignees(found))
    return render(request, "inventory/plugin_assigned.html", {"plugin": found, "assignees": part})


def _find(request: ConsoleRequest, pk: UUID) -> Plugin:
    return get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)


def _people(request: ConsoleRequest, users: list[dict[str, Any]]) -> dict[str, Any]:
    return {"people": _part(request, "people", users), "mails": "; ".join(row["mail"] for row in users if row["mail"])}


def _part(request: ConsoleRequest, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of ``rows`` that the address asks for by ``name``: a page, or all of them where they are not too many."""
    asked = request.GET.get(name)
    whole = asked == "all" and len(rows) <= MOST_AT_ONCE
    page = Paginator(rows, max(len(rows), 1) if whole else SHOWN_PEOPLE).get_page(asked)
    return {"page": page, "whole": whole, "all_fit": len(rows) <= MOST_AT_ONCE, "many": len(rows) > SHOWN_PEOPLE}


def _publisher_tenant(found: Plugin) -> PublisherTenant | None:
    owner = found.owner_tenant_id
    return PublisherTenant.objects.filter(tenant_id=owner).exclude(name="").first() if owner else None


def _explained(reason: dict[str, Any]) -> dict[str, Any]:
    """A stored reason with what its signal says today."""
    signal = SIGNALS.get(reason["signal"])
    return {
        **reason,
        "why": signal.why if signal else "",
        "links": signal.links if signal else (),
        "technique": signal.technique if signal else "",
    }


def _score_history(found: Plugin) -> list[tuple[str, float]]:
    """The score over time as a step line that reaches to now; empty before it has ever changed."""
    points = [(point.at.isoformat(), point.score) for point in ScorePoint.objects.filter(plugin=found).order_by("at")[:500]]
    return [*points, (now().isoformat(), found.risk_score)] if len(points) > 1 else []


def _axes(found: Plugin) -> list[dict[str, Any]]:
    axes = found.risk.get("axes", {})
    words = (("takeover", "Could take over the tenant"), ("data", "Could reach data"), ("trust", "How far it can be trusted"))
    return [{"name": name, "label": label, "value": axes.get(name, 0), "good": name == "trust"} for name, label in words]


def _access(found: Plugin, permissions: list[dict[str, Any]], users: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Who, the plugin, what: the picture of its access. None where there is nothing to draw."""
    departments = Counter(visible_text(row["department"] or "No department") for row in users)
    common = departments.most_common(_DEPARTMENTS)
    left = [{"label": f"{name} ({number:,})", "weight": number} for name, number in common]
    others = len(users) - sum(number for _, number in common)
    if others:
        left.append({"label": f"Other departments ({others:,})", "weight": others})
    if found.all_users:
        left.insert(0, {"label": "Everybody", "weight": max(len(users), 1)})
    if any(row["kind"] == "application" for row in permissions):
        left.insert(0, {"label": "The app itself, without a person", "weight": max(len(users), 1)})
    right: dict[str, dict[str, Any]] = {}
    for row in permissions:
        name = row["service"] or visible_text(row["resource"])
        held = right.setdefault(name, {"label": name, "level": "none", "weight": 0, "permissions": []})
        held["weight"] += 1
        held["permissions"].append(visible_text(row["value"]))
        held["level"] = max(held["level"], row["level"], key=LEVELS.index)
    if not left or not right:
        return None
    return {"left": left, "name": visible_text(found.name), "right": list(right.values())}
