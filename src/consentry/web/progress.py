"""How far the syncs are: for the pages Integrations and Plugins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from consentry.accounts.models import Account
from consentry.connect.models import AttemptOutcome, Connector, Integration, Status
from consentry.core.clock import now
from consentry.sync.fetch import OPTIONAL
from consentry.sync.models import CollectionProgress, RunState, SyncRun
from consentry.sync.services import LIVE
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.labels import collection_label

SHOWN_AFTER = timedelta(minutes=2)  # a finished first run stays on the page for a moment
_OVER = ("complete", "incomplete", "skipped")
_ENDED_PERCENT = {RunState.MERGING: 90, RunState.SCORING: 96}


@dataclass(frozen=True, slots=True)
class CollectionView:
    """One line of the progress card."""

    label: str
    state: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class RunView:
    """One connector's run as the progress card shows it."""

    connector_id: UUID
    connector_name: str
    url: str
    title: str
    text: str
    live: bool
    finished: bool
    percent: int
    collections: tuple[CollectionView, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the progress cards of a page show; ``first`` is true while no run of the account has ever ended."""

    runs: tuple[RunView, ...]
    first: bool

    @property
    def live(self) -> bool:
        """True while something is being read."""
        return any(run.live for run in self.runs)


@dataclass(frozen=True, slots=True)
class Start:
    """How far an account without an inventory is: a tenant is ``connected``, Microsoft is ``waiting`` to let a consent work."""

    connected: bool
    waiting: bool


def start_of(account: Account) -> Start:
    """What the pages of the inventory say while it is empty."""
    integrations = Integration.objects.filter(connector__account=account, connector__runs__isnull=True)
    coming = integrations.filter(Q(status=Status.CONNECTED) | Q(attempts__outcome=AttemptOutcome.SPREADING))
    return Start(Connector.objects.filter(account=account, tenant_id__isnull=False).exists(), coming.exists())


def progress_for(account: Account) -> Progress:
    """Every run of the account that is under way, and those that ended a moment ago.

    A page reads this before its rows: a run that ends in between is then shown as live, and its card fetches the new state.
    """
    first = not SyncRun.objects.filter(connector__account=account, state__in=[RunState.DONE, RunState.INCOMPLETE]).exists()
    runs = (
        SyncRun.objects.filter(connector__account=account)
        .exclude(finished_at__lt=now() - SHOWN_AFTER)
        .select_related("connector")
        .prefetch_related("collections")
        .order_by("connector_id", "-id")
        .distinct("connector_id")
    )
    return Progress(tuple(run_view(run, run.collections.all()) for run in runs), first)


def run_view(run: SyncRun, collections: Iterable[CollectionProgress]) -> RunView:
    """``run`` in the words of the progress card."""
    live = is_live(run)
    lines = tuple(_line(collection) for collection in collections if live or collection.state != "waiting")  # there was nothing to read
    return RunView(
        connector_id=run.connector_id,
        connector_name=run.connector.name,
        url=reverse("sync-progress", kwargs={"pk": run.connector_id}),
        title=_title(run),
        text=_text(run, lines),
        live=live,
        finished=run.state in (RunState.DONE, RunState.INCOMPLETE),
        percent=_percent(run, lines),
        collections=lines,
    )


def is_live(run: SyncRun) -> bool:
    """True while the run is under way."""
    return run.state in LIVE


def _line(collection: CollectionProgress) -> CollectionView:
    if collection.state == "incomplete" and collection.name in OPTIONAL:
        return CollectionView(collection_label(collection.name), "skipped", 0, "Optional, not granted")
    return CollectionView(collection_label(collection.name), collection.state, collection.rows, collection.reason)


def _title(run: SyncRun) -> str:
    if run.state in (RunState.DONE, RunState.INCOMPLETE):
        return "Up to date"
    return "The sync failed" if run.state == RunState.FAILED else "Reading from Microsoft"


def _text(run: SyncRun, lines: tuple[CollectionView, ...]) -> str:
    if run.state == RunState.FAILED:
        return f"{run.error} {run.remedy}".strip()
    if run.state == RunState.QUEUED:
        return "Waiting for a worker to begin. Data may take a few minutes to appear."
    started = run.started_at or run.queued_at
    seconds = int(((run.finished_at or now()) - started).total_seconds())
    took = f"{seconds} s" if seconds > 0 else "less than a second"
    rows = sum(line.rows for line in lines)
    if run.state in LIVE:
        done = sum(line.state in _OVER for line in lines)
        where = f"{run.get_state_display()}: {done} of {len(lines)} collections, {rows:,} rows, {took} so far."
        return f"{where} Data may take a few minutes to appear."
    gaps = f" {len(run.incomplete)} could not be read completely." if run.incomplete else ""
    return f"{rows:,} rows in {took}.{gaps}"


def _percent(run: SyncRun, lines: tuple[CollectionView, ...]) -> int:
    if run.state not in LIVE:
        return 100
    if run.state in _ENDED_PERCENT:
        return _ENDED_PERCENT[RunState(run.state)]
    done = sum(1.0 if line.state in _OVER else 0.4 if line.state == "reading" else 0.0 for line in lines)
    return 3 + int(82 * done / len(lines)) if lines else 3


@require_role("viewer")
def progress(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The progress card of one connector; without its ``hx-trigger`` when the run has ended."""
    connector = get_object_or_404(Connector, pk=pk, account=request.user.account)
    run = connector.runs.select_related("connector").prefetch_related("collections").order_by("-id").first()
    if run is None:
        return HttpResponse("")
    view = run_view(run, run.collections.all())
    response = render(request, "partials/sync_card.html", {"run": view})
    if not view.live:
        response["HX-Trigger"] = "integrations-changed, inventory-changed"
    return response
