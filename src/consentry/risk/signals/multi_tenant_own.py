"""An app of the own tenant that other tenants may use too."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin != "own" or not facts.multi_tenant or facts.power < 4:
        return None
    return Observation(0.4, "Its registration accepts people of other organisations.")


SIGNAL = Signal(
    key="multi_tenant_own",
    title="Open to other organisations",
    why="An internal app that accepts strangers' sign-ins is often a slip.",
    strength="weak",
    remedy="Limit the registration to this organisation.",
    observe=observe,
)
