"""Came lately and can do much."""

from __future__ import annotations

from datetime import timedelta

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal, Unknown


def observe(facts: Facts) -> Observation | Unknown | None:
    if not facts.foreign or facts.strongest < 4:
        return None
    if facts.since is None:
        return Unknown("since when the plugin is there")
    if not facts.lately(facts.since, within=timedelta(days=30)):
        return None
    days = max((facts.now - facts.since).days, 0)
    weight = (1.8 if days <= 7 else 1.2) * (1.0 if not facts.vouched else 0.6)
    return Observation(
        weight, f"It came {f'{days} days ago' if days > 1 else 'yesterday' if days else 'today'} and holds far-reaching permissions."
    )


SIGNAL = Signal(
    key="new_and_powerful",
    title="New, and it can do much",
    why="What attackers bring is new. What has been in use for years was looked at by somebody.",
    strength="medium",
    remedy="Decide on it while few people use it.",
    observe=observe,
    unknown="A plugin of unknown age is neither new nor old.",
)
