"""Jobs of the sync room; each calls one service."""

from __future__ import annotations

from procrastinate.contrib.django import app

from consentry.connect.models import Integration
from consentry.core.worker import SYNCS
from consentry.sync import services


@app.task(name="sync.start")
def start(integration_id: str) -> None:
    """Queue a run for an integration that has just been connected."""
    integration = Integration.objects.select_related("connector__account").filter(pk=integration_id).first()
    if integration:
        services.start_sync(integration, trigger="connect")


@app.task(name="sync.run", queue=SYNCS)
def run(run_id: int) -> None:
    """Carry a run out."""
    services.run(run_id)


@app.periodic(cron="* * * * *")
@app.task(name="sync.schedule", queueing_lock="sync.schedule")
def schedule(timestamp: int) -> None:
    """Start the runs whose time has come, and those again whose worker died."""
    services.recover()
    services.due()


@app.periodic(cron="17 * * * *")
@app.task(name="sync.forget", queueing_lock="sync.forget")
def forget(timestamp: int) -> None:
    """Delete what nobody asks about any more."""
    services.forget()
