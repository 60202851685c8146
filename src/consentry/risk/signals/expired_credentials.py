"""Keys that no longer work and were left behind."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    ended = [key for key in facts.keys if key.usage != "Sign" and key.ends_at and key.ends_at <= facts.now]
    if not ended:
        return None
    return Observation(0.0, f"{len(ended)} of its keys {'has' if len(ended) == 1 else 'have'} ended.")


SIGNAL = Signal(
    key="expired_credentials",
    title="Ended keys",
    why="They do no harm, and say that nobody tidies up.",
    strength="note",
    remedy="Remove them.",
    observe=observe,
)
