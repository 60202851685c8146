"""Microsoft has not verified who publishes it."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal, Unknown


def observe(facts: Facts) -> Observation | Unknown | None:
    if facts.origin != "third_party" or facts.vouched:
        return None
    if facts.publisher_verified is None:
        return Unknown("whether its publisher is verified")
    told = f" Its tenant is called {facts.publisher_tenant}." if facts.publisher_tenant else ""
    return Observation(0.5, f"Nobody has verified the publisher{f' {facts.publisher}' if facts.publisher else ''}.{told}")


SIGNAL = Signal(
    key="unverified_publisher",
    title="The publisher is not verified",
    why="Verification proves little, as attackers have had it too; its absence is one hint among others.",
    strength="weak",
    remedy="Ask the vendor to have its publisher verified.",
    observe=observe,
    unknown="An unknown publisher counts neither way.",
    links=("https://learn.microsoft.com/entra/identity-platform/publisher-verification-overview",),
)
