"""Jobs of the risk room; each calls one service."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app

from consentry.risk import services


@app.task(name="risk.rescore")
def rescore(run_id: int) -> None:
    """Score what a run merged, then close the run."""
    services.rescore_run(run_id)


@app.task(name="risk.rescore_account")
def rescore_account(account_id: str) -> None:
    """Score everything again."""
    services.rescore_account(UUID(account_id))
