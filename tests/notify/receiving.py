"""What the tests of notifications share: what a receiver got, channels, messages, an administrator and a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test import Client
from procrastinate.contrib.django import app as jobs

from consentry.accounts import services as accounts
from consentry.core.worker import worker_connector
from consentry.notify import services
from consentry.notify.models import Channel, ChannelKind


@dataclass
class Receiver:
    """An HTTP server that keeps what it gets and answers as told."""

    address: str
    status: int = 200
    retry_after: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


def channel(address: str, kind: str = ChannelKind.WEBHOOK, **fields: Any) -> tuple[Channel, str | None]:
    usual: dict[str, Any] = {
        "name": kind,
        "least_severity": "low",
        "pace": "at_once",
        "quiet_from": None,
        "quiet_until": None,
        "timezone": "UTC",
    }
    return services.save_channel(accounts.default_account(), None, actor="test", address=address, kind=kind, **(usual | fields))


def tell(severity: str = "high", title: str = "A plugin") -> None:
    services.publish(
        accounts.default_account().pk,
        kind="alert.opened",
        severity=severity,
        title=title,
        body="Words\u202e",
        data={"plugin": "A", "technique": "T1528 Steal"},
    )


def administrator() -> Client:
    person, _ = accounts.add_person(
        accounts.default_account(), "a@demo.example", role="administrator", actor="test", password="correct horse b"
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def work() -> None:
    """Let a real worker do what is queued, and what that queues."""
    with jobs.replace_connector(worker_connector()) as worker:
        for _ in range(12):
            worker.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())"
                )
                if cursor.fetchone() == (0,):
                    break
    with connection.cursor() as cursor:  # the jobs' threads leave their connections to the end of their process
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
