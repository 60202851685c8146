"""Hardly anybody uses it, and it can do much."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_FEW = 3


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or facts.all_users or not 0 < facts.users <= _FEW or facts.strongest < 4:
        return None
    return Observation(
        0.0, f"Only {facts.users} {'person uses' if facts.users == 1 else 'people use'} it, and it holds far-reaching permissions."
    )


SIGNAL = Signal(
    key="rarity",
    title="Rare, and it can do much",
    why="A tool that one person chose was looked at by one person. It has no points: a further user would take them away again.",
    strength="note",
    remedy="Ask that person what it is for.",
    observe=observe,
)
