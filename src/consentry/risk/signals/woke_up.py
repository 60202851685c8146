"""Slept for months and is in use again."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin == "microsoft" or facts.strongest < 4 or facts.woke_up is None:
        return None
    before, again = facts.woke_up
    if not facts.lately(again, within=timedelta(days=30)):
        return None
    return Observation(3.0 if facts.foreign else 2.0, f"Unused since {before:%d %B %Y}, and in use again since {again:%d %B %Y}.")


SIGNAL = Signal(
    key="woke_up",
    title="It slept and is in use again",
    why="A forgotten app that wakes up may be in other hands.",
    strength="medium",
    remedy="Ask its users or owner; look at where it signs in from.",
    observe=observe,
    technique="T1078.004 Cloud Accounts",
)
