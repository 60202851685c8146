"""Reaches mailboxes over an old protocol."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin == "microsoft":
        return None
    old = [held for held in facts.permissions if held.judged.legacy]
    if not old:
        return None
    strongest = max(old, key=lambda held: (held.reach(held.judged.data), held.value))
    return Observation(2.0 if facts.foreign else 1.0, f"{strongest.value} on {strongest.resource} for {strongest.who}.")


SIGNAL = Signal(
    key="legacy_mail",
    title="An old way into mailboxes",
    why="EWS, IMAP, POP, SMTP and ActiveSync give whole mailboxes and are what programs that copy mail use.",
    strength="medium",
    remedy="Ask the vendor for a version that uses Microsoft Graph with only the permissions it needs.",
    observe=observe,
    technique="T1114.002 Remote Email Collection",
)
