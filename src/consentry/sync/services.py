"""The only writers of runs: queue, run, merge, finish, recover."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Q

from consentry.accounts import services as accounts
from consentry.connect import registrations
from consentry.connect import services as connect
from consentry.connect.models import Capability, CapabilityState, Connector, Integration, RegistrationRole, Status
from consentry.core import events
from consentry.core.clock import now
from consentry.core.dsn import connection_string
from consentry.core.errors import ConsentryError
from consentry.inventory import partitions
from consentry.inventory.models import TenantFact
from consentry.providers.entra.deltas import TooMuchChanged
from consentry.providers.entra.errors import Resync
from consentry.sync import queries, staging
from consentry.sync.fetch import MENDED_IN_FULL, OPTIONAL, UNREADABLE, Fetched, Order, fetch
from consentry.sync.merge import Task, merge
from consentry.sync.models import DeltaLink, RunState, SyncRun, TouchedPlugin

LIVE = (RunState.QUEUED, RunState.FETCHING, RunState.MERGING, RunState.SCORING)
STALE_AFTER = timedelta(seconds=60)
_QUIET_AFTER = timedelta(seconds=10)  # a working run says so every two seconds
_RUNS_KEPT = timedelta(days=30)
_TOUCHED_KEPT = timedelta(days=1)
_LOCKS = 0x5359_4E43  # the space of our advisory locks: one for each run
_ATTEMPTS = 3
_REPEAT_AFTER = timedelta(hours=1)  # and longer each time: faults of days are known, and a full run is dear in a large tenant
_LASTING = {"registration_missing", "certificate_unusable", "casb_missing"}
_DISK_FULL = "53100"
_ALSO_COMPLETE = {"users": {"principals", "delegated_grants", "owners"}}  # what a link's collection is read along
_NOT_ASKED_FOR = {CapabilityState.MISSING, CapabilityState.UNAVAILABLE}  # of an optional collection: nothing is lacking


@transaction.atomic
def start_sync(integration: Integration, *, trigger: str, full: bool = False) -> SyncRun:
    """Queue a run, or return the one that is under way: one at a time per connector. ``full`` reads everything again.

    Raises ``ConsentryError`` without a CASB licence or when the integration is not connected.
    """
    connector = integration.connector
    _require_casb(connector)
    if integration.status == Status.PENDING:
        raise ConsentryError(
            "integration_pending", f"3rd Party Apps over {connector.name} is not authorised.", "Authorise it under Integrations."
        )
    if integration.disconnected_at:
        raise ConsentryError(
            "integration_disconnected", f"3rd Party Apps over {connector.name} is disconnected.", "Authorise it again under Integrations."
        )
    live = SyncRun.objects.filter(connector=connector, state__in=LIVE).first()
    if live:
        return live
    try:
        with transaction.atomic():
            asked = trigger != "schedule" and bool(_left(queries.last_full_run(connector.pk)))  # who mended it wants to see that
            mode = "full" if full or asked or not queries.delta_links(connector.pk, now()) else "delta"
            run = SyncRun.objects.create(connector=connector, trigger=trigger, mode=mode)
    except IntegrityError:
        return SyncRun.objects.get(connector=connector, state__in=LIVE)
    Integration.objects.filter(pk=integration.pk).update(next_sync_at=now() + timedelta(minutes=integration.sync_every_minutes))
    events.emit("sync:run:queued", run_id=run.pk)
    return run


def run(run_id: int) -> None:
    """Fetch, then merge in one transaction, then tell the next rooms. A failure leaves the old state untouched.

    Where a worker was killed in the middle, this goes on from the saved cursors. Does nothing for a run that is over or that
    another worker has in hand. A database that goes away leaves the run to ``recover``.
    """
    with _in_hand(run_id) as mine:
        found = SyncRun.objects.select_related("connector__account").filter(pk=run_id).first()
        if not mine or found is None or found.state not in {RunState.QUEUED, RunState.FETCHING, RunState.MERGING}:
            return
        SyncRun.objects.filter(pk=run_id).update(state=RunState.FETCHING, started_at=found.started_at or now(), heartbeat_at=now())
        try:
            _require_casb(found.connector)
            _merge(found, _fetch(found))
        except ConsentryError as error:
            _fail(found, error.code, error.what, error.remedy)
        except (OperationalError, psycopg.OperationalError) as error:
            if getattr(error.__cause__ or error, "sqlstate", None) != _DISK_FULL:
                raise
            _fail(found, "disk_full", "The database's disk is full.", "Free some space; the next sync goes on by itself.")
        except Exception as error:
            _fail(
                found,
                "sync_failed",
                f"The sync stopped unexpectedly ({type(error).__name__}).",
                "The next run tries again; the log holds the details.",
            )
            raise
        drop_staging(run_id)


def _require_casb(connector: Connector) -> None:
    if not accounts.has_casb(connector.account):
        raise ConsentryError(
            "casb_missing",
            "Interconnected Apps needs a CASB licence on the account.",
            "Ask the owner to renew it under Administration > Licence.",
        )


def _proven_tenant(connector: Connector) -> UUID:
    if connector.tenant_id is None:
        raise ConsentryError(
            "connector_pending", f"{connector.name} is not authorised yet.", "Finish step 1, the MS Tenant connector, first."
        )
    return connector.tenant_id


@contextmanager
def _in_hand(run_id: int) -> Iterator[bool]:
    """Hold the run's lock for as long as this process lives. False when another worker has it."""
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as holder:
        found = holder.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCKS, run_id]).fetchone()
        yield bool(found and found[0])


def _fetch(found: SyncRun) -> Fetched:
    connector = found.connector
    registration = registrations.required(connector.account, RegistrationRole.READER)
    links = queries.delta_links(connector.pk, now()) if found.mode == "delta" else {}
    order = Order(found.pk, registration, str(_proven_tenant(connector)), queries.audit_since(connector.pk, now()), connector.pk, links)
    if links:
        try:
            return fetch(order, _no_slow_lane)
        except (Resync, TooMuchChanged):
            drop_staging(found.pk)
            order = replace(order, links={})
    if found.mode == "delta":
        found.mode = "full"
        SyncRun.objects.filter(pk=found.pk).update(mode=found.mode)

    def on_inventory(fetched: Fetched) -> None:
        try:
            _merge(found, fetched)
        finally:
            connection.close()  # this thread's own

    for attempt in range(_ATTEMPTS):
        try:
            return fetch(order, on_inventory)
        except ConsentryError as error:
            if error.code != "staging_lost" or attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _no_slow_lane(_: Fetched) -> None:
    """A delta run reads the audit log first, and no report."""


def _merge(found: SyncRun, fetched: Fetched) -> None:
    """Make visible what was read. While the slow lane is still being read the run goes on afterwards."""
    lacking = [gap.as_dict() for gap in fetched.gaps if gap.collection not in OPTIONAL or gap.state not in _NOT_ASKED_FOR]
    gaps = list({gap["collection"]: gap for gap in reversed(lacking)}.values())
    moment = now()
    if fetched.slow:
        last = queries.last_full_run(found.connector_id)
        repeat = _repeat_at(last, moment) if found.mode == "full" and any(gap.passing for gap in fetched.gaps) else None
        left = _left(last) if found.mode == "delta" else []
        told = gaps + [gap for gap in left if gap["collection"] not in {one["collection"] for one in gaps}]
        SyncRun.objects.filter(pk=found.pk).update(state=RunState.MERGING, heartbeat_at=moment, incomplete=told, repeat_at=repeat)
    complete = fetched.complete - fetched.merged
    if gaps and found.mode == "delta":
        complete -= {"audit_events"}  # so that the next run reads again what these events are about
    task = Task(
        run_id=found.pk,
        connector_id=found.connector_id,
        tenant_id=_proven_tenant(found.connector),
        ours=registrations.client_ids(found.connector.account),
        complete=frozenset(complete),
        unlicensed=frozenset(gap.collection for gap in fetched.gaps if gap.state == CapabilityState.UNLICENSED),
        moment=moment,
        delta=found.mode == "delta",
    )
    with transaction.atomic():
        changes = merge(task)
        _note_capabilities(found.connector, fetched)
        _keep_links(found, fetched, whole=not gaps)
        if "audit_events" in complete:
            read = {"value": {"until": (found.started_at or moment).isoformat()}, "read_at": moment}
            TenantFact.objects.update_or_create(connector_id=found.connector_id, name=queries.AUDIT_READ, defaults=read)
        update: dict[str, Any] = {"changes": changes, "peak_memory_mb": _peak_memory(), "heartbeat_at": now()}
        if fetched.slow:
            update["state"] = RunState.SCORING
        SyncRun.objects.filter(pk=found.pk).update(**update)
        events.emit("sync:run:merged", run_id=found.pk)


def _left(last: SyncRun | None) -> list[dict[str, str]]:
    """What the last full run could not read and no delta run mends; a licence that is lacking is no fault."""
    if last is None:
        return []
    return [gap for gap in last.incomplete if gap.get("part", gap["collection"]) in MENDED_IN_FULL and gap["code"] != "unlicensed"]


def _repeat_at(last: SyncRun | None, moment: datetime) -> datetime:
    """When to read everything again after a passing fault: with the next run, and while it lasts after 1, 2, 4 and more hours."""
    if last is None or last.repeat_at is None or last.finished_at is None:
        return moment
    return moment + min(max(_REPEAT_AFTER, 2 * (last.repeat_at - last.finished_at)), queries.FULL_EVERY)


def _keep_links(found: SyncRun, fetched: Fetched, *, whole: bool) -> None:
    """Where the next delta run begins. One with gaps begins where this one did, and so mends them.

    What nobody can understand is no cause to read everything each time; but where an older link is known, that one also tells what was
    removed before this run, which without the collection's end this run could not.
    """
    if found.mode == "delta" and not whole:
        return
    known = set(queries.delta_links_known(found.connector_id, now()))
    legible = fetched.complete | {gap.collection for gap in fetched.gaps if gap.code == UNREADABLE}
    for collection, link in fetched.links.items():
        needed = _ALSO_COMPLETE.get(collection, {collection})
        if needed <= fetched.complete or (needed <= legible and collection not in known):
            DeltaLink.objects.update_or_create(
                connector_id=found.connector_id, collection=collection, defaults={"link": link, "taken_at": found.started_at or now()}
            )


def _note_capabilities(connector: Connector, fetched: Fetched) -> None:
    states = dict.fromkeys(fetched.complete, (CapabilityState.GRANTED, ""))
    states.update({gap.collection: (CapabilityState(gap.state), gap.reason) for gap in fetched.gaps})
    moment = now()
    Capability.objects.bulk_create(
        [
            Capability(connector=connector, name=name, state=state, detail=detail, checked_at=moment)
            for name, (state, detail) in states.items()
        ],
        update_conflicts=True,
        unique_fields=["connector", "name"],
        update_fields=["state", "detail", "checked_at"],
    )


def _peak_memory() -> float:
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def finish_run(run_id: int, counts: dict[str, int]) -> None:
    """Close a run that is merged and scored, and say what it means for the integration. Does nothing before that or twice."""
    with transaction.atomic():
        found = SyncRun.objects.select_for_update(of=("self",)).select_related("connector").get(pk=run_id)
        if found.state != RunState.SCORING:
            return
        found.state = RunState.INCOMPLETE if found.incomplete else RunState.DONE
        found.finished_at, found.counts = now(), counts
        found.save(update_fields=["state", "finished_at", "counts"])
        lacking = [gap["collection"].replace("_", " ") for gap in found.incomplete if gap["code"] != "unlicensed"]
        for integration in found.connector.integrations.filter(disconnected_at__isnull=True):
            if lacking:
                what = f"Could not be read: {', '.join(lacking)}."
                connect.record_sync_result(
                    integration, Status.WARNING, code="sync_incomplete", what=what, remedy="Open Details to see why; the rest is complete."
                )
            else:
                connect.record_sync_result(integration, Status.CONNECTED)


def _fail(found: SyncRun, code: str, what: str, remedy: str) -> None:
    with transaction.atomic():
        SyncRun.objects.filter(pk=found.pk).update(state=RunState.FAILED, finished_at=now(), error_code=code, error=what, remedy=remedy)
        for integration in found.connector.integrations.filter(disconnected_at__isnull=True):
            lasting = code.startswith("AADSTS") or code in _LASTING
            connect.record_sync_result(integration, Status.FAILURE if lasting else Status.WARNING, code=code, what=what, remedy=remedy)


def due(limit: int = 50) -> int:
    """Start the runs whose time has come; without a CASB licence nothing is collected. Returns how many."""
    ready = Integration.objects.select_related("connector__account").filter(next_sync_at__lte=now(), disconnected_at__isnull=True)
    started = 0
    for integration in ready.exclude(status=Status.PENDING).order_by("next_sync_at")[:limit]:
        if accounts.has_casb(integration.connector.account):
            start_sync(integration, trigger="schedule")
            started += 1
    return started


def recover() -> int:
    """Queue again the runs whose worker died, also all of them by kill -9, and drop what dead runs and deleted connectors left. Returns how many."""
    queued = Q(state=RunState.QUEUED, queued_at__lt=now() - STALE_AFTER) & (
        Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=now() - STALE_AFTER)
    )
    scoring = Q(state=RunState.SCORING, heartbeat_at__lt=now() - STALE_AFTER)
    working = Q(state__in=[RunState.FETCHING, RunState.MERGING], heartbeat_at__lt=now() - _QUIET_AFTER) & ~Q(pk__in=_runs_in_hand())
    stale = list(SyncRun.objects.filter(queued | scoring | working))
    for found in stale:
        with transaction.atomic():
            SyncRun.objects.filter(pk=found.pk).update(heartbeat_at=now())
            events.emit("sync:run:merged" if found.state == RunState.SCORING else "sync:run:queued", run_id=found.pk)
    live = set(SyncRun.objects.filter(state__in=LIVE).values_list("pk", flat=True))
    for run_id in queries.staged_runs() - live - _runs_in_hand():
        drop_staging(run_id)
    partitions.drop_orphans()
    return len(stale)


def forget() -> int:
    """Delete runs that ended long ago, but each connector's last full one, and which plugins earlier ones touched. Returns how many runs.

    What they changed is kept for ever, in the history.
    """
    over = SyncRun.objects.exclude(state__in=LIVE)
    TouchedPlugin.objects.filter(run__in=over.filter(finished_at__lt=now() - _TOUCHED_KEPT)).delete()
    last = SyncRun.objects.filter(mode="full", state__in=[RunState.DONE, RunState.INCOMPLETE]).order_by("connector_id", "-pk")
    old = over.filter(finished_at__lt=now() - _RUNS_KEPT).exclude(pk__in=last.distinct("connector_id").values("pk"))
    return old.delete()[1].get(SyncRun._meta.label, 0)


def _runs_in_hand() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_LOCKS],
        )
        return {int(row[0]) for row in cursor.fetchall()}


def drop_staging(run_id: int) -> None:
    """Drop a run's staging tables."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {staging.schema_of(run_id)} CASCADE")
