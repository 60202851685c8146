"""A sanctioned plugin has more than what was approved."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.risk.facts import Facts
from consentry.risk.roles import is_powerful, is_wide
from consentry.risk.signal import Observation, Signal

_SHOWN = 4


def observe(facts: Facts) -> Observation | None:
    drift = facts.drift
    if drift is None:
        return None
    parts, weight = [], 0.0
    if drift.permissions:
        parts.append(f"gained {_few(drift.gained)}")
        weight = 7.5 if drift.power >= 7 else 7.2 if drift.power >= 4 else 5.0 if drift.power >= 2.5 else 2.0
    if drift.roles:
        powerful = [role for role in drift.roles if is_powerful(role)]
        parts.append(
            f"got the {'role' if len(drift.roles) == 1 else 'roles'} {_few((*powerful, *(role for role in drift.roles if role not in powerful)))}"
        )
        weight = max(weight, 7.5 if any(map(is_wide, powerful)) else 5.0 if powerful else 2.0)
    if drift.keys:
        parts.append(f"got {drift.keys} new {'key' if drift.keys == 1 else 'keys'}")
        weight = max(weight, 5.0 if facts.strongest >= 4 else 2.0)
    if drift.publisher:
        parts.append(f"changed its publisher from {drift.publisher[0] or 'nobody'} to {drift.publisher[1] or 'nobody'}")
        weight = max(weight, 5.0 if facts.strongest >= 4 else 2.0)
    if drift.verification_lost:
        parts.append("lost its publisher's verification")
        weight = max(weight, 5.0 if facts.strongest >= 4 else 2.0)
    if drift.reply_urls:
        parts.append(f"has the new reply address {drift.reply_urls[0]}")
        weight = max(weight, 2.5)
    if not parts:
        return None
    words = f"Since it was sanctioned on {drift.since:%d %B %Y} it {'; '.join(parts)}."
    return Observation(weight, words, strength="strong" if weight >= 5 else "medium")


def _few(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


SIGNAL = Signal(
    key="drift",
    title="It is no longer what was approved",
    why="A decision holds for what was looked at. Apps are sold, stolen and extended; a trusted one is the best way in.",
    strength="strong",
    remedy="Look at what is new and decide again; sanctioning it again approves what it has now.",
    observe=observe,
    unknown="Plugins without a decision have nothing to drift from.",
    technique="T1199 Trusted Relationship",
)
