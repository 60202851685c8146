"""Alerts and policies as pages, API and exports show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from consentry.accounts.models import Account
from consentry.inventory.plugin_data import moment
from consentry.policy import services
from consentry.policy.models import Alert, AlertState
from consentry.policy.predefined import BY_KEY

_WEIGHT = Case(
    *(When(severity=name, then=Value(weight)) for weight, name in enumerate(("critical", "high", "medium", "low"))),
    default=Value(9),
    output_field=IntegerField(),
)


def alerts(account_id: UUID, *, states: tuple[str, ...] = (), connector: str | None = None) -> QuerySet[Alert]:
    """An account's alerts: what is live first, then by severity, the newest first."""
    found = Alert.objects.filter(policy__account_id=account_id, plugin__connector__account_id=account_id).select_related(
        "policy", "plugin__connector"
    )
    if states:
        found = found.filter(state__in=states)
    if connector is not None:
        found = found.filter(plugin__connector__name=connector)
    live = Case(When(state__in=[AlertState.OPEN, AlertState.ACKNOWLEDGED], then=Value(0)), default=Value(1), output_field=IntegerField())
    return found.order_by(live, _WEIGHT, "-opened_at", "pk")


def as_data(alert: Alert) -> dict[str, Any]:
    """An alert as JSON-ready data."""
    rule = BY_KEY[alert.policy.key]
    return {
        "id": str(alert.pk),
        "connector": alert.plugin.connector.name,
        "policy": alert.policy.key,
        "title": rule.title,
        "why": rule.why,
        "remedy": rule.remedy,
        "technique": rule.technique or None,
        "severity": alert.severity,
        "state": alert.state,
        "plugin_id": str(alert.plugin_id),
        "plugin": alert.plugin.name,
        "app_id": str(alert.plugin.app_id) if alert.plugin.app_id else None,
        "opened_at": moment(alert.opened_at),
        "seen_at": moment(alert.seen_at),
        "closed_at": moment(alert.closed_at),
        "closed_by": alert.closed_by or None,
        "reason": alert.reason,
        "assignee": alert.assignee or None,
        "times": alert.times,
        "evidence": alert.evidence,
    }


def rows(account_id: UUID, *, connector: str | None = None) -> Iterator[dict[str, Any]]:
    """Every alert as data."""
    return (as_data(alert) for alert in alerts(account_id, connector=connector).iterator(chunk_size=500))


def policy_rows(account: Account) -> list[dict[str, Any]]:
    """The account's policies with how many alerts of each are live."""
    listed = services.policies(account)
    live = Q(state__in=[AlertState.OPEN, AlertState.ACKNOWLEDGED])
    counts = dict(Alert.objects.filter(live, policy__in=listed).values_list("policy").annotate(Count("pk")))
    return [
        {
            "id": str(policy.pk),
            "key": policy.key,
            "title": BY_KEY[policy.key].title,
            "why": BY_KEY[policy.key].why,
            "severity": BY_KEY[policy.key].severity,
            "technique": BY_KEY[policy.key].technique or None,
            "state": policy.state,
            "live_alerts": counts.get(policy.pk, 0),
        }
        for policy in listed
    ]
