"""Jobs of the notify room; each calls one service."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from consentry.notify import services


@app.task(name="notify.deliver")
def deliver(channel_id: str) -> None:
    """Send what is due over a channel."""
    services.deliver_due(UUID(channel_id))


@app.periodic(cron="* * * * *")
@app.task(name="notify.schedule", queueing_lock="notify.schedule")
def schedule(timestamp: int) -> None:
    """Send digests, retries, and what a dead worker left behind; each channel by a job of its own, so that none waits for another."""
    for channel_id in services.waiting_channels():
        try:
            deliver.configure(queueing_lock=f"notify.deliver:{channel_id}").defer(channel_id=str(channel_id))
        except AlreadyEnqueued:  # the last one has not begun yet
            continue
