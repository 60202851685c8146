"""What removing permissions would do to a plugin's score: each one alone, and the fewest that lower its level. Pure; it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consentry.risk.catalogue import LEVELS
from consentry.risk.facts import Facts, Held
from consentry.risk.score import Reason, Score, score, without

MOST_SCORES = 40  # how often a plugin is scored for one answer


@dataclass(frozen=True, slots=True)
class Lower:
    """The answer. ``permissions`` is empty where no set of them reaches a lower level; then ``stays`` is the strongest reason that is left
    without any permission. ``result`` is the score without ``permissions``, or without all of them where there are none."""

    permissions: tuple[Held, ...]
    result: Score
    stays: Reason | None = None


def alone(facts: Facts, factors: Mapping[str, float] | None = None) -> dict[Held, float]:
    """The score without each permission alone. Where several together make no difference, each of them makes none."""
    present = score(facts, factors).score
    found: dict[Held, float] = {}
    parts = [list(dict.fromkeys(facts.permissions))] if facts.permissions else []
    while parts:
        part = parts.pop()
        result = without(facts, *part, factors=factors).score
        if len(part) == 1 or result == present:
            found.update(dict.fromkeys(part, result))
        else:
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return found


def lower(facts: Facts, factors: Mapping[str, float] | None = None) -> Lower:
    """A small set of permissions whose removal reaches a lower level.

    A permission less never raises the score. So the strongest ones are taken away until the level is lower, and then given back, half by
    half, where the level stays lower with them. With many permissions the set may hold one that could stay; it always reaches the level.
    """
    present = LEVELS.index(score(facts, factors).level)
    strongest_first = sorted(dict.fromkeys(facts.permissions), key=lambda held: (-_reach(held), held.kind, held.resource, held.value))
    nothing_left = without(facts, *strongest_first, factors=factors)
    if not strongest_first or LEVELS.index(nothing_left.level) >= present:
        return Lower((), nothing_left, max(nothing_left.reasons, key=lambda reason: reason.points, default=None))
    left = MOST_SCORES - 2
    best = nothing_left

    def reaches(dropped: list[Held]) -> bool:
        nonlocal left, best
        left -= 1
        found = without(facts, *dropped, factors=factors)
        if LEVELS.index(found.level) >= present:
            return False
        best = found
        return True

    few, enough = 0, len(strongest_first)
    while enough - few > 1 and left:
        middle = (few + enough) // 2
        few, enough = (few, middle) if reaches(strongest_first[:middle]) else (middle, enough)
    taken = strongest_first[:enough]
    parts = [taken[: len(taken) // 2], taken[len(taken) // 2 :]] if len(taken) > 1 else []
    while parts and left:
        part = parts.pop()
        without_part = [held for held in taken if held not in part]
        if without_part and reaches(without_part):
            taken = without_part
        elif len(part) > 1:
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return Lower(tuple(taken), best)


def _reach(held: Held) -> float:
    return held.reach(max(held.judged.takeover, held.judged.data))
