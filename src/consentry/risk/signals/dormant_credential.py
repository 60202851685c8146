"""A new key on a powerful app of the own tenant that nobody was using."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal, Unknown

_NEW = timedelta(days=30)
_OLD = timedelta(days=180)


def observe(facts: Facts) -> Observation | Unknown | None:
    if facts.origin not in {"own", "agent_identity"} or facts.power < 4 or not facts.aged(facts.created_at, more_than=_OLD):
        return None
    began = {key: key.added_at or key.starts_at for key in facts.live_keys}
    new = [key for key, moment in began.items() if facts.lately(moment, within=_NEW)]
    if not new:
        return None
    words = f"It has been here since {facts.created_at:%d %B %Y}, and got a new {new[0].kind} in the last 30 days."
    if facts.last_used_state == "never":
        return Observation(7.5, f"{words} Nobody has ever used it.")
    before_key = facts.last_used and min(moment for moment in began.values() if moment) - facts.last_used
    if facts.unused_since(90) or (before_key and before_key > timedelta(days=90)):
        return Observation(7.5, f"{words} It was last used on {facts.last_used:%d %B %Y}.")
    if facts.last_used_state == "known":
        return None
    if len(new) == len(facts.keys):
        return Observation(6.0, f"{words} It has no older one, and when it was last used is not known.")
    return Unknown("whether the app was in use when it got a new key")


SIGNAL = Signal(
    key="dormant_credential",
    title="A new key on an app that slept",
    why="Attackers wake old powerful apps with a key of their own: nobody misses what nobody uses.",
    strength="strong",
    remedy="Ask the person who added the key. Remove key and permissions if nobody needs the app.",
    observe=observe,
    unknown="Without a record of use it counts only when the app has no older key: otherwise it may be a rotation.",
    links=("https://learn.microsoft.com/entra/architecture/security-operations-applications",),
    technique="T1098.001 Additional Cloud Credentials",
)
