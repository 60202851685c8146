"""Guests granted it something."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.guests or facts.strongest < 4:
        return None
    return Observation(0.6, f"{facts.guests:,} {'guest' if facts.guests == 1 else 'guests'} granted it access to this tenant.")


SIGNAL = Signal(
    key="guest_consent",
    title="Guests let it in",
    why="Guests are outside the organisation's rules for devices and passwords.",
    strength="weak",
    remedy="Ask the people who invited the guests.",
    observe=observe,
)
