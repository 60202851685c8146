"""Microsoft switched the app off everywhere."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.disabled_by_microsoft in {None, "", "NotDisabled"}:
        return None
    return Observation(9.0, f"Microsoft's verdict on it: {facts.disabled_by_microsoft}.")


SIGNAL = Signal(
    key="disabled_by_microsoft",
    title="Microsoft disabled it",
    why="Microsoft switches an app off when it is malicious or breaks its terms. Its consents stay behind.",
    strength="strong",
    remedy="Remove it and look at what it did before it was switched off.",
    observe=observe,
    unknown="Without a word from Microsoft nothing is assumed.",
    links=("https://learn.microsoft.com/graph/api/resources/serviceprincipal",),
)
