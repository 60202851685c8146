"""What a policy may ask of a plugin. Pure: facts in, yes or no out.

A rule is groups of conditions: every group must hold, and a group holds when one of its conditions does; each condition may be
turned round. So and, or and not are all there, and a page can show it as lines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from consentry.core.errors import ConsentryError

SERIOUS = ("high", "critical")
CHANGES = {
    "plugin_added": "It appeared",
    "plugin_returned": "It came back",
    "gained_permission": "It gained a permission",
    "credential_added": "A secret or certificate was added",
    "publisher_changed": "Its publisher changed",
    "reply_urls_changed": "Its reply URLs changed",
    "plugin_renamed": "It was renamed",
    "plugin_woke_up": "It woke up after months",
    "roles_changed": "Its directory or Azure roles changed",
    "owner_added": "It got a new owner",
    "plugin_first_seen": "It was there at the first sync",
}
_MEANS = {
    "grant_added": "gained_permission",
    "grant_changed": "gained_permission",
    "grant_added_for_many": "gained_permission",
    "grant_changed_for_many": "gained_permission",
    "permission_added": "gained_permission",
    "inherited_added": "gained_permission",
    "azure_roles_changed": "roles_changed",
    "publisher_verification_changed": "publisher_changed",
}
MOST_GROUPS, MOST_CONDITIONS = 12, 12


@dataclass(frozen=True, slots=True)
class Facts:
    """A plugin as it is now, and the kinds of changes that a run found (``Change.kind``)."""

    now: datetime
    name: str = ""
    origin: str = "unknown"
    connector: str = ""
    risk_level: str = "none"
    score: float = 0.0
    score_before: float | None = None  # before this run, when it changed in it
    permission_level: str = "none"
    decision: str = "unclassified"
    decision_until: date | None = None
    enabled: bool | None = None
    verified: bool | None = None
    users: int = 0
    users_gained: int = 0  # in 30 days
    everybody: bool = False
    last_used: datetime | None = None
    last_used_state: str = "unknown"
    publisher: str = ""
    app_id: str = ""
    first_seen: datetime | None = None
    services: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()  # values in lower case; filled only when a rule asks
    people: frozenset[str] = frozenset()  # who let it in: names and addresses in lower case; filled only when a rule asks
    signals: Mapping[str, str] = field(default_factory=dict)  # key -> severity
    changes: frozenset[str] = frozenset()

    @property
    def meant(self) -> set[str]:
        """The changes as keys of ``CHANGES``, and what has no key there as it is."""
        return {_MEANS.get(kind, kind) for kind in self.changes}


def happened(changes: Collection[str]) -> str:
    """Changes (``Change.kind``) in words, those that policies know; empty when there is none."""
    return "; ".join(words for key, words in CHANGES.items() if key in {_MEANS.get(kind, kind) for kind in changes})


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask. ``kind`` is ``choice`` (a list of values), ``number``, ``text`` or ``flag``."""

    label: str
    kind: str
    holds: Callable[[Facts, Any], bool]
    unit: str = ""
    of_change: bool = False


def _days(facts: Facts, moment: datetime | None, number: float) -> bool:
    """True when ``moment`` is known and within that many days."""
    return moment is not None and facts.now - moment <= timedelta(days=number)


def _share_gained(facts: Facts) -> float:
    before = facts.users - facts.users_gained
    return 100 * facts.users_gained / before if before > 0 else 0.0


FIELDS: dict[str, Field] = {
    "risk": Field("Risk is", "choice", lambda facts, wanted: facts.risk_level in wanted),
    "score": Field("Score is at least", "number", lambda facts, least: facts.score >= least),
    "score_rose": Field(
        "Score rose to at least",
        "number",
        lambda facts, least: facts.score_before is not None and facts.score_before < least <= facts.score,
        of_change=True,
    ),
    "permission_level": Field("Strongest permission is", "choice", lambda facts, wanted: facts.permission_level in wanted),
    "permission": Field("Holds a permission that begins with", "text", lambda facts, text: any(one.startswith(text.lower()) for one in facts.permissions)),
    "connected_to": Field("Reaches", "choice", lambda facts, wanted: bool(facts.services & set(wanted))),
    "origin": Field("Comes from", "choice", lambda facts, wanted: facts.origin in wanted),
    "verified": Field("Publisher is verified", "flag", lambda facts, wanted: facts.verified is wanted),
    "publisher": Field("Publisher contains", "text", lambda facts, text: text.lower() in facts.publisher.lower()),
    "app_id": Field("App id is", "text", lambda facts, text: text.lower() == facts.app_id.lower()),
    "name": Field("Name contains", "text", lambda facts, text: text.lower() in facts.name.lower()),
    "connector": Field("Tenant is", "choice", lambda facts, wanted: facts.connector in wanted),
    "decision": Field("Decision is", "choice", lambda facts, wanted: facts.decision in wanted),
    "undecided": Field(
        "Nobody decided for", "number", lambda facts, days: facts.decision == "unclassified" and facts.first_seen is not None and not _days(facts, facts.first_seen, days), unit="days"
    ),
    "risk_expired": Field("An accepted risk has ended", "flag", lambda facts, wanted: (facts.decision == "risk_accepted" and facts.decision_until is not None and facts.decision_until < facts.now.date()) is wanted),
    "enabled": Field("Enabled", "flag", lambda facts, wanted: (facts.enabled is not False) is wanted),
    "person": Field("Let in by somebody whose name or mail has", "text", lambda facts, text: any(text.lower() in one for one in facts.people)),
    "users": Field("People who let it in, at least", "number", lambda facts, least: facts.users >= least),
    "users_up": Field("People rose in 30 days by at least", "number", lambda facts, percent: _share_gained(facts) >= percent, unit="%"),
    "everybody": Field("Granted for everybody", "flag", lambda facts, wanted: facts.everybody is wanted),
    "used": Field("Used within", "number", lambda facts, days: _days(facts, facts.last_used, days), unit="days"),
    "unused": Field("Known to be unused for", "number", lambda facts, days: facts.last_used is not None and not _days(facts, facts.last_used, days), unit="days"),
    "use": Field("Last use is", "choice", lambda facts, wanted: facts.last_used_state in wanted),
    "new": Field("First seen within", "number", lambda facts, days: _days(facts, facts.first_seen, days), unit="days"),
    "signal": Field("Has the signal", "choice", lambda facts, wanted: any(key in facts.signals for key in wanted)),
    "grave_signal": Field("Has the signal, high or critical", "choice", lambda facts, wanted: any(facts.signals.get(key) in SERIOUS for key in wanted)),
    "change": Field("Since the last sync", "choice", lambda facts, wanted: bool(facts.meant & set(wanted)), of_change=True),
}  # fmt: skip

Rule = Sequence[Sequence[Mapping[str, Any]]]


def holds(rule: Rule, facts: Facts) -> bool:
    """True when every group has a condition that holds. Microsoft's own apps are left alone by rules that don't name that origin."""
    return (facts.origin != "microsoft" or _names_microsoft(rule)) and all(
        any(FIELDS[one["field"]].holds(facts, one["value"]) != one.get("not", False) for one in group) for group in rule
    )


def _names_microsoft(rule: Rule) -> bool:
    return any(one["field"] == "origin" and "microsoft" in one["value"] and not one.get("not", False) for group in rule for one in group)


def of_change(rule: Rule) -> bool:
    """True when the rule can only hold in the run that finds a change: a group asks for nothing but changes."""
    return any(all(FIELDS[one["field"]].of_change and not one.get("not", False) for one in group) for group in rule)


def asks(rule: Rule, name: str) -> bool:
    """True when the rule asks for a field."""
    return any(one["field"] == name for group in rule for one in group)


def checked(rule: Any) -> list[list[dict[str, Any]]]:
    """A rule from outside, tidy. Raises ``ConsentryError`` for what can't be asked."""
    if not isinstance(rule, list) or not rule or len(rule) > MOST_GROUPS:
        raise _wrong("A policy needs at least one condition.")
    made = []
    for group in rule:
        if not isinstance(group, list) or not group or len(group) > MOST_CONDITIONS:
            raise _wrong("A line of the policy has no condition.")
        made.append([_condition(one) for one in group])
    return made


def _condition(one: Any) -> dict[str, Any]:
    name = one.get("field") if isinstance(one, dict) else None
    found = FIELDS.get(str(name))
    if found is None:
        raise _wrong(f"There is no condition called {name}.")
    value = one.get("value")
    if found.kind == "choice":
        value = [str(item)[:200] for item in value] if isinstance(value, list) else []
        fits = bool(value)
    elif found.kind == "number":
        try:
            value = float(value)
            fits = 0 <= value <= 1_000_000
        except (TypeError, ValueError):
            fits = False
    elif found.kind == "flag":
        fits = isinstance(value, bool)
    else:
        value = str(value or "").strip()[:200]
        fits = bool(value)
    if not fits:
        raise _wrong(f"“{found.label}” needs a value.")
    return {"field": str(name), "value": value, **({"not": True} if one.get("not") else {})}


def _wrong(what: str) -> ConsentryError:
    return ConsentryError("condition_not_understood", what, "Correct the condition, or remove it.")


def words(rule: Rule, labels: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The rule as lines that a person reads, all of which must hold; ``labels`` name the values of a field's choices."""
    return [" or ".join(_words(one, labels) for one in group) for group in rule]


def _words(one: Mapping[str, Any], labels: Mapping[str, Mapping[str, str]]) -> str:
    found = FIELDS[one["field"]]
    value = one["value"]
    turned = "not: " if one.get("not") else ""
    if found.kind == "choice":
        named = [labels.get(one["field"], {}).get(item, item) for item in value]
        said = " or ".join(f"“{name}”" if one["field"] in {"signal", "grave_signal", "change"} else name for name in named)
    elif found.kind == "flag":
        said = "yes" if value else "no"
    else:
        said = f"{value:g} {found.unit}".strip() if found.kind == "number" else f"“{value}”"
    return f"{turned}{found.label} {said}" if found.kind != "flag" else f"{turned}{found.label}: {said}"
