"""A worker process: two lanes, so that syncs of large tenants never hold up scores, alerts and notifications of others."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

from procrastinate import App, BaseConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import DEFAULT_QUEUE

SYNCS = "syncs"
_POLL_SECONDS = 2.0


def run(concurrency: int) -> None:
    """Run queued jobs until SIGINT or SIGTERM: as many syncs side by side, and as many other jobs."""
    with app.replace_connector(worker_connector()) as worker_app:
        asyncio.run(_lanes(worker_app, concurrency))


def worker_connector() -> BaseConnector:
    """An asynchronous connector to the same database as Django's. Raises ``TypeError`` where jobs are faked."""
    connector = app.connector
    if not isinstance(connector, DjangoConnector):
        raise TypeError("workers need the Django connector")
    return connector.get_worker_connector()


async def _lanes(worker_app: App, concurrency: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(ThreadPoolExecutor(2 * concurrency + 2, thread_name_prefix="job"))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def lane(name: str, queue: str) -> asyncio.Task[None]:
        work = worker_app.run_worker_async(
            name=name,
            queues=[queue],
            concurrency=concurrency,
            listen_notify=True,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
        return asyncio.create_task(work)

    async with worker_app.open_async():
        lanes = [lane("syncs", SYNCS), lane("others", DEFAULT_QUEUE)]
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait([*lanes, asked], return_when=asyncio.FIRST_COMPLETED)
        for one in (*lanes, asked):
            one.cancel()  # a lane ends when the jobs that it runs are done
        for ended in await asyncio.gather(*lanes, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
