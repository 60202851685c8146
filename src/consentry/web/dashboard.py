"""The dashboard: numbers, a picture of reach against risk, and what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from consentry.accounts.models import Account
from consentry.connect.models import Capability, CapabilityState, Connector
from consentry.core.clock import now
from consentry.core.hostile import visible_text
from consentry.inventory import queries
from consentry.inventory.filters import PluginFilter
from consentry.inventory.models import DecisionState, RiskLevel
from consentry.policy.models import LIVE
from consentry.policy.queries import alerts
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import NEW_FOR, change_rows, plugin_row
from consentry.web.plugins import SERVICES
from consentry.web.progress import progress_for, start_of

_DOTS = 400
_SERIOUS = (RiskLevel.HIGH, RiskLevel.CRITICAL)


@require_role("viewer")
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """The page."""
    start, progress = start_of(request.user.account), progress_for(request.user.account)
    found = PluginFilter.parse({}).apply(request.user.account_id)
    total = found.count()
    scored = found.filter(risk__has_key="version") if progress.live else found  # a first run's plugins have no score for a while
    levels = dict(scored.values_list("risk_level").annotate(Count("id")))
    context = {
        "total": total,
        "levels": [
            {"value": value, "label": label, "count": levels.get(value, 0), "share": round(100 * levels.get(value, 0) / (total or 1))}
            for value, label in reversed(RiskLevel.choices)
        ],
        "unsanctioned": found.filter(decision=DecisionState.UNSANCTIONED).count(),
        "alerts": alerts(request.user.account_id, states=LIVE).count(),
        "new": found.filter(created_at__gte=now() - NEW_FOR).count(),
        "undecided": found.filter(decision=DecisionState.UNCLASSIFIED, risk_level__in=_SERIOUS).count(),
        "top": [plugin_row(one) for one in found.exclude(decision=DecisionState.SANCTIONED).order_by("-risk_score", "-users")[:8]],
        "services": [{"name": name, "count": found.filter(connected_to__contains=[name]).count()} for name in SERVICES],
        "connectors": Connector.objects.filter(account=request.user.account).order_by("name"),
        "changes": change_rows(queries.changes(request.user.account_id).exclude(kind="plugin_first_seen")[:8]),
        "waiting": _waiting(request.user.account),
        "waiting_unread": Capability.objects.filter(connector__account=request.user.account, name="consent_requests")
        .exclude(state=CapabilityState.GRANTED)
        .exists(),
        "progress": progress,
        "start": start,
        "dots": _dots(found) if total else [],
    }
    return render(request, "inventory/dashboard.html", context)


def _waiting(account: Account) -> list[dict[str, Any]]:
    """The apps that people asked an administrator for, who was first and when; the one that was asked for last comes first."""
    rows = []
    for one in queries.consent_requests(account.pk):
        asked = sorted(one["asked"], key=lambda who: who["at"] or "")
        since = datetime.fromisoformat(asked[0]["at"]) if asked[0]["at"] else None
        reason = next((who["reason"] for who in asked if who["reason"]), "")
        scopes = ", ".join(one["permissions"])
        rows.append(
            {**one, "asked": asked, "scopes": scopes, "first": asked[0], "others": len(asked) - 1, "since": since, "reason": reason}
        )
    return sorted(rows, key=lambda row: row["asked"][-1]["at"] or "", reverse=True)


def _dots(found: Any) -> list[dict[str, Any]]:
    """The riskiest plugins as points; a plugin for everybody stands at the far right."""
    most = found.order_by("-users").values_list("users", flat=True).first() or 1
    rows = found.order_by("-risk_score", "-users").only("pk", "name", "users", "all_users", "risk_score", "risk_level")[:_DOTS]
    return [
        {
            "name": visible_text(row.name),
            "users": row.users,
            "everybody": row.all_users,
            "x": max(row.users, most) if row.all_users else row.users,
            "score": row.risk_score,
            "level": row.risk_level,
            "url": reverse("plugin", kwargs={"pk": row.pk}),
        }
        for row in rows
    ]
