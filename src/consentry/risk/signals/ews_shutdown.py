"""Stops working when Microsoft switches Exchange Web Services off."""

from __future__ import annotations

import re

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_EWS = re.compile(r"ews\.|full_access_as_app", re.IGNORECASE)


def observe(facts: Facts) -> Observation | None:
    if facts.origin == "microsoft" or not (held := facts.holding(_EWS)):
        return None
    return Observation(0.0, f"{held[0].value}: Microsoft switches Exchange Web Services off on 1 April 2027.")


SIGNAL = Signal(
    key="ews_shutdown",
    title="It depends on Exchange Web Services",
    why="Microsoft blocks Exchange Web Services step by step since October 2026; what depends on it stops.",
    strength="note",
    remedy="Ask the vendor when the app moves to Microsoft Graph.",
    observe=observe,
)
