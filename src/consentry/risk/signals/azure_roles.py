"""Holds a role in Azure."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.roles import is_powerful, is_wide
from consentry.risk.signal import Observation, Signal, Unknown

_SHOWN = 3


def observe(facts: Facts) -> Observation | Unknown | None:
    if facts.azure_roles is None:
        return Unknown("which roles it holds in Azure") if facts.power >= 7 else None
    if not facts.azure_roles or facts.origin == "microsoft":
        return None
    powerful = [role for role in facts.azure_roles if is_powerful(role)]
    wide = [role for role in powerful if is_wide(role)]
    most, some, any_role = (7.5, 5.5, 2.0) if facts.foreign else (3.5, 1.0, 1.0)
    weight = most if wide else some if powerful else any_role
    first = [*wide, *powerful, *facts.azure_roles]
    shown = list(dict.fromkeys(first))[:_SHOWN]
    more = len(facts.azure_roles) - len(shown)
    evidence = f"In Azure it holds {', '.join(shown)}{f' and {more:,} more' if more else ''}."
    return Observation(weight, evidence, strength="strong" if weight >= 5 else "medium" if weight >= 2 else "weak")


SIGNAL = Signal(
    key="azure_roles",
    title="It has a role in Azure",
    why="A role on a subscription gives an app machines, data and bills that its permissions do not show.",
    strength="strong",
    remedy="Take the role away, or limit it to the resource group that it needs.",
    observe=observe,
    unknown="Without leave to read roles in Azure nothing is assumed.",
    links=("https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged",),
    technique="T1098.003 Additional Cloud Roles",
)
