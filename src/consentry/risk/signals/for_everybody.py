"""An administrator consented for the whole organisation to what reaches people's data."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign:
        return None
    wide = [
        held
        for held in facts.permissions
        if held.kind == "delegated" and held.everybody and max(held.judged.data, held.judged.takeover) >= 4
    ]
    if not wide:
        return None
    strongest = max(wide, key=lambda held: (max(held.judged.data, held.judged.takeover), held.value))
    return Observation(2.5, f"{strongest.value} on {strongest.resource} holds for everybody, also for people who never heard of the app.")


SIGNAL = Signal(
    key="for_everybody",
    title="Consented for the whole organisation",
    why="One click of an administrator gave it everybody's data, present and future colleagues included.",
    strength="medium",
    remedy="Require assignment and assign the people who need it, or let those people consent for themselves.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent",),
)
