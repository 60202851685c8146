"""Names that campaigns use: nothing but signs, an address, a domain, "test", or the name of a known rogue app."""

from __future__ import annotations

import re

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal
from consentry.risk.signals.rogue_app import ROGUE_APPS

_ROGUE_NAMES = re.compile(rf"(?<!\w)({'|'.join(re.escape(name.lower()) for name in ROGUE_APPS.values())})(?!\w)")
_HIDDEN = re.compile("[\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\u3164\ufeff\uffa0]")
_ADDRESS = re.compile(r"^[^@\s]+@[^@\s]+$")
_DOMAIN = re.compile(r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", re.IGNORECASE)
_TRIAL = re.compile(r"^(test|testing|demo|poc)([ _-]*(app|application))?[ _-]*\d*$", re.IGNORECASE)


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
    if facts.vouched:
        return None
    if _TRIAL.match(name):
        return Observation(0.8, f"The name says no more than {name}.", strength="weak")
    if _DOMAIN.match(name):
        return Observation(0.5, f"The name is nothing but a domain: {name}", strength="weak")
    return None


SIGNAL = Signal(
    key="name_pattern",
    title="A name as campaigns use them",
    why="Hidden characters, empty names and mail addresses as names are rare among vendors and common among attackers; domains and “test” are hints.",
    strength="medium",
    remedy="Look at its permissions and at who consented.",
    observe=observe,
    technique="T1036 Masquerading",
)
