"""How big and how awkward the simulated cloud is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class SimulatorOptions:
    """``throttle_rate`` is the share of requests answered with 429; times are in seconds unless the name says otherwise."""

    port: int = 0
    plugins: int = 400
    users: int = 1500
    grants: int | None = None
    assignments: int | None = None
    seed: int = 1
    latency_ms: float = 0.0
    throttle_rate: float = 0.0
    consent_delay_seconds: float = 6.0
    page_token_lifetime_seconds: float | None = None
    consented: bool = False
    healthy: bool = False  # a tenant without the stories of attacks
    state_file: Path | None = None
