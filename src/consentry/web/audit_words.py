"""The audit trail in words: what each action and detail that the rooms below record as codes means to a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from consentry.accounts.models import Account, Role
from consentry.audit.models import AuditEvent
from consentry.connect.models import RegistrationRole
from consentry.inventory.models import DecisionState
from consentry.notify.models import ChannelKind, Severity
from consentry.policy.models import Policy, PolicyState
from consentry.policy.predefined import PREDEFINED
from consentry.risk.signals import BY_KEY as SIGNALS

ACTIONS: dict[str, str] = {
    "accounts:licence:granted": "Granted a licence",
    "accounts:licence:revoked": "Revoked a licence",
    "accounts:person:added": "Added a person",
    "accounts:person:deactivated": "Deactivated a person",
    "accounts:person:reactivated": "Let a person in again",
    "accounts:person:role_changed": "Gave a person another role",
    "accounts:token:created": "Made an API token",
    "accounts:token:revoked": "Revoked an API token",
    "connect:authorisation:failed": "An authorisation failed",
    "connect:authorisation:started": "Began an authorisation",
    "connect:connector:authorised": "Authorised a connector",
    "connect:connector:created": "Made a connector",
    "connect:connector:deleted": "Deleted a connector",
    "connect:connector:disconnected": "Disconnected a connector",
    "connect:connector:edited": "Changed a connector",
    "connect:integration:authorised": "Authorised an integration",
    "connect:integration:created": "Made an integration",
    "connect:integration:deleted": "Deleted an integration",
    "connect:integration:edited": "Changed an integration",
    "connect:registration:deleted": "Deleted an app registration",
    "connect:registration:saved": "Saved an app registration",
    "notify:channel:changed": "Changed a channel",
    "notify:channel:deleted": "Deleted a channel",
    "notify:channel:made": "Made a channel",
    "notify:channel:secret_replaced": "Replaced a channel's signing secret",
    "notify:channel:switched": "Switched a channel on or off",
    "notify:delivery:replayed": "Sent a message once more",
    "policy:alert:acknowledged": "Acknowledged an alert",
    "policy:alert:assigned": "Assigned an alert",
    "policy:alert:dismissed": "Dismissed an alert",
    "policy:alert:open": "Opened an alert again",
    "policy:alert:resolved": "Resolved an alert",
    "policy:policy:deleted": "Deleted a policy",
    "policy:policy:saved": "Saved a policy",
    "policy:policy:switched": "Changed how a policy alerts",
    "respond:plugin:decided": "Decided on a plugin",
    "respond:plugin:decision_undone": "Undid a decision on a plugin",
    "risk:rogue:added": "Called an app rogue",
    "risk:rogue:removed": "Took an app off the list of rogue apps",
    "risk:weights:changed": "Changed the risk weights",
}
_NAMES: dict[str, str] = {
    "client_id": "Client ID",
    "cooldown_hours": "Cool-down, hours",
    "enabled": "Switched",
    "factors": "Weights",
    "to": "To",
}
_LABELS: dict[str, Mapping[Any, str]] = {
    "enabled": {True: "on", False: "off"},
    "kind": dict(ChannelKind.choices),
    "role": {**dict(Role.choices), **dict(RegistrationRole.choices)},
    "severity": dict(Severity.choices),
    "state": {**dict(PolicyState.choices), **dict(DecisionState.choices)},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed as it is shown. ``details`` are names and values; what says nothing is left out."""

    event: AuditEvent
    what: str
    details: list[tuple[str, str]]


def entries(account: Account, events: Iterable[AuditEvent]) -> list[Entry]:
    """The events in words, in their order. What has none, such as an action of another version, stays a code."""
    policies = {policy.key: policy.title for policy in Policy.objects.filter(account=account)} | {one.key: one.title for one in PREDEFINED}
    return [Entry(event, ACTIONS.get(event.action, event.action), _details(event.detail, policies)) for event in events]


def _details(detail: Mapping[str, Any], policies: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (_NAMES.get(name, name.replace("_", " ").capitalize()), words)
        for name, value in detail.items()
        if (words := _words(name, value, policies))
    ]


def _words(name: str, value: Any, policies: Mapping[str, str]) -> str:
    """A detail's value; empty when there is nothing to say."""
    if name == "factors" and isinstance(value, dict):
        changed = [f"{SIGNALS[key].title if key in SIGNALS else key} × {factor}" for key, factor in value.items()]
        return ", ".join(changed) or "all as delivered"
    if value is None or value in ("", [], {}):
        return ""
    if name == "policy":
        return policies.get(str(value), str(value))
    if isinstance(value, str | bool):
        return _LABELS.get(name, {}).get(value, str(value))
    return str(value)
