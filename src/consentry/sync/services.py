"""The only writers of runs: queue, run, finish."""

from __future__ import annotations

import resource
import time
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from consentry.accounts import services as accounts
from consentry.connect import registrations
from consentry.connect import services as connect
from consentry.connect.models import Capability, CapabilityState, Connector, Integration, RegistrationRole, Status
from consentry.core import events
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.sync.fetch import Fetched, fetch
from consentry.sync.merge import Merge
from consentry.sync.models import RunState, SyncRun
from consentry.sync.staging import schema_of

LIVE = (RunState.QUEUED, RunState.FETCHING, RunState.MERGING, RunState.SCORING)
STALE_AFTER = timedelta(seconds=60)
OPTIONAL = {"risky_service_principals"}


@transaction.atomic
def start_sync(integration: Integration, *, trigger: str) -> SyncRun:
    """Queue a run, or return the one that is under way: one at a time per connector.

    Raises ``ConsentryError`` without a CASB licence or when the integration is not connected.
    """
    connector = integration.connector
    if not accounts.has_casb(connector.account):
        raise ConsentryError(
            "casb_missing",
            "Interconnected Apps needs a CASB licence on the account.",
            "Ask the owner to renew it under Administration > Licence.",
        )
    if integration.status == Status.PENDING:
        raise ConsentryError(
            "integration_pending", f"3rd Party Apps over {connector.name} is not authorised.", "Authorise it under Integrations."
        )
    live = SyncRun.objects.filter(connector=connector, state__in=LIVE).first()
    if live:
        return live
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(connector=connector, trigger=trigger)
    except IntegrityError:
        return SyncRun.objects.get(connector=connector, state__in=LIVE)
    Integration.objects.filter(pk=integration.pk).update(next_sync_at=now() + timedelta(minutes=integration.sync_every_minutes))
    events.emit("sync:run:queued", run_id=run.pk)
    return run


def run(run_id: int) -> None:
    """Fetch, then merge in one transaction, then tell the next rooms. A failure leaves the old state untouched."""
    found = SyncRun.objects.select_related("connector__account").filter(pk=run_id).first()
    if found is None or found.state not in {RunState.QUEUED, RunState.FETCHING, RunState.MERGING}:
        return
    connector = found.connector
    SyncRun.objects.filter(pk=run_id).update(state=RunState.FETCHING, started_at=found.started_at or now(), heartbeat_at=now())
    try:
        registration = registrations.required(connector.account, RegistrationRole.READER)
        fetched = fetch(run_id, registration, str(connector.tenant_id))
        found.refresh_from_db()
        _merge(found, fetched)
    except ConsentryError as error:
        _fail(found, error.code, error.what, error.remedy)
    except Exception as error:
        _fail(
            found,
            "sync_failed",
            f"The sync stopped unexpectedly ({type(error).__name__}).",
            "It is tried again with the next run; the log holds the details.",
        )
        raise
    finally:
        drop_staging(run_id)


def drop_staging(run_id: int) -> None:
    """Drop a run's staging tables."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {schema_of(run_id)} CASCADE")


def _merge(found: SyncRun, fetched: Fetched) -> None:
    connector = found.connector
    SyncRun.objects.filter(pk=found.pk).update(
        state=RunState.MERGING,
        heartbeat_at=now(),
        requests=fetched.counters.requests,
        throttled=fetched.counters.throttled,
        retried=fetched.counters.retried,
        resource_units=fetched.counters.resource_units,
        incomplete=[gap.as_dict() for gap in fetched.gaps if gap.collection not in OPTIONAL],
    )
    unlicensed = {gap.collection for gap in fetched.gaps if gap.state == CapabilityState.UNLICENSED}
    with transaction.atomic():
        first = not SyncRun.objects.filter(connector=connector, state__in=[RunState.DONE, RunState.INCOMPLETE]).exists()
        changes = Merge(
            run_id=found.pk,
            connector_id=connector.pk,
            tenant_id=connector.tenant_id,
            ours=registrations.client_ids(connector.account),
            complete=fetched.complete,
            unlicensed=unlicensed,
            first=first,
        ).run()
        for name in fetched.complete:
            _capability(connector, name, CapabilityState.GRANTED, "")
        for gap in fetched.gaps:
            _capability(connector, gap.collection, gap.state, gap.reason)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        SyncRun.objects.filter(pk=found.pk).update(
            state=RunState.SCORING, heartbeat_at=now(), changes=changes, peak_memory_mb=round(peak, 1)
        )
        events.emit("sync:run:merged", run_id=found.pk)


def _capability(connector: Connector, name: str, state: str, detail: str) -> None:
    Capability.objects.update_or_create(connector=connector, name=name, defaults={"state": state, "detail": detail, "checked_at": now()})


def finish_run(run_id: int, counts: dict[str, Any]) -> None:
    """Close a merged and scored run and say what it means for the integration."""
    found = SyncRun.objects.select_related("connector").get(pk=run_id)
    state = RunState.INCOMPLETE if found.incomplete else RunState.DONE
    with transaction.atomic():
        SyncRun.objects.filter(pk=run_id).update(state=state, finished_at=now(), counts=counts)
        for integration in found.connector.integrations.filter(disconnected_at__isnull=True):
            if found.incomplete:
                names = ", ".join(gap["collection"].replace("_", " ") for gap in found.incomplete)
                connect.record_sync_result(
                    integration,
                    Status.WARNING,
                    code="sync_incomplete",
                    what=f"Could not be read: {names}.",
                    remedy="Open Details to see why; the rest is complete.",
                )
            else:
                connect.record_sync_result(integration, Status.CONNECTED)


def _fail(found: SyncRun, code: str, what: str, remedy: str) -> None:
    with transaction.atomic():
        SyncRun.objects.filter(pk=found.pk).update(state=RunState.FAILED, finished_at=now(), error_code=code, error=what, remedy=remedy)
        for integration in found.connector.integrations.filter(disconnected_at__isnull=True):
            lasting = code.startswith("AADSTS") or code in {"registration_missing", "certificate_unusable"}
            connect.record_sync_result(integration, Status.FAILURE if lasting else Status.WARNING, code=code, what=what, remedy=remedy)


def due(limit: int = 50) -> int:
    """Start the runs whose time has come. Returns how many."""
    ready = Integration.objects.select_related("connector__account").filter(next_sync_at__lte=now(), disconnected_at__isnull=True)
    started = 0
    for integration in ready.exclude(status=Status.PENDING)[:limit]:
        if accounts.has_casb(integration.connector.account):
            start_sync(integration, trigger="schedule")
            started += 1
    return started


def recover() -> int:
    """Queue again the runs whose worker died, also all of them by kill -9. Returns how many."""
    limit = now() - STALE_AFTER
    stale = SyncRun.objects.filter(state__in=[RunState.QUEUED, RunState.FETCHING, RunState.MERGING, RunState.SCORING]).filter(
        Q(heartbeat_at__lt=limit) | Q(heartbeat_at__isnull=True, queued_at__lt=limit)
    )
    for found in stale:
        SyncRun.objects.filter(pk=found.pk).update(heartbeat_at=now())
        events.emit("sync:run:merged" if found.state == RunState.SCORING else "sync:run:queued", run_id=found.pk)
    return len(stale)


def summary(run_id: int) -> dict[str, Any]:
    """What ``consentry sync --json`` prints."""
    found = SyncRun.objects.get(pk=run_id)
    end = found.finished_at or now()
    return {
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
        **({"error": {"code": found.error_code, "what": found.error, "remedy": found.remedy}} if found.error_code else {}),
    }


def wait_for(run_id: int, *, seconds: float = 0.3) -> SyncRun:
    """The run, a moment later: for loops that show progress."""
    time.sleep(seconds)
    return SyncRun.objects.get(pk=run_id)
