"""A plugin's page: who uses it, what it may do, how risky it is and why, and what happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from consentry.core.clock import now
from consentry.core.hostile import mixed_letters, visible_text
from consentry.inventory import queries
from consentry.inventory.models import Credential, Decision, DecisionState, Plugin, PublisherTenant, RiskLevel
from consentry.risk import queries as risk
from consentry.risk.catalogue import judge
from consentry.risk.facts import Held
from consentry.risk.models import ScorePoint
from consentry.risk.score import without
from consentry.risk.signals import BY_KEY as SIGNALS
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import change_rows, plugin_row

SHOWN_PEOPLE = 500
_DEPARTMENTS = 7
_LEVELS = list(RiskLevel.values)


@require_role("viewer")
def plugin(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The page."""
    found = get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)
    lowered = _lowered(found)
    refuses = risk.refuser_of(found.connector)
    permissions = [
        {
            **row,
            "consent": _consent(row, refuses),
            "lowers": lowered.get((row["kind"], row["resource"], row["value"])),
            "judged": judge(row["value"], kind=row["kind"]),
            "level_label": RiskLevel(row["level"]).label,
        }
        for row in queries.plugin_permissions(found)
    ]
    users = queries.plugin_users(found)
    assignees = queries.plugin_assignees(found)
    same = {"connector_id": found.connector_id, "service_principal_id": found.service_principal_id}
    context = {
        **plugin_row(found),
        "mixed_letters": mixed_letters(found.name),
        "permissions": permissions,
        "users": users[:SHOWN_PEOPLE],
        "user_count": len(users),
        "shown_people": SHOWN_PEOPLE,
        "mails": "; ".join(row["mail"] for row in users if row["mail"]),
        "owners": queries.plugin_owners(found),
        "roles": queries.plugin_roles(found),
        "assignees": assignees[:SHOWN_PEOPLE],
        "assignee_count": len(assignees),
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
def what_if(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The score without the permissions that were ticked. Nothing is stored."""
    found = get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)
    wanted = set(request.GET.getlist("without"))
    result = None
    if wanted:
        for _, facts in risk.facts(found.connector, [found.service_principal_id]):
            dropped = [held for held in facts.permissions if _held_key(held) in wanted]
            result = without(facts, *dropped, factors=risk.factors(request.user.account_id))
    return render(request, "inventory/what_if.html", {"plugin": found, "result": result, "number": len(wanted)})


def _lowered(found: Plugin) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What the score would be without each permission."""
    if found.removed_at is not None:
        return {}
    factors = risk.factors(found.connector.account_id)
    made = {}
    for _, facts in risk.facts(found.connector, [found.service_principal_id]):
        for held in facts.permissions:
            result = without(facts, held, factors=factors)
            made[held.kind, held.resource, held.value] = {
                "key": _held_key(held),
                "score": result.score,
                "lower": result.score < found.risk_score,
            }
    return made


def _publisher_tenant(found: Plugin) -> PublisherTenant | None:
    owner = found.owner_tenant_id
    return PublisherTenant.objects.filter(tenant_id=owner).exclude(name="").first() if owner else None


def _consent(row: dict[str, Any], refuses: Callable[[str], bool]) -> str:
    """Who may consent to it today."""
    if row["admin_only"]:
        return "Only an administrator can grant it."
    if refuses(row["value"]):
        return "The tenant's consent policy refuses it to people today."
    return "People can grant it themselves." if row["admin_only"] is False else ""


def _held_key(held: Held) -> str:
    return f"{held.kind}|{held.resource}|{held.value}"


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
        held["level"] = max(held["level"], row["level"], key=_LEVELS.index)
    if not left or not right:
        return None
    return {"left": left, "name": visible_text(found.name), "right": list(right.values())}
