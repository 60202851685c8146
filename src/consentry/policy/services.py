"""The only writers of policies and alerts."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from consentry.accounts.models import Account, Person
from consentry.audit import services as audit
from consentry.core import events
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.hostile import display_text
from consentry.inventory.models import Change, Plugin, RiskLevel
from consentry.notify import services as notify
from consentry.policy import conditions
from consentry.policy.definitions import Definition, definition
from consentry.policy.facts import facts
from consentry.policy.locks import hold_alerts
from consentry.policy.models import LIVE, Alert, AlertComment, AlertState, Policy, PolicyState
from consentry.policy.predefined import BY_KEY, PREDEFINED
from consentry.sync.models import SyncRun, TouchedPlugin

_CUSTOM = "custom-"
_LONGEST_COOLDOWN = 24 * 365  # hours
_SEVERITIES = frozenset(RiskLevel.values) - {RiskLevel.NONE}
PRODUCT = "Consentry"


def policies(account: Account) -> list[Policy]:
    """The account's policies, the predefined ones first and in their order; those that it lacks are made, active."""
    listed = Policy.objects.filter(account=account).order_by("title")
    found = {policy.key: policy for policy in listed}
    missing = [Policy(account=account, key=one.key) for one in PREDEFINED if one.key not in found]
    if missing:
        Policy.objects.bulk_create(missing, ignore_conflicts=True)
        found = {policy.key: policy for policy in listed.all()}
    return [found[one.key] for one in PREDEFINED] + [policy for key, policy in found.items() if key.startswith(_CUSTOM)]


@transaction.atomic
def set_state(account: Account, key: str, state: str, *, actor: str) -> Policy:
    """Make a policy active, put it into audit mode, or switch it off. Its alerts stay; what it finds now is opened by a job.

    Raises ``ConsentryError`` for what does not exist.
    """
    policy = _known(account, key)
    _set(policy, actor, state=state)
    return policy


@transaction.atomic
def adjust(account: Account, key: str, *, state: str, severity: str, cooldown_hours: int, actor: str) -> Policy:
    """Change how a predefined policy alerts; an empty ``severity`` is the product's own. Raises ``ConsentryError`` for what does not exist."""
    policy = _known(account, key)
    if key not in BY_KEY:
        raise ConsentryError("policy_own", "This policy is one of your own.", "Change it in its builder.")
    severity = "" if severity == BY_KEY[key].severity else severity
    _set(policy, actor, state=state, severity=severity, cooldown_hours=cooldown_hours)
    return policy


def _known(account: Account, key: str) -> Policy:
    policy = next((one for one in policies(account) if one.key == key), None)
    if policy is None:
        raise ConsentryError("policy_unknown", f"There is no policy {key}.", "Choose one of the list.")
    return policy


def _set(policy: Policy, actor: str, *, state: str, severity: str | None = None, cooldown_hours: int | None = None) -> None:
    """Change these, and have every plugin looked at once where the policy was asleep."""
    if state not in PolicyState.values or severity not in {None, "", *_SEVERITIES}:
        raise ConsentryError("policy_unknown", "This severity or state does not exist.", "Choose one of the list.")
    asleep = policy.state != PolicyState.ACTIVE
    policy.state, policy.updated_by = state, actor
    if severity is not None:
        policy.severity = severity
    if cooldown_hours is not None:
        policy.cooldown_hours = min(max(cooldown_hours, 0), _LONGEST_COOLDOWN)
    policy.save()
    told = definition(policy)
    audit.record(
        policy.account_id,
        actor=actor,
        action="policy:policy:switched",
        subject=told.title,
        state=state,
        severity=told.severity,
        cooldown_hours=policy.cooldown_hours,
    )
    if asleep and matches_now(policy):
        events.emit("policy:policy:changed", policy_id=str(policy.pk))


def matches_now(policy: Policy) -> bool:
    """True when plugins can match as they are: the policy is not switched off, and asks for more than a change."""
    return policy.state != PolicyState.OFF and not definition(policy).of_change


@transaction.atomic
def look_at(policy_id: UUID) -> int:
    """Hold one policy, as it is now, against every plugin. Returns how many alerts were opened; none when the policy is gone."""
    policy = _held(policy_id)
    if policy is None or not matches_now(policy):
        return 0
    everything = Plugin.objects.filter(connector__account=policy.account_id, removed_at__isnull=True, is_console=False)
    return _evaluate(everything, {}, [policy])


def _held(policy_id: UUID) -> Policy | None:
    """The policy as it is once nobody else works on its account's alerts."""
    for account_id in Policy.objects.filter(pk=policy_id).values_list("account_id", flat=True):
        hold_alerts(account_id)
    return Policy.objects.filter(pk=policy_id).first()


@transaction.atomic
def save_policy(
    account: Account, policy: Policy | None, *, title: str, why: str, severity: str, rule: Any, state: str, cooldown_hours: int, actor: str
) -> Policy:
    """Make or change one of the account's own policies; what it finds now is opened by a job. Raises ``ConsentryError`` for a rule that can't be."""
    title = title.replace("\x00", "").strip()[:200]
    if not title:
        raise ConsentryError("title_missing", "A policy needs a name.", "Say in a few words what it looks out for.")
    if severity not in _SEVERITIES or state not in PolicyState.values:
        raise ConsentryError("policy_unknown", "This severity or state does not exist.", "Choose one of the list.")
    policy = policy or Policy(account=account, key=f"{_CUSTOM}{uuid.uuid4().hex[:12]}")
    policy.title, policy.why, policy.severity, policy.state = title, why.replace("\x00", "").strip(), severity, state
    policy.rule, policy.cooldown_hours, policy.updated_by = conditions.checked(rule), min(max(cooldown_hours, 0), _LONGEST_COOLDOWN), actor
    policy.save()
    audit.record(account.id, actor=actor, action="policy:policy:saved", subject=title, state=state)
    if matches_now(policy):
        events.emit("policy:policy:changed", policy_id=str(policy.pk))
    return policy


@transaction.atomic
def delete_policy(policy: Policy, *, actor: str) -> None:
    """Switch one of the account's own policies off, and have it deleted with its alerts. Raises ``ConsentryError`` for a predefined one."""
    if policy.key in BY_KEY:
        raise ConsentryError("policy_predefined", "A predefined policy can't be deleted.", "Switch it off.")
    policy.state, policy.updated_by = PolicyState.OFF, actor
    policy.save(update_fields=["state", "updated_by", "updated_at"])
    audit.record(policy.account_id, actor=actor, action="policy:policy:deleted", subject=policy.title)
    events.emit("policy:policy:deleted", policy_id=str(policy.pk), actor=actor)


@transaction.atomic
def finish_deletion(policy_id: UUID, *, actor: str) -> None:
    """Delete a policy with its alerts; systems that were told of one hear its end. Can be called again."""
    policy = _held(policy_id)
    if policy is None:
        return
    for alert in Alert.objects.filter(policy=policy, state__in=LIVE).select_related("policy", "plugin__connector"):
        _close(alert, AlertState.RESOLVED, "Its policy was deleted.", actor)
    policy.delete()


@transaction.atomic
def evaluate_run(run_id: int) -> int:
    """Look at the plugins that a run touched, after a full run at all of them, as time counts too. Returns how many alerts were opened.

    Can be called again: nothing is told twice.
    """
    run = SyncRun.objects.select_related("connector__account").get(pk=run_id)
    touched = TouchedPlugin.objects.filter(run_id=run_id)
    if run.mode == "full":
        ids = set(Plugin.objects.filter(connector_id=run.connector_id, removed_at__isnull=True).values_list("pk", flat=True))
    else:
        ids = set()
    ids |= set(touched.values_list("plugin_id", flat=True))
    changes: dict[UUID, set[str]] = defaultdict(set)
    for plugin_id, kind in Change.objects.filter(run_id=run_id, plugin_id__isnull=False).values_list("plugin_id", "kind"):
        if plugin_id:
            changes[plugin_id].add(kind)
    opened = evaluate(run.connector.account, ids | changes.keys(), changes, since=run.started_at or run.queued_at)
    touched.delete()
    return opened


@transaction.atomic
def evaluate_plugins(account_id: UUID, plugin_ids: Iterable[UUID]) -> int:
    """Look at plugins whose facts did not change but whose decision did. Returns how many alerts were opened."""
    return evaluate(Account.objects.get(pk=account_id), plugin_ids, {})


@transaction.atomic
def evaluate_account(account_id: UUID) -> int:
    """Look at every plugin of an account. Returns how many alerts were opened."""
    live = Plugin.objects.filter(connector__account=account_id, removed_at__isnull=True)
    return evaluate(Account.objects.get(pk=account_id), live.values_list("pk", flat=True), {})


@transaction.atomic
def evaluate(
    account: Account, plugin_ids: Iterable[UUID], changes: Mapping[UUID, Collection[str]], *, since: datetime | None = None
) -> int:
    """Open the alerts that are due for these plugins, and resolve those whose condition no longer holds. Returns how many were opened."""
    hold_alerts(account.pk)
    active = [policy for policy in policies(account) if policy.state != PolicyState.OFF]
    plugins = Plugin.objects.filter(pk__in=list(plugin_ids), connector__account=account, is_console=False)
    return _evaluate(plugins, changes, active, since=since)


def _evaluate(plugins: Any, changes: Mapping[UUID, Collection[str]], active: list[Policy], *, since: datetime | None = None) -> int:
    rules = [(policy, definition(policy)) for policy in active]
    asked = [(policy, told, told.of_change) for policy, told in rules]
    known = {
        (alert.policy_id, alert.plugin_id): alert
        for alert in Alert.objects.filter(plugin__in=plugins, policy__in=active).select_for_update(of=("self",))
    }
    opened = 0
    for plugin, seen in facts(plugins, changes, [told.rule for _, told in rules], since=since):
        for policy, told, of_change in asked:
            matched = plugin.removed_at is None and conditions.holds(told.rule, seen)
            alert = known.get((policy.pk, plugin.pk))
            if matched:
                again = bool(of_change and alert and alert.state in LIVE and since and alert.seen_at < since)
                opened += _open(policy, told, plugin, alert, seen, changed=of_change)
                if again and alert:
                    _repeat(alert, told, seen)
            elif alert and alert.state != AlertState.RESOLVED and (not of_change or plugin.removed_at is not None):
                alert.policy, alert.plugin = policy, plugin  # at hand, so that telling reads no row for each alert
                _close(alert, AlertState.RESOLVED, f"{alert.reason} The condition no longer holds.".strip(), PRODUCT)
    return opened


def due(policy: Policy, alert: Alert | None, level: str, *, changed: bool) -> bool:
    """True when a match opens its alert, anew or again; ``level`` is the plugin's risk now.

    What was dismissed stays so, until something changes again or the risk is higher than then.
    """
    if alert is None or _promoted(policy, alert):
        return True
    resting = alert.closed_at is not None and now() - alert.closed_at < timedelta(hours=policy.cooldown_hours)
    dismissed = alert.state == AlertState.DISMISSED and not changed and not _rose(alert.evidence.get("level", "none"), level)
    return not (alert.state in LIVE or dismissed or resting)


def _promoted(policy: Policy, alert: Alert) -> bool:
    """True when the policy left audit mode: now people are told."""
    return alert.audit and policy.state != PolicyState.AUDIT


def _open(policy: Policy, told: Definition, plugin: Plugin, alert: Alert | None, seen: conditions.Facts, *, changed: bool) -> int:
    """1 when the alert is new or open again, as ``due`` says."""
    moment = now()
    silent = policy.state == PolicyState.AUDIT
    evidence: dict[str, Any] = {
        "score": plugin.risk_score,
        "level": plugin.risk_level,
        "users": plugin.users,
        "all_users": plugin.all_users,
        "reasons": plugin.risk.get("reasons", []),
        "changes": sorted(seen.changes),
    }
    if alert is None:
        alert = Alert.objects.create(
            policy=policy, plugin=plugin, severity=told.severity, evidence=evidence, opened_at=moment, seen_at=moment, audit=silent
        )
        _note(alert, PRODUCT, "Opened.")
        _tell(alert, told, "alert.opened")
        return 1
    alert.seen_at = moment
    if not due(policy, alert, plugin.risk_level, changed=changed):
        alert.save(update_fields=["seen_at"])
        return 0
    promoted = _promoted(policy, alert)
    alert.state, alert.evidence, alert.opened_at, alert.closed_at = AlertState.OPEN, evidence, moment, None
    alert.closed_by = alert.reason = ""
    alert.severity, alert.audit = told.severity, silent
    alert.times += 0 if promoted else 1
    alert.save()
    _note(alert, PRODUCT, "The policy became active." if promoted else "It came back: opened again.")
    _tell(alert, told, "alert.opened" if promoted else "alert.reopened")
    return 1


def _repeat(alert: Alert, told: Definition, seen: conditions.Facts) -> None:
    """Note that it happened again while the alert is open; the evidence stays that of the first time."""
    alert.times += 1
    alert.save(update_fields=["times"])
    _note(alert, PRODUCT, f"It happened again. {conditions.happened(seen.changes)}.")
    _tell(alert, told, "alert.repeated")


def _note(alert: Alert, by: str, text: str) -> None:
    AlertComment.objects.create(alert=alert, by=by, at=now(), text=text, event=True)


def _rose(before: str, level: str) -> bool:
    order = RiskLevel.values
    return order.index(level) > order.index(before)


def _tell(alert: Alert, told: Definition, kind: str, *, systems_only: bool = False) -> None:
    if alert.audit:
        return
    plugin = alert.plugin
    link = f"{settings.BASE_URL}{reverse('alert', kwargs={'pk': alert.pk})}"
    reasons = "\n".join(f"+{reason['points']:.1f} {reason['title']}: {reason['evidence']}" for reason in alert.evidence["reasons"][:3])
    who = "everybody" if plugin.all_users else f"{plugin.users:,} {'person' if plugin.users == 1 else 'people'}"
    body = f"{plugin.name or '(no name)'}: {alert.evidence['score']:.1f} of 10, {who}, tenant {plugin.connector.name}.\n{told.why}\n{reasons}\n{told.remedy}\n{link}"
    data = {
        "alert_id": str(alert.pk),
        "link": link,
        "policy": alert.policy.key,
        "title": told.title,
        "severity": alert.severity,
        "technique": told.technique or None,
        "why": told.why,
        "remedy": told.remedy,
        "connector": plugin.connector.name,
        "plugin_id": str(plugin.pk),
        "plugin": plugin.name,
        "app_id": str(plugin.app_id) if plugin.app_id else None,
        "state": alert.state,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
        "closed_by": alert.closed_by,
        "reason": alert.reason,
        "times": alert.times,
        "evidence": alert.evidence,
    }
    notify.publish(
        alert.policy.account_id,
        kind=kind,
        severity=alert.severity,
        title=display_text(f"{told.title}: {plugin.name}"),
        body=body,
        data=data,
        systems_only=systems_only,
    )


def _close(alert: Alert, state: AlertState, reason: str, actor: str) -> None:
    if alert.state == state:  # whoever closed it first said why
        return
    alert.state, alert.reason, alert.closed_by, alert.closed_at = state, reason, actor, now()
    alert.save(update_fields=["state", "reason", "closed_by", "closed_at"])
    _note(alert, actor, f"{state.label}. {reason}".strip())
    _tell(alert, definition(alert.policy), f"alert.{state.value}", systems_only=True)


@transaction.atomic
def change_alert(alert: Alert, state: str, *, reason: str = "", actor: str) -> None:
    """Acknowledge, resolve, dismiss or reopen, which stands in the alert's history. Raises ``ConsentryError`` when a dismissal gives no reason."""
    reason = reason.replace("\x00", "").strip()
    if state not in AlertState.values:
        raise ConsentryError("alert_state_unknown", f"There is no state called {state}.", f"Choose one of {', '.join(AlertState.values)}.")
    if state == AlertState.DISMISSED and not reason:
        raise ConsentryError("reason_missing", "A dismissal needs a reason.", "Say in a few words why this is no problem.")
    if state in LIVE:
        back = alert.state not in LIVE
        alert.state, alert.closed_at, alert.closed_by, alert.reason = state, None, "", ""
        alert.assignee = alert.assignee or actor if state == AlertState.ACKNOWLEDGED else alert.assignee
        alert.save(update_fields=["state", "closed_at", "closed_by", "reason", "assignee"])
        _note(alert, actor, f"{'Opened again' if state == AlertState.OPEN else 'Acknowledged'}. {reason}".strip())
        if back:  # systems were told that it is closed
            _tell(alert, definition(alert.policy), "alert.reopened", systems_only=True)
    else:
        _close(alert, AlertState(state), reason, actor)
    account_id = alert.policy.account_id
    audit.record(account_id, actor=actor, action=f"policy:alert:{state}", subject=alert.plugin.name, policy=alert.policy.key, reason=reason)


@transaction.atomic
def assign(alert: Alert, to: str, *, actor: str) -> None:
    """Give an alert to somebody of the account, or with an empty ``to`` to nobody. Raises ``ConsentryError`` for a stranger."""
    account_id = alert.policy.account_id
    if to and not Person.objects.filter(account=account_id, email=to, is_active=True).exists():
        raise ConsentryError("person_unknown", f"There is nobody here called {to}.", "Choose somebody of the list.")
    alert.assignee = to
    alert.save(update_fields=["assignee"])
    _note(alert, actor, f"Given to {to}." if to else "Given to nobody.")
    audit.record(account_id, actor=actor, action="policy:alert:assigned", subject=alert.plugin.name, policy=alert.policy.key, to=to)


@transaction.atomic
def comment(alert: Alert, text: str, *, actor: str) -> None:
    """Write something to an alert. Raises ``ConsentryError`` for an empty comment."""
    text = text.replace("\x00", "").strip()
    if not text:
        raise ConsentryError("comment_empty", "The comment is empty.", "Write something, or leave it.")
    AlertComment.objects.create(alert=alert, by=actor, at=now(), text=text[:10_000])
