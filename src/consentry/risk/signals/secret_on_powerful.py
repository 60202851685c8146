"""A password where a certificate or federation belongs."""

from __future__ import annotations

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal


def observe(facts: Facts) -> Observation | None:
    secrets = [key for key in facts.live_keys if key.kind == "secret"]
    if facts.takeover < 7 or not secrets:
        return None
    return Observation(0.8, f"{len(secrets)} {'secret' if len(secrets) == 1 else 'secrets'} on an app that could take over the tenant.")


SIGNAL = Signal(
    key="secret_on_powerful",
    title="A secret guards great power",
    why="Secrets are copied into scripts and tickets. A certificate or federation can't be read over a shoulder.",
    strength="weak",
    remedy="Use a certificate or a federated credential.",
    observe=observe,
)
