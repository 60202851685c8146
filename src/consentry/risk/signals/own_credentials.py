"""Secrets or certificates that were put on somebody else's app in this tenant."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_DORMANT_DAYS = 90
_NEW = timedelta(days=30)
_OLD = timedelta(days=180)


def observe(facts: Facts) -> Observation | None:
    keys = [key for key in facts.live_keys if key.source == "service_principal"]
    if not keys or not (facts.foreign or facts.origin == "microsoft"):
        return None
    kinds = " and ".join(sorted({f"{key.kind}s" for key in keys}))
    newest = max((moment for key in keys if (moment := key.added_at or key.starts_at)), default=None)
    weight = 8.0 if facts.strongest >= 7 else 6.0 if facts.strongest >= 4 else 3.0
    if facts.origin == "microsoft":
        weight = max(weight, 7.0)  # what Microsoft's own apps may do stands in no grant
    words = (
        f"{len(keys)} {kinds if len(keys) > 1 else keys[0].kind} on its service principal in this tenant; a vendor keeps its own elsewhere."
    )
    dormant = facts.unused_since(_DORMANT_DAYS) or facts.last_used_state == "never"
    if facts.lately(newest, within=_NEW) and facts.aged(facts.since, more_than=_OLD):
        weight = min(weight + 0.5, 9.0)
        words += " The newest is from the last 30 days, on an app that has been here much longer."
    if dormant:
        words += " Nobody had used the app for months."
    return Observation(weight, words, strength="strong" if weight >= 6 else "medium")


SIGNAL = Signal(
    key="own_credentials",
    title="Keys on another firm's app",
    why="Whoever holds such a key acts as the app with all its permissions. Attackers add one to a powerful app that nobody watches.",
    strength="strong",
    remedy="Find out who added it in the audit log; remove it unless there is a good reason, and look at what the app did since.",
    observe=observe,
    unknown="Certificates that only sign SAML assertions are not counted.",
    links=("https://learn.microsoft.com/entra/architecture/security-operations-applications",),
    technique="T1098.001 Additional Cloud Credentials",
)
