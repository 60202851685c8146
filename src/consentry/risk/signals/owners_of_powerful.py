"""Whoever owns a powerful app can add a key to it and act as it."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.takeover < 6.5 or not facts.owners or facts.origin == "microsoft":
        return None
    named = ", ".join(facts.owner_names[:3]) or f"{facts.owners} owners"
    return Observation(1.5, f"{named} can add a key and so act as an app that could take over the tenant.")


SIGNAL = Signal(
    key="owners_of_powerful",
    title="Owners of a powerful app",
    why="An owner needs no administrator role to become as powerful as the app.",
    strength="medium",
    remedy="Leave ownership to people who are administrators anyway.",
    observe=observe,
    unknown="Owners that could not be read count neither way.",
    technique="T1098.001 Additional Cloud Credentials",
)
