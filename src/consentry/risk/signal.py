"""What a signal is: one observed fact about a plugin that changes its risk, with evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consentry.risk.facts import Facts

STRENGTHS = ("strong", "power", "medium", "weak", "note")
"""In the order in which reasons take their points: strong ones are never averaged away, all medium ones together lift a plugin to
*medium* at most, all weak ones stay *low*, and a note has no points."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A signal that is there. ``weight`` is the score it would give alone, 0 to 10; ``strength`` when it differs from the signal's usual."""

    weight: float
    evidence: str
    remedy: str = ""
    strength: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """What would have to be known to say whether the signal is there."""

    what: str


@dataclass(frozen=True, slots=True)
class Signal:
    """``observe`` is pure: an observation, ``Unknown``, or None where the signal is not there. ``unknown`` says how a gap is treated."""

    key: str
    title: str
    why: str
    strength: str
    remedy: str
    observe: Callable[[Facts], Observation | Unknown | None]
    unknown: str = ""
    links: tuple[str, ...] = ()
    technique: str = ""
