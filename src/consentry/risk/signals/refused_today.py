"""Consents that people could not give any more."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.refused_today:
        return None
    named = ", ".join(facts.refused_today[:3])
    return Observation(1.0, f"People granted {named} themselves; the tenant's consent policy would refuse that today.")


SIGNAL = Signal(
    key="refused_today",
    title="Consents from before a stricter rule",
    why="A stricter consent policy leaves old consents as they are.",
    strength="medium",
    remedy="Remove them or have an administrator approve the app.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity/enterprise-apps/manage-app-consent-policies",),
)
