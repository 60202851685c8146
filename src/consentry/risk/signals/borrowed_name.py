"""A well-known brand stands in the name, and the publisher is somebody else."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal
from consentry.risk.signals.impersonation import BRANDS, words_of


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or facts.vouched or not facts.publisher:
        return None
    publisher = facts.publisher.casefold()
    found = [word for word in words_of(facts.name) if word in BRANDS and word not in publisher]
    if not found:
        return None
    return Observation(1.5, f"The name {facts.name} speaks of {found[0]}; the publisher is {facts.publisher}, which nobody has verified.")


SIGNAL = Signal(
    key="borrowed_name",
    title="A brand in the name, another publisher",
    why="Add-ons carry the names of what they connect to. So do fakes.",
    strength="medium",
    remedy="Look the publisher up; ask the people who use it.",
    observe=observe,
    unknown="Without a publisher nothing is compared.",
)
