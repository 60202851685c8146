"""Budgets as Microsoft keeps them: resource units per app and tenant, and five audit or report requests per 10 s.

Source: learn.microsoft.com/graph/throttling-limits.
"""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass, field

from consentry.simulator.errors import GraphError

WINDOW_SECONDS = 10.0
SLOW_REQUESTS = 5


@dataclass(slots=True)
class Budget:
    """One app's budget in one tenant."""

    units: int
    spent: deque[tuple[float, int]] = field(default_factory=deque)
    slow: deque[float] = field(default_factory=deque)
    used: int = 0

    def charge(self, cost: int, *, slow: bool) -> float:
        """Spend ``cost`` and return the share of the window's budget that is used. Raises ``GraphError`` 429."""
        moment = time.monotonic()
        while self.spent and self.spent[0][0] < moment - WINDOW_SECONDS:
            self.used -= self.spent.popleft()[1]
        while self.slow and self.slow[0] < moment - WINDOW_SECONDS:
            self.slow.popleft()
        if slow:
            if len(self.slow) >= SLOW_REQUESTS:
                raise too_many(self.slow[0] + WINDOW_SECONDS - moment)
            self.slow.append(moment)
        if self.used + cost > self.units:
            raise too_many(self.spent[0][0] + WINDOW_SECONDS - moment)
        self.spent.append((moment, cost))
        self.used += cost
        return self.used / self.units


def too_many(seconds: float) -> GraphError:
    """429 with a fractional ``Retry-After``, as Graph sends it."""
    return GraphError(
        429,
        "TooManyRequests",
        "Too many requests.",
        {"Retry-After": f"{max(seconds, 0.1):.3f}", "x-ms-throttle-scope": "Tenant_Application/ReadWrite"},
    )


def units_for(users: int) -> int:
    """Resource units per 10 s by tenant size."""
    return 3500 if users < 50 else 5000 if users <= 500 else 8000


@dataclass(slots=True)
class Weather:
    """Random faults, seeded: ``rate`` is the share of requests answered with 429."""

    rate: float
    rng: random.Random

    def strike(self) -> None:
        """Raise ``GraphError`` 429 now and then."""
        if self.rate and self.rng.random() < self.rate:
            raise too_many(self.rng.uniform(0.2, 1.2))
