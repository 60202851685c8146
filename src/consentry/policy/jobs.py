"""Jobs of the policy room; each calls one service."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app

from consentry.policy import services


@app.task(name="policy.evaluate")
def evaluate(run_id: int) -> None:
    """Look at what a run touched."""
    services.evaluate_run(run_id)


@app.task(name="policy.evaluate_account")
def evaluate_account(account_id: str) -> None:
    """Look at every plugin of an account."""
    services.evaluate_account(UUID(account_id))


@app.task(name="policy.look_at")
def look_at(policy_id: str) -> None:
    """Hold a policy against every plugin."""
    services.look_at(UUID(policy_id))


@app.task(name="policy.finish_deletion")
def finish_deletion(policy_id: str, actor: str) -> None:
    """Delete a policy with its alerts."""
    services.finish_deletion(UUID(policy_id), actor=actor)


@app.task(name="policy.evaluate_plugins")
def evaluate_plugins(account_id: str, plugin_ids: list[str]) -> None:
    """Look at plugins on which somebody decided."""
    services.evaluate_plugins(UUID(account_id), [UUID(plugin_id) for plugin_id in plugin_ids])
