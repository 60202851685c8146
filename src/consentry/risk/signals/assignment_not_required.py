"""Everybody in the tenant may sign in to it."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin != "third_party" or facts.assignment_required is not False or facts.power < 4:
        return None
    return Observation(0.3, "Assignment is not required: everybody may sign in to it.")


SIGNAL = Signal(
    key="assignment_not_required",
    title="Open to everybody",
    why="With assignment required, only the people you choose can use it.",
    strength="weak",
    remedy="Require assignment and assign the people who need it.",
    observe=observe,
    unknown="Where Microsoft does not say, nothing is assumed.",
)
