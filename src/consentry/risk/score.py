"""From facts to a score whose every point is a stated reason. Pure; the same facts give the same score.

Each observation has a weight w: the score that it would give alone. Together they give ``10 * (1 - prod(1 - w / 10))``, so that a
further reason only ever raises the score and it never passes 10. Reasons take their points one after the other, each its share of
what is left to 10: first what happened, then what the plugin could do, then hints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from consentry.risk.catalogue import level_of
from consentry.risk.facts import Facts, Held
from consentry.risk.signal import STRENGTHS, Observation, Signal, Unknown
from consentry.risk.signals import SIGNALS

VERSION = 6
_MOST = {"strong": 9.9, "power": 9.9, "medium": 4.5, "weak": 1.5}  # what all reasons of a strength may give together
_TRUST = {"microsoft": 10.0, "managed_identity": 9.0, "own": 8.0, "agent_identity": 6.0, "third_party": 3.0, "unknown": 2.0}
_VERIFIED_TRUST = 2.5


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal's contribution. ``points`` are tenths of the score; all reasons' points add up to it."""

    signal: str
    title: str
    points: float
    severity: str
    evidence: str
    remedy: str

    def as_data(self) -> dict[str, object]:
        """The reason as it is stored. Written out: ``dataclasses.asdict`` takes a third of a rescoring's time."""
        return {
            "signal": self.signal,
            "title": self.title,
            "points": self.points,
            "severity": self.severity,
            "evidence": self.evidence,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The result. ``trust`` is 0 (none) to 10 (full); ``notes`` are reasons without points; ``unknown`` is what nobody could say."""

    score: float
    level: str
    takeover: float
    data: float
    trust: float
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    unknown: tuple[str, ...]

    def as_data(self) -> dict[str, object]:
        """The explanation as it is stored with the plugin."""
        return {
            "version": VERSION,
            "axes": {"takeover": self.takeover, "data": self.data, "trust": self.trust},
            "reasons": [reason.as_data() for reason in self.reasons],
            "notes": [note.as_data() for note in self.notes],
            "unknown": list(self.unknown),
        }


def score(facts: Facts, factors: Mapping[str, float] | None = None) -> Score:
    """The plugin's risk. ``factors`` multiply the weights of signals by their keys; 0 leaves a signal out."""
    seen: list[tuple[Signal, Observation]] = []
    notes: list[Reason] = []
    unknown: list[str] = []
    for signal in SIGNALS:
        factor = factors.get(signal.key, 1.0) if factors else 1.0
        if not factor or (found := signal.observe(facts)) is None:
            continue
        if isinstance(found, Unknown):
            unknown.append(found.what)
        else:
            weight = min(9.9, found.weight * factor)
            kept = Observation(weight, found.evidence, found.remedy, found.strength or signal.strength)
            if kept.strength == "note" or weight <= 0:
                notes.append(_reason(signal, kept, 0.0))
            else:
                seen.append((signal, kept))
    seen.sort(key=lambda pair: (STRENGTHS.index(pair[1].strength), -pair[1].weight, pair[0].key))
    total, shares = _shares([observation for _, observation in seen])
    tenths = _tenths(round(total * 10), shares)
    reasons: list[Reason] = []
    for (signal, observation), number in zip(seen, tenths, strict=True):
        (reasons if number else notes).append(_reason(signal, observation, number / 10))
    rounded = sum(tenths) / 10
    return Score(
        score=rounded,
        level=level_of(rounded),
        takeover=round(facts.takeover, 1),
        data=round(facts.data, 1),
        trust=_trust(facts, [observation for _, observation in seen]),
        reasons=tuple(reasons),
        notes=tuple(notes),
        unknown=tuple(unknown),
    )


def without(facts: Facts, *dropped: Held, factors: Mapping[str, float] | None = None) -> Score:
    """What the score would be without these permissions, and without what follows from them alone."""
    gone = set(dropped)
    kept = tuple(held for held in facts.permissions if held not in gone)
    by_people = {held.value for held in kept if held.kind == "delegated" and held.users}
    refused = tuple(value for value in facts.refused_today if value in by_people)
    drift = facts.drift and replace(facts.drift, permissions=tuple(held for held in facts.drift.permissions if held not in gone))
    return score(replace(facts, permissions=kept, refused_today=refused, drift=drift), factors)


def _reason(signal: Signal, observation: Observation, points: float) -> Reason:
    severity = level_of(observation.weight)
    return Reason(signal.key, signal.title, points, severity, observation.evidence, observation.remedy or signal.remedy)


def _shares(observations: list[Observation]) -> tuple[float, list[float]]:
    """The score, and each observation's part of it."""
    left, shares = 1.0, []
    for strength in STRENGTHS:
        group = [one.weight / 10 for one in observations if one.strength == strength]
        if not group:
            continue
        begun, together = left, 1.0
        parts = []
        for weight in group:
            parts.append(together * weight)
            together *= 1 - weight
        given = min(1 - together, _MOST[strength] / 10)
        shares += [begun * part * given / (1 - together) * 10 for part in parts]
        left = begun * (1 - given)
    return (1 - left) * 10, shares


def _tenths(total: int, shares: list[float]) -> list[int]:
    """``shares`` in tenths that add up to ``total``; the largest remainders are rounded up, earlier ones first."""
    floors = [int(share * 10) for share in shares]
    order = sorted(range(len(shares)), key=lambda place: (floors[place] - shares[place] * 10, place))
    for place in order[: total - sum(floors)]:
        floors[place] += 1
    return floors


def _trust(facts: Facts, observations: list[Observation]) -> float:
    trust = _TRUST.get(facts.origin, 2.0) + (_VERIFIED_TRUST if facts.origin == "third_party" and facts.vouched else 0.0)
    for observation in observations:
        if observation.strength in {"strong", "medium"}:
            trust *= 1 - observation.weight / 10
    return round(trust, 1)
