"""Alerts and policies as pages, API and exports show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Min, Q, QuerySet, Value, When

from consentry.accounts.models import Account
from consentry.core.clock import now
from consentry.inventory.models import Change, Plugin
from consentry.inventory.plugin_data import moment
from consentry.policy import conditions, services
from consentry.policy.definitions import definition
from consentry.policy.facts import facts
from consentry.policy.models import LIVE, Alert, Policy, PolicyState
from consentry.policy.predefined import BY_KEY
from consentry.providers.entra.values import guid
from consentry.risk.models import ScorePoint

_SHOWN = 8
_WEIGHT = Case(
    *(When(severity=name, then=Value(weight)) for weight, name in enumerate(("critical", "high", "medium", "low"))),
    default=Value(9),
    output_field=IntegerField(),
)


def alerts(
    account_id: UUID,
    *,
    states: tuple[str, ...] = (),
    connector: str | None = None,
    policy: str | None = None,
    severity: str | None = None,
    assignee: str | None = None,
    text: str = "",
    audit: bool = False,
) -> QuerySet[Alert]:
    """An account's alerts: what is live first, then by severity, the newest first; with ``audit`` those of policies in audit mode.

    An empty ``assignee`` asks for those that nobody has; ``text`` is part of the plugin's name, or its app id.
    """
    found = Alert.objects.filter(policy__account_id=account_id, plugin__connector__account_id=account_id, audit=audit).select_related(
        "policy", "plugin__connector"
    )
    wanted = {"state__in": states or None, "policy__key": policy, "plugin__connector__name": connector, "severity": severity}
    found = found.filter(**{name: value for name, value in wanted.items() if value is not None})
    if assignee is not None:
        found = found.filter(assignee=assignee)
    if text:
        named = Q(plugin__name__icontains=text)
        found = found.filter(named | Q(plugin__app_id=app_id) if (app_id := guid(text.strip())) else named)
    live = Case(When(state__in=LIVE, then=Value(0)), default=Value(1), output_field=IntegerField())
    return found.order_by(live, _WEIGHT, "-opened_at", "pk")


def as_data(alert: Alert) -> dict[str, Any]:
    """An alert as JSON-ready data."""
    told = definition(alert.policy)
    return {
        "id": str(alert.pk),
        "connector": alert.plugin.connector.name,
        "policy": alert.policy.key,
        "title": told.title,
        "why": told.why,
        "remedy": told.remedy,
        "technique": told.technique or None,
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
        "comments": [{"by": one.by, "at": moment(one.at), "text": one.text, "event": one.event} for one in alert.comments.all()],
        "evidence": alert.evidence,
    }


def rows(account_id: UUID, *, connector: str | None = None) -> Iterator[dict[str, Any]]:
    """Every alert as data."""
    return (as_data(alert) for alert in alerts(account_id, connector=connector).prefetch_related("comments").iterator(chunk_size=500))


def policy_rows(account: Account) -> list[dict[str, Any]]:
    """The account's policies with how many alerts of each are live."""
    listed = services.policies(account)
    live = Q(state__in=LIVE)
    counts = dict(Alert.objects.filter(live, policy__in=listed, audit=False).values_list("policy").annotate(Count("pk")))
    silent = dict(Alert.objects.filter(live, policy__in=listed, audit=True).values_list("policy").annotate(Count("pk")))
    rows = []
    for policy in listed:
        told = definition(policy)
        rows.append(
            {
                "id": str(policy.pk),
                "key": policy.key,
                "title": told.title,
                "why": told.why,
                "severity": told.severity,
                "technique": told.technique or None,
                "state": policy.state,
                "predefined": policy.key in BY_KEY,
                "cooldown_hours": policy.cooldown_hours,
                "rule": told.rule,
                "live_alerts": counts.get(policy.pk, 0),
                "audit_matches": silent.get(policy.pk, 0),
            }
        )
    return rows


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would do: the plugins that match now, and how often it would have alerted in the last days."""

    days: int
    matching: list[Plugin]  # the riskiest
    matches: int
    alerts: int
    of_change: bool
    levels: dict[UUID, str] = field(default_factory=dict)  # risk of every plugin that matches now; empty for a rule of changes


_Point = tuple[datetime, float, str]  # since when, score, level


def trial(account: Account, rule: conditions.Rule, *, days: int = 30) -> Trial:
    """Try a rule on the inventory and on the history. Nothing is stored.

    Changes and scores are those of the history, everything else is as the plugins are today. What a tenant had when it was first read
    matches now, and is no alert of these days.
    """
    since = now() - timedelta(days=days)
    live = Plugin.objects.filter(connector__account=account, removed_at__isnull=True, is_console=False)
    points = _points(account, since)
    if conditions.of_change(rule):
        return _trial_of_changes(account, live, points if conditions.asks(rule, "score_rose") else {}, rule, since, days)
    began = dict(live.order_by().values_list("connector_id").annotate(Min("first_seen")))
    alerts = 0
    matching: list[tuple[float, UUID]] = []
    levels: dict[UUID, str] = {}
    for plugin, seen in facts(live, {}, [rule]):
        past = [replace(seen, score=score, risk_level=level) for _, score, level in points.get(plugin.pk, ())]
        held = [conditions.holds(rule, one) for one in past or [seen]]
        if plugin.first_seen >= since and plugin.first_seen > began[plugin.connector_id]:
            held = [False, *held]
        alerts += sum(after and not before for before, after in pairwise(held))
        if conditions.holds(rule, seen):
            matching.append((plugin.risk_score, plugin.pk))
            levels[plugin.pk] = plugin.risk_level
    riskiest = [pk for _, pk in sorted(matching, key=lambda row: (-row[0], str(row[1])))[:_SHOWN]]
    shown = Plugin.objects.select_related("connector").in_bulk(riskiest)
    return Trial(days, [shown[pk] for pk in riskiest], len(matching), alerts, of_change=False, levels=levels)


def would_open(policy: Policy, tried: Trial) -> int:
    """How many alerts open, and are told, at the moment ``policy`` is saved as it is here with the rule that was ``tried``.

    It need not be stored; what is stored under its id says which alerts there are already.
    """
    if policy.state != PolicyState.ACTIVE:
        return 0
    known = {alert.plugin_id: alert for alert in Alert.objects.filter(policy=policy.pk, plugin__in=list(tried.levels))}
    return sum(services.due(policy, known.get(pk), level, changed=False) for pk, level in tried.levels.items())


def _trial_of_changes(
    account: Account, live: QuerySet[Plugin], points: dict[UUID, list[_Point]], rule: conditions.Rule, since: datetime, days: int
) -> Trial:
    found: dict[UUID, dict[int | None, set[str]]] = defaultdict(lambda: defaultdict(set))
    changes = Change.objects.filter(connector__account=account, at__gte=since, plugin_id__isnull=False)
    for run_id, plugin_id, kind in changes.values_list("run_id", "plugin_id", "kind").iterator(chunk_size=5000):
        if plugin_id:
            found[plugin_id][run_id].add(kind)
    hits: list[tuple[Plugin, int]] = []
    began = dict(live.order_by().values_list("connector_id").annotate(Min("first_seen")))
    for plugin, seen in facts(live.filter(pk__in=[*found, *points]), {}, [rule]):
        moved = points.get(plugin.pk, [])
        if plugin.first_seen >= since and plugin.first_seen > began[plugin.connector_id]:
            moved = [(plugin.first_seen, 0.0, "none"), *moved]  # it came, and had no score before
        events = [replace(seen, changes=frozenset(kinds)) for kinds in found[plugin.pk].values()]
        events += [
            replace(seen, score_before=before, score=score, risk_level=level) for (_, before, _), (_, score, level) in pairwise(moved)
        ]
        if times := sum(conditions.holds(rule, one) for one in events):
            hits.append((plugin, times))
    hits.sort(key=lambda pair: -pair[0].risk_score)
    return Trial(days, [plugin for plugin, _ in hits[:_SHOWN]], len(hits), sum(times for _, times in hits), of_change=True)


def _points(account: Account, since: datetime) -> dict[UUID, list[_Point]]:
    """The scores that plugins had from ``since`` on, in their order, with the one before; only of those whose score moved since."""
    kept: dict[UUID, list[_Point]] = defaultdict(list)
    moved = ScorePoint.objects.filter(plugin__connector__account=account, at__gte=since)
    before = ScorePoint.objects.filter(plugin__in=moved.values("plugin"), at__lt=since).order_by("plugin_id", "-at").distinct("plugin_id")
    for found in (before, moved.order_by("plugin_id", "at")):
        for plugin_id, at, score, level in found.values_list("plugin_id", "at", "score", "level").iterator(chunk_size=5000):
            kept[plugin_id].append((at, score, level))
    return kept
