"""The only writers of policies and alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory.models import Change, Plugin
from consentry.policy.models import Alert, AlertState, Policy, PolicyState
from consentry.policy.predefined import BY_KEY, PREDEFINED, Facts
from consentry.sync.models import SyncRun, TouchedPlugin

_USED_LATELY = timedelta(days=7)
_LIVE = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
PRODUCT = "Consentry"


def policies(account: Account) -> list[Policy]:
    """The account's policies in the order of ``PREDEFINED``; those that it lacks are made, active."""
    found = {policy.key: policy for policy in Policy.objects.filter(account=account)}
    missing = [Policy(account=account, key=one.key) for one in PREDEFINED if one.key not in found]
    if missing:
        Policy.objects.bulk_create(missing, ignore_conflicts=True)
        found = {policy.key: policy for policy in Policy.objects.filter(account=account)}
    return [found[one.key] for one in PREDEFINED]


@transaction.atomic
def set_state(account: Account, key: str, state: str, *, actor: str) -> Policy:
    """Switch a policy on or off. Its alerts stay. Raises ``ConsentryError`` for what does not exist."""
    if key not in BY_KEY or state not in PolicyState.values:
        raise ConsentryError("policy_unknown", f"There is no policy {key}, or no state {state}.", "Choose one of the list.")
    policy = next(one for one in policies(account) if one.key == key)
    policy.state, policy.updated_by = state, actor
    policy.save(update_fields=["state", "updated_by", "updated_at"])
    audit.record(account.id, actor=actor, action="policy:policy:switched", subject=BY_KEY[key].title, state=state)
    return policy


@transaction.atomic
def evaluate_run(run_id: int) -> int:
    """Look at the plugins that a run touched. Returns how many alerts were opened. Can be called again: nothing is told twice."""
    run = SyncRun.objects.select_related("connector__account").get(pk=run_id)
    touched = TouchedPlugin.objects.filter(run_id=run_id)
    ids = list(touched.values_list("plugin_id", flat=True))
    changes: dict[UUID, list[str]] = defaultdict(list)
    for plugin_id, kind in Change.objects.filter(run_id=run_id, plugin_id__isnull=False).values_list("plugin_id", "kind"):
        changes[plugin_id].append(kind)
    opened = evaluate(run.connector.account, {*ids, *changes}, changes)
    touched.delete()
    return opened


@transaction.atomic
def evaluate_plugins(account_id: UUID, plugin_ids: Iterable[UUID]) -> int:
    """Look at plugins whose facts did not change but whose decision did. Returns how many alerts were opened."""
    return evaluate(Account.objects.get(pk=account_id), plugin_ids, {})


def evaluate(account: Account, plugin_ids: Iterable[UUID], changes: dict[UUID, list[str]]) -> int:
    """Open the alerts that are due for these plugins, and resolve those whose condition no longer holds. Returns how many were opened."""
    active = [(policy, BY_KEY[policy.key]) for policy in policies(account) if policy.state == PolicyState.ACTIVE]
    opened = 0
    plugins = Plugin.objects.filter(pk__in=list(plugin_ids), connector__account=account, is_console=False)
    known = {
        (alert.policy_id, alert.plugin_id): alert for alert in Alert.objects.filter(plugin__in=plugins).select_for_update(of=("self",))
    }
    for plugin in plugins:
        facts = _facts(plugin, changes.get(plugin.pk, []))
        for policy, rule in active:
            matched = plugin.removed_at is None and rule.match(facts)
            alert = known.get((policy.pk, plugin.pk))
            if matched:
                opened += _open(policy, plugin, alert, rule.severity, facts, changed=bool(rule.on))
            elif alert and alert.state in _LIVE and (not rule.on or plugin.removed_at is not None):
                _close(alert, AlertState.RESOLVED, "The condition no longer holds.", PRODUCT)
    return opened


def _facts(plugin: Plugin, changes: list[str]) -> Facts:
    return Facts(
        origin=plugin.origin,
        risk_level=plugin.risk_level,
        permission_level=plugin.permission_level,
        decision=plugin.decision,
        enabled=plugin.enabled,
        used_lately=plugin.last_used is not None and now() - plugin.last_used < _USED_LATELY,
        signals=frozenset(reason["signal"] for reason in plugin.risk.get("reasons", [])),
        changes=frozenset(changes),
    )


def _open(policy: Policy, plugin: Plugin, alert: Alert | None, severity: str, facts: Facts, *, changed: bool) -> int:
    """1 when the alert is new or open again. What was dismissed stays so, until something changes again."""
    moment = now()
    evidence: dict[str, Any] = {
        "score": plugin.risk_score,
        "level": plugin.risk_level,
        "users": plugin.users,
        "all_users": plugin.all_users,
        "reasons": plugin.risk.get("reasons", []),
        "changes": sorted(facts.changes),
    }
    if alert is None:
        Alert.objects.create(policy=policy, plugin=plugin, severity=severity, evidence=evidence, opened_at=moment, seen_at=moment)
        return 1
    alert.seen_at = moment
    if alert.state in _LIVE or (alert.state == AlertState.DISMISSED and not changed):
        alert.save(update_fields=["seen_at"])
        return 0
    alert.state, alert.evidence, alert.opened_at, alert.closed_at = AlertState.OPEN, evidence, moment, None
    alert.closed_by = alert.reason = ""
    alert.times += 1
    alert.save()
    return 1


def _close(alert: Alert, state: AlertState, reason: str, actor: str) -> None:
    alert.state, alert.reason, alert.closed_by, alert.closed_at = state, reason, actor, now()
    alert.save(update_fields=["state", "reason", "closed_by", "closed_at"])


@transaction.atomic
def change_alert(alert: Alert, state: str, *, reason: str = "", actor: str) -> None:
    """Acknowledge, resolve, dismiss or reopen. Raises ``ConsentryError`` when a dismissal gives no reason."""
    reason = reason.replace("\x00", "").strip()
    if state not in AlertState.values:
        raise ConsentryError("alert_state_unknown", f"There is no state called {state}.", f"Choose one of {', '.join(AlertState.values)}.")
    if state == AlertState.DISMISSED and not reason:
        raise ConsentryError("reason_missing", "A dismissal needs a reason.", "Say in a few words why this is no problem.")
    if state in _LIVE:
        alert.state, alert.closed_at, alert.closed_by, alert.reason = state, None, "", ""
        alert.assignee = actor if state == AlertState.ACKNOWLEDGED else alert.assignee
        alert.save(update_fields=["state", "closed_at", "closed_by", "reason", "assignee"])
    else:
        _close(alert, AlertState(state), reason, actor)
    account_id = alert.policy.account_id
    audit.record(account_id, actor=actor, action=f"policy:alert:{state}", subject=alert.plugin.name, policy=alert.policy.key, reason=reason)
