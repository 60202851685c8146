"""A new key on a powerful app of the own tenant that nobody was using."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal, Unknown

_NEW = timedelta(days=30)
_OLD = timedelta(days=180)
_SLEEP = timedelta(days=90)


def observe(facts: Facts) -> Observation | Unknown | None:
    powerful = facts.strongest >= 4 or facts.directory_roles or facts.azure_roles
    if facts.origin not in {"own", "agent_identity"} or not powerful or not facts.since or not facts.aged(facts.since, more_than=_OLD):
        return None
    began = {key: key.added_at or key.starts_at for key in facts.live_keys}
    new = {key: moment for key, moment in began.items() if moment and facts.lately(moment, within=_NEW)}
    if not new:
        return None
    words = f"It has been here since {facts.since:%d %B %Y}, and got a new {next(iter(new)).kind} in the last 30 days."
    if facts.last_used_state == "never":
        return Observation(7.5, f"{words} Nobody has ever used it.")
    if slept := _asleep_since(facts, new.values()):
        return Observation(7.5, f"{words} Nobody had used it since {slept:%d %B %Y}.")
    if facts.last_used_state == "known":
        return None
    if all(key in new for key in facts.keys if key.ends_at is None or not facts.aged(key.ends_at, more_than=_SLEEP)):
        return Observation(6.0, f"{words} It has no older one, and when it was last used is not known.")
    return Unknown("whether the app was in use when it got a new key")


def _asleep_since(facts: Facts, keys: Iterable[datetime]) -> datetime | None:
    """Since when it slept for months while one of the keys came; whoever uses the key ends that sleep."""
    if facts.woke_up:
        before, again = facts.woke_up  # whole days
        if again - before > _SLEEP and any(before < key < again + timedelta(days=1) for key in keys):
            return before
    return facts.unused_since(_SLEEP.days)


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
