"""Keys that live long: secrets beyond 180 days, certificates beyond 365."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_LONGEST = {"secret": timedelta(days=180), "certificate": timedelta(days=366)}


def observe(facts: Facts) -> Observation | None:
    if facts.strongest < 4:
        return None
    long = [
        key
        for key in facts.live_keys
        if key.kind in _LONGEST and key.starts_at and (key.ends_at is None or key.ends_at - key.starts_at > _LONGEST[key.kind])
    ]
    if not long:
        return None
    key = max(long, key=lambda one: one.ends_at.timestamp() if one.ends_at else float("inf"))
    return Observation(
        0.8,
        f"{len(long)} of its keys live longer than they should; a {key.kind} works until {f'{key.ends_at:%d %B %Y}' if key.ends_at else 'for ever'}.",
    )


SIGNAL = Signal(
    key="long_lived_credentials",
    title="Keys that live long",
    why="A leaked key works until it ends. CISA's baseline allows secrets for 180 days and certificates for a year.",
    strength="medium",
    remedy="Replace them by short-lived ones, or by federation, which needs no secret.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity/enterprise-apps/configure-app-management-policies",),
)
