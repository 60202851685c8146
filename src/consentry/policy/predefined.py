"""The policies that are there from the first day. Pure: facts in, yes or no out.

Those with ``on`` speak of a change and match only in the run that found it; the others hold for as long as their condition does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SERIOUS = frozenset({"high", "critical"})
_GAINED = frozenset({"grant_added", "grant_changed", "grant_added_for_many", "grant_changed_for_many", "permission_added"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a policy may look at: the plugin as it is now, and the kinds of changes that a run found."""

    origin: str
    risk_level: str
    permission_level: str
    decision: str
    enabled: bool | None
    used_lately: bool
    signals: frozenset[str]
    changes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Predefined:
    """``technique`` is the MITRE ATT&CK technique that fits, where one does."""

    key: str
    title: str
    why: str
    severity: str
    matches: Callable[[Facts], bool]
    remedy: str
    on: frozenset[str] = frozenset()
    technique: str = ""

    def match(self, facts: Facts) -> bool:
        """True when an alert is due."""
        return (not self.on or bool(self.on & facts.changes)) and self.matches(facts)


PREDEFINED = (
    Predefined(
        "rogue_app",
        "A known rogue app is in the tenant",
        "Its app id is one that attackers have used against other organisations.",
        "critical",
        lambda facts: "rogue_app" in facts.signals,
        "Find out who uses it and why, remove it, and look at what those mailboxes did since.",
        technique="T1528 Steal Application Access Token",
    ),
    Predefined(
        "impersonation",
        "An app imitates Microsoft",
        "Its name is written to be taken for a Microsoft product.",
        "critical",
        lambda facts: "impersonation" in facts.signals,
        "Treat it as phishing: remove it and tell the people who consented.",
        technique="T1566.002 Spearphishing Link",
    ),
    Predefined(
        "disabled_by_microsoft",
        "Microsoft disabled an app that is still here",
        "Microsoft switched it off for breaking its terms.",
        "critical",
        lambda facts: "disabled_by_microsoft" in facts.signals,
        "Remove it and look at what it did.",
    ),
    Predefined(
        "new_risky",
        "A risky plugin appeared",
        "It was not there at the last sync and scores high.",
        "high",
        lambda facts: facts.risk_level in SERIOUS and facts.decision != "sanctioned",
        "Decide on it while few people use it.",
        on=frozenset({"plugin_added", "plugin_returned"}),
        technique="T1528 Steal Application Access Token",
    ),
    Predefined(
        "gained_power",
        "A plugin gained permissions and is risky now",
        "It was granted more than before and scores high.",
        "high",
        lambda facts: facts.risk_level in SERIOUS and "plugin_added" not in facts.changes,
        "Ask who granted it and why; take back what is not needed.",
        on=_GAINED,
        technique="T1098.003 Additional Cloud Roles",
    ),
    Predefined(
        "credential_added",
        "A secret or certificate was added to another firm's app",
        "Whoever holds it can act as the app; vendors keep theirs in their own tenant.",
        "high",
        lambda facts: facts.origin in {"third_party", "unknown"} and facts.permission_level in SERIOUS | {"medium"},
        "Remove it unless you know who added it.",
        on=frozenset({"credential_added"}),
        technique="T1098.001 Additional Cloud Credentials",
    ),
    Predefined(
        "publisher_changed",
        "A plugin's publisher changed",
        "The app may have been sold, or taken over.",
        "medium",
        lambda facts: facts.origin == "third_party" and facts.permission_level in SERIOUS,
        "Ask the vendor, and review the decision.",
        on=frozenset({"publisher_changed", "publisher_verification_changed"}),
    ),
    Predefined(
        "unsanctioned_in_use",
        "An unsanctioned plugin is in use",
        "It was decided against, is enabled, and somebody used it in the last seven days.",
        "medium",
        lambda facts: facts.decision in {"unsanctioned", "needs_removal"} and facts.used_lately and facts.enabled is not False,
        "Reach its users, then have it removed.",
    ),
)
BY_KEY = {one.key: one for one in PREDEFINED}
