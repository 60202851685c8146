"""People with an administrator role gave it something of their own."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.powerful_consenters or facts.strongest < 4:
        return None
    named = ", ".join(facts.powerful_consenters[:3])
    return Observation(1.5 if not facts.vouched else 0.8, f"{named} granted it access to their own account and hold administrator roles.")


SIGNAL = Signal(
    key="powerful_consent",
    title="Administrators let it into their own accounts",
    why="A plugin with an administrator's mail or files holds more than one with anybody else's.",
    strength="medium",
    remedy="Ask them whether they still need it, and remove those consents first.",
    observe=observe,
    unknown="Without leave to read roles nothing is assumed.",
)
