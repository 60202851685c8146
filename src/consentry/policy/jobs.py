"""Jobs of the policy room; each calls one service."""

from __future__ import annotations

from procrastinate.contrib.django import app

from consentry.policy import services


@app.task(name="policy.evaluate")
def evaluate(run_id: int) -> None:
    """Look at what a run touched."""
    services.evaluate_run(run_id)
