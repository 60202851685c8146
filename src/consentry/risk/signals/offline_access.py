"""Keeps its access to mail or files while the person is away."""

from __future__ import annotations

import re

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_OFFLINE = re.compile(r"offline_access$", re.IGNORECASE)


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.holding(_OFFLINE):
        return None
    reads = [held for held in facts.permissions if held.kind == "delegated" and held.judged.data >= 4]
    if not reads:
        return None
    strongest = max(reads, key=lambda held: (held.judged.data, held.value))
    return Observation(1.2 if not facts.vouched else 0.6, f"offline_access with {strongest.value}: it goes on after a password change.")


SIGNAL = Signal(
    key="offline_access",
    title="Lasting access to people's data",
    why="With offline_access a plugin gets new tokens for as long as the consent stands, whatever happens to the password.",
    strength="medium",
    remedy="Remove the consent when the person no longer needs it; a new password does not end it.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity-platform/refresh-tokens",),
)
