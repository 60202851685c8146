"""Names that campaigns use: nothing but signs, a person's address, or the name of a known rogue app."""

from __future__ import annotations

import re

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal
from consentry.risk.signals.rogue_app import ROGUE_APPS

_ROGUE_NAMES = re.compile("|".join(re.escape(name.lower()) for name in ROGUE_APPS.values()))
_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ADDRESS = re.compile(r"^[^@\s]+@[^@\s]+\.\w+$")


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or facts.app_id.lower() in ROGUE_APPS:
        return None
    name = facts.name.strip()
    if _HIDDEN.search(name):
        return Observation(3.0, f"Characters in the name turn or hide the text: {facts.name}")
    if match := _ROGUE_NAMES.search(name.lower()):
        return Observation(2.5, f"The name contains that of the rogue app {match.group()}, with another app id.")
    if not any(char.isalnum() for char in name):
        return Observation(2.0, "The name has no letter and no digit." if name else "The app has no name.")
    if _ADDRESS.match(name):
        return Observation(2.0, f"The name is a mail address: {facts.name}")
    return None


SIGNAL = Signal(
    key="name_pattern",
    title="A name as campaigns use them",
    why="Hidden characters, empty names and mail addresses as names are rare among vendors and common among attackers.",
    strength="medium",
    remedy="Look at its permissions and at who consented.",
    observe=observe,
    technique="T1036 Masquerading",
)
