"""What others ask about runs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from consentry.core.clock import now
from consentry.inventory.models import TenantFact
from consentry.sync.models import DeltaLink, RunState, SyncRun, TouchedPlugin

AUDIT_DAYS = 30  # Microsoft keeps no more: 7 days without, 30 with Entra ID P1
AUDIT_OVERLAP = timedelta(hours=2)  # events arrive late; doubles are dropped by id
AUDIT_READ = "audit_events_read"
FULL_EVERY = timedelta(hours=24)
LINK_LIFETIME = timedelta(days=6)  # Microsoft's is 7
DELTA_FROM_REQUESTS = 60  # a full run below is as cheap as following changes, and sees more
NEEDED_LINKS = {"service_principals", "applications", "delegated_grants"}


def run_summary(run_id: int) -> dict[str, Any]:
    """What ``consentry sync --json`` prints. Raises ``SyncRun.DoesNotExist``."""
    found = SyncRun.objects.get(pk=run_id)
    end = found.finished_at or now()
    summary: dict[str, Any] = {
        "status": found.state,
        "mode": found.mode,
        "seconds": round((end - (found.started_at or found.queued_at)).total_seconds(), 3),
        "requests": found.requests,
        "throttled": found.throttled,
        "retried": found.retried,
        "resource_units": found.resource_units,
        "counts": found.counts,
        "incomplete": found.incomplete,
        "changes": found.changes,
    }
    if found.error_code:
        summary["error"] = {"code": found.error_code, "what": found.error, "remedy": found.remedy}
    return summary


def touched_plugins(run_id: int) -> list[UUID]:
    """The plugins whose facts a run changed: new, changed, removed, or with other permissions, people, credentials or use."""
    return list(TouchedPlugin.objects.filter(run_id=run_id).values_list("plugin_id", flat=True))


def audit_since(connector_id: UUID, moment: datetime) -> datetime:
    """From when audit events are wanted: a little before the last complete reading, or everything that Microsoft keeps."""
    known = TenantFact.objects.filter(connector_id=connector_id, name=AUDIT_READ).values_list("value", flat=True).first()
    oldest = moment - timedelta(days=AUDIT_DAYS)
    return max(oldest, datetime.fromisoformat(known["until"]) - AUDIT_OVERLAP) if known else oldest


def staged_runs() -> set[int]:
    """The runs that have staging tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'staging\\_%'")
        return {int(match[1]) for (name,) in cursor.fetchall() if (match := re.fullmatch(r"staging_(\d+)", name))}


def last_full_run(connector_id: UUID) -> SyncRun | None:
    """The last one that came to its end, with or without gaps."""
    return (
        SyncRun.objects.filter(connector_id=connector_id, mode="full", state__in=[RunState.DONE, RunState.INCOMPLETE])
        .order_by("-pk")
        .first()
    )


def delta_links(connector_id: UUID, moment: datetime) -> dict[str, str]:
    """Where a delta run may begin; nothing where a full run is due, or so cheap that it is the better one.

    Delta cannot see everything (reports, licences, assignments that the audit log left out), so everything is read again once a day,
    and long before the links expire (7 days); sooner where a passing fault left a gap.
    """
    last = last_full_run(connector_id)
    if last is None or last.finished_at is None or moment - last.finished_at > FULL_EVERY or last.requests < DELTA_FROM_REQUESTS:
        return {}
    if last.repeat_at and moment >= last.repeat_at:
        return {}
    links = delta_links_known(connector_id, moment)
    return links if links.keys() >= NEEDED_LINKS else {}


def delta_links_known(connector_id: UUID, moment: datetime) -> dict[str, str]:
    """The links that Microsoft still honours, by collection."""
    return dict(DeltaLink.objects.filter(connector_id=connector_id, taken_at__gt=moment - LINK_LIFETIME).values_list("collection", "link"))
