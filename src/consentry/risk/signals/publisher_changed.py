"""The app came into other hands lately."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or facts.publisher_changed is None:
        return None
    before, after = facts.publisher_changed
    return Observation(
        2.0 if facts.power >= 4 else 1.0, f"Its publisher changed from {before or 'nobody'} to {after or 'nobody'} in the last 30 days."
    )


SIGNAL = Signal(
    key="publisher_changed",
    title="Its publisher changed",
    why="Apps are sold and taken over, with all the consents that people once gave.",
    strength="medium",
    remedy="Ask the vendor, and review the decision.",
    observe=observe,
)
