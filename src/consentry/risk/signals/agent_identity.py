"""An AI agent that acts on its own or for people."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    if facts.origin != "agent_identity" or facts.power < 4:
        return None
    strongest = max(facts.permissions, key=lambda held: (max(held.judged.data, held.judged.takeover), held.value))
    whence = ", inherited from its blueprint" if strongest.inherited else ""
    return Observation(1.0, f"An agent with {strongest.value}{whence}: what it reads may tell it what to do.")


SIGNAL = Signal(
    key="agent_identity",
    title="An agent with far-reaching permissions",
    why="Agents follow text, also text that an attacker sends to a mailbox they read.",
    strength="medium",
    remedy="Give the agent only what its task needs; look at what its blueprint lets it inherit.",
    observe=observe,
)
