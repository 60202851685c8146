"""A plugin's page: who uses it, what it may do, how risky it is and why, and what happened to it."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from consentry.core.hostile import visible_text
from consentry.inventory import queries
from consentry.inventory.models import Credential, Decision, DecisionState, Plugin, RiskLevel
from consentry.risk.catalogue import judge
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import change_rows, plugin_row

SHOWN_PEOPLE = 500
_DEPARTMENTS = 7
_LEVELS = list(RiskLevel.values)


@require_role("viewer")
def plugin(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page."""
    found = get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)
    permissions = [
        {**row, "plain": judge(row["value"], kind=row["kind"]).sentence, "level_label": RiskLevel(row["level"]).label}
        for row in queries.plugin_permissions(found)
    ]
    users = queries.plugin_users(found)
    same = {"connector_id": found.connector_id, "service_principal_id": found.service_principal_id}
    context = {
        **plugin_row(found),
        "permissions": permissions,
        "users": users[:SHOWN_PEOPLE],
        "user_count": len(users),
        "shown_people": SHOWN_PEOPLE,
        "mails": "; ".join(row["mail"] for row in users if row["mail"]),
        "owners": queries.plugin_owners(found),
        "credentials": Credential.objects.filter(**same, removed_at__isnull=True).order_by("ends_at"),
        "history": change_rows(queries.changes(request.user.account_id, plugin=found)[:50]),
        "decided": Decision.objects.filter(account=request.user.account, app_id=found.app_id or found.pk).order_by("-at")[:20],
        "axes": _axes(found),
        "reasons": found.risk.get("reasons", []),
        "access": _access(found, permissions, users),
        "decisions": DecisionState.choices,
        "may_decide": request.user.may("analyst"),
    }
    return render(request, "inventory/plugin.html", context)


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
        held["level"] = max(held["level"], row["level"], key=_LEVELS.index)
    if not left or not right:
        return None
    return {"left": left, "name": visible_text(found.name), "right": list(right.values())}
