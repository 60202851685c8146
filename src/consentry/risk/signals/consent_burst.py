"""Many people consented within a day to an app that reaches their data."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_FEWEST, _FEWEST_VOUCHED = 5, 15
_PERSONAL_DATA = 2.5  # of an unknown publisher's new app: a calendar or contacts will do
_SHARE = 0.2  # of all its users: a popular app gains some every day
_NEW = timedelta(days=30)


def observe(facts: Facts) -> Observation | None:
    burst = facts.burst
    fewest = _FEWEST_VOUCHED if facts.vouched else _FEWEST
    if burst is None or burst.people < max(fewest, _SHARE * facts.users) or not facts.foreign:
        return None
    fresh = facts.since is None or burst.began_at - facts.since <= _NEW
    if facts.strongest < (_PERSONAL_DATA if fresh and not facts.vouched else 4):
        return None
    many = 1.0 if burst.people >= 3 * fewest else 0.0
    weight = (5.0 if not facts.vouched else 2.5) + (2.0 if fresh else 0.0) + many
    words = f"{burst.people:,} people consented within 24 hours from {burst.began_at:%d %B %Y %H:%M} UTC"
    words += ", soon after the app first appeared." if fresh else "."
    return Observation(weight, words, strength="strong" if weight >= 5.5 else "medium")


SIGNAL = Signal(
    key="consent_burst",
    title="A burst of consents",
    why="A phishing message reaches many people at once, and those who fall for it consent within hours.",
    strength="strong",
    remedy="Ask two of the people how they came to the app. If it was a message, disable the app, remove the consents and warn everybody.",
    observe=observe,
    unknown="Consents from before the audit log begins have no date and are not counted.",
    links=("https://learn.microsoft.com/security/operations/incident-response-playbook-app-consent",),
    technique="T1566.002 Spearphishing Link",
)
