"""Jobs of the notify room; each calls one service."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from consentry.notify import services

_SCHEDULE = timedelta(minutes=1)  # as the cron below


@app.task(name="notify.deliver")
def deliver(channel_id: str) -> None:
    """Send what is due over a channel, and come back for a try that is due before the schedule would see it."""
    services.deliver_due(UUID(channel_id))
    if at := services.next_due(UUID(channel_id), within=_SCHEDULE):
        try:
            # The moment is part of the lock: a later one that is queued already must not keep this one back.
            deliver.configure(schedule_at=at, queueing_lock=f"notify.deliver:{channel_id}:{at.isoformat()}").defer(channel_id=channel_id)
        except AlreadyEnqueued:
            return


@app.periodic(cron="* * * * *")
@app.task(name="notify.schedule", queueing_lock="notify.schedule")
def schedule(timestamp: int) -> None:
    """Send digests, retries, and what a dead worker left behind; each channel by a job of its own, so that none waits for another."""
    for channel_id in services.waiting_channels():
        try:
            deliver.configure(queueing_lock=f"notify.deliver:{channel_id}").defer(channel_id=str(channel_id))
        except AlreadyEnqueued:  # the last one has not begun yet
            continue
