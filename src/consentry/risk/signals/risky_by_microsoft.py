"""Microsoft's own detection of workload identities at risk."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_OVER = {"dismissed", "remediated", "confirmedSafe", "none"}
_WEIGHTS = {"high": 8.5, "medium": 7.0, "low": 2.5}


def observe(facts: Facts) -> Observation | None:
    if facts.microsoft_risk is None:
        return None
    level, state = facts.microsoft_risk
    if state in _OVER:
        return None
    weight = 9.0 if state == "confirmedCompromised" else _WEIGHTS.get(level, 2.5)
    strength = "strong" if weight >= 6 else "medium"
    return Observation(weight, f"Microsoft Entra ID Protection says {state}, risk {level}.", strength=strength)


SIGNAL = Signal(
    key="risky_by_microsoft",
    title="Microsoft sees it at risk",
    why="Entra ID Protection watches how apps sign in and which of their secrets have leaked.",
    strength="strong",
    remedy="Read the detection in Entra ID Protection, replace its credentials, and look at what it did.",
    observe=observe,
    unknown="Details need Workload ID Premium; without it nothing is assumed.",
    links=("https://learn.microsoft.com/entra/id-protection/concept-workload-identity-risk",),
    technique="T1078.004 Cloud Accounts",
)
