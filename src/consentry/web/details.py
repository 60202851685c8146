"""The details panels: status with reason and remedy, licence, what can be read, and the last runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse

from consentry.connect.models import AuthorisationAttempt, Connector, Integration, Status
from consentry.sync.models import RunState, SyncRun
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.labels import COUNTS, TRIGGERS, capability_sign, collection_label, licence_sign
from consentry.web.panels import find_connector, find_integration, panel
from consentry.web.progress import Progress, is_live, run_view
from consentry.web.rows import THIRD_PARTY_APPS, attempt_note, latest_attempt

_RUNS_SHOWN = 5


@require_role("viewer")
def connector_details(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A connector: its reason and remedy, tenant, licence and integrations."""
    found = find_connector(request, pk)
    context = {
        "connector": found,
        "licence": licence_sign(found.licence),
        "capabilities": _capabilities(found),
        "integrations": found.integrations.all(),
        "attempt_note": _note(found, latest_attempt(found.attempts.all(), integration=None)),
    }
    return panel(request, "integrations/connector_details.html", context, title=found.name)


@require_role("viewer")
def integration_details(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """An integration: its reason and remedy, schedule, what can be read and the last runs."""
    found = find_integration(request, pk)
    runs = list(found.connector.runs.select_related("connector").order_by("-id")[:_RUNS_SHOWN])
    live = [run_view(run, run.collections.all()) for run in runs if is_live(run)]
    context = {
        "integration": found,
        "capabilities": _capabilities(found.connector),
        "runs": [_run(run) for run in runs if not is_live(run)],
        "attempt_note": _note(found, latest_attempt(found.connector.attempts.all(), integration=found)),
        "progress": Progress(tuple(live), first=False),
        "can_sync": found.status != Status.PENDING and found.disconnected_at is None and not live,
        "sync_url": reverse("connector-sync", kwargs={"pk": found.connector_id}),
    }
    return panel(request, "integrations/integration_details.html", context, title=THIRD_PARTY_APPS)


def _note(subject: Connector | Integration, attempt: AuthorisationAttempt | None) -> str:
    note = attempt_note(attempt) if subject.status == Status.PENDING else ""
    return "" if note == subject.status_reason else note


def _capabilities(connector: Connector) -> list[dict[str, str]]:
    found = []
    for row in connector.capabilities.order_by("name"):
        sign = capability_sign(row.state)
        found.append({"label": collection_label(row.name), "detail": row.detail, "state": sign.label, "tone": sign.tone, "icon": sign.icon})
    return found


def _run(run: SyncRun) -> dict[str, Any]:
    started = run.started_at or run.queued_at
    ended = run.finished_at or run.heartbeat_at
    gaps = [{"label": collection_label(gap["collection"]), "reason": gap["reason"], "code": gap.get("code", "")} for gap in run.incomplete]
    return {
        "state": run.state,
        "state_label": RunState(run.state).label,
        "at": started,
        "seconds": (ended - started).total_seconds() if ended else None,
        "kind": "Full" if run.mode == "full" else "Changes only",
        "trigger": TRIGGERS.get(run.trigger, run.trigger),
        "requests": run.requests,
        "throttled": run.throttled,
        "resource_units": run.resource_units,
        "retried": run.retried,
        "counts": [{"label": label, "value": run.counts[name]} for name, label in COUNTS.items() if name in run.counts],
        "incomplete": gaps,
        "error": run.error,
        "remedy": run.remedy,
        "error_code": run.error_code,
    }
