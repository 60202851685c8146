"""Nobody in the organisation is responsible for an own app."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin != "own" or facts.owners != 0 or facts.power < 4:
        return None
    return Observation(0.0, "Nobody owns it, so nobody is asked when it is reviewed.")


SIGNAL = Signal(
    key="no_owner",
    title="Nobody is responsible for it",
    why="A matter of order and not of attack: an app without an owner is not looked after.",
    strength="note",
    remedy="Find the team that uses it, and note that here.",
    observe=observe,
    unknown="Owners that could not be read count neither way.",
)
