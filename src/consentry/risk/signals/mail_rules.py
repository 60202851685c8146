"""May hide mail: change mailbox settings and read or send mail."""

from __future__ import annotations

import re

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_SETTINGS = re.compile(r"mailboxsettings\.readwrite", re.IGNORECASE)
_MAIL = re.compile(r"mail\.(read|send)|ews\.accessasuser|full_access_as_app|imap\.|mail$", re.IGNORECASE)
_TAKES_OVER = 7.5


def observe(facts: Facts) -> Observation | None:
    if facts.origin == "microsoft":
        return None
    settings, mail = facts.holding(_SETTINGS), facts.holding(_MAIL)
    if not settings or not mail:
        return None
    words = f"{settings[0].value} with {', '.join(sorted({held.value for held in mail})[:3])}, for {settings[0].who}."
    if facts.foreign and not facts.vouched:
        worse = facts.takeover >= _TAKES_OVER  # then that is said first
        return Observation(6.5, f"{words} Nobody vouches for its publisher.", strength="power" if worse else "")
    return Observation(3.0 if facts.foreign else 1.0, words, strength="medium")


SIGNAL = Signal(
    key="mail_rules",
    title="It can make inbox rules and read or send mail",
    why="Fraud by mail hides behind rules that move answers away or forward them outside; an app needs exactly these two permissions.",
    strength="strong",
    remedy="Look at the inbox rules and forwarding of the people who use it, then remove the permission to change mailbox settings.",
    observe=observe,
    unknown="A publisher of whom nothing is known counts as not verified.",
    links=("https://learn.microsoft.com/defender-office-365/detect-and-remediate-outlook-rules-forms-attack",),
    technique="T1564.008 Email Hiding Rules",
)
