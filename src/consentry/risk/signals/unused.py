"""Can do much, and nobody has used it for months."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal, Unknown

_DAYS = 90


def observe(facts: Facts) -> Observation | Unknown | None:
    if facts.origin == "microsoft" or facts.strongest < 4:
        return None
    if last := facts.unused_since(_DAYS):
        return Observation(1.2, f"Last used on {last:%d %B %Y}; its permissions still work.")
    if facts.last_used_state == "never" and facts.aged(facts.since, more_than=timedelta(days=_DAYS)):
        return Observation(1.2, "Microsoft has recorded no sign-in since it was made; its permissions still work.")
    if facts.last_used_state == "unknown":
        return Unknown("when it was last used: Microsoft has no record")
    if facts.last_used_state == "unlicensed":
        return Unknown("when it was last used: the tenant's licence does not tell")
    return None


SIGNAL = Signal(
    key="unused",
    title="Power that nobody uses",
    why="An unused plugin brings nothing and can be taken over unseen.",
    strength="medium",
    remedy="Remove its access; what nobody uses nobody misses.",
    observe=observe,
    unknown="No record is not the same as no use: it counts neither way.",
)
