"""Holds an administrator role of the directory."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.roles import is_powerful
from consentry.risk.signal import Observation, Signal, Unknown


def observe(facts: Facts) -> Observation | Unknown | None:
    if facts.directory_roles is None:
        return Unknown("which directory roles it holds") if facts.power >= 7 else None
    if not facts.directory_roles or facts.origin == "microsoft":
        return None
    high = any(map(is_powerful, facts.directory_roles))
    weight = (7.5 if high else 3.0) if facts.foreign else (5.5 if high else 1.5)
    return Observation(weight, f"It holds {', '.join(facts.directory_roles)}.", strength="strong" if weight >= 5 else "medium")


SIGNAL = Signal(
    key="directory_roles",
    title="It is an administrator",
    why="A directory role gives an app what its permissions do not show.",
    strength="strong",
    remedy="Take the role away unless the app was bought to administer the tenant.",
    observe=observe,
    unknown="Without leave to read roles nothing is assumed.",
    links=("https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference",),
    technique="T1098.003 Additional Cloud Roles",
)
