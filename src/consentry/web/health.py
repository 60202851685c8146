"""Addresses for machines: alive, ready, metrics, and whom to tell about a weakness."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from consentry.connect.models import Connector
from consentry.core.clock import now
from consentry.inventory.models import Plugin
from consentry.sync.models import SyncRun

WORKER_SILENCE = timedelta(seconds=45)
SECURITY_CONTACT_DAYS = 300


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


def readyz(request: HttpRequest) -> JsonResponse:
    """200 only when the database answers, its migrations are there and a worker's heart beats."""
    checks = {"database": False, "migrations": False, "worker": False}
    try:
        checks["migrations"] = not _pending_migrations()
        checks["database"] = True
        checks["worker"] = living_workers() > 0 if checks["migrations"] else False
    except DatabaseError:
        pass
    ready = all(checks.values())
    return JsonResponse({"ready": ready, **checks}, status=200 if ready else 503)


def living_workers() -> int:
    """How many workers were heard of lately."""
    return ProcrastinateWorker.objects.filter(last_heartbeat__gte=now() - WORKER_SILENCE).count()


def _pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus, read from the database: no process keeps a count of its own."""
    registry = CollectorRegistry()
    up = Gauge("consentry_database_up", "1 when the database answers", registry=registry)
    try:
        _collect(registry)
        up.set(1)
    except DatabaseError:
        up.set(0)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _collect(registry: CollectorRegistry) -> None:
    Gauge("consentry_workers", "Lanes of workers heard of lately, two in each process", registry=registry).set(living_workers())
    jobs = Gauge("consentry_jobs", "Jobs by status", ["status"], registry=registry)
    for status in ("todo", "doing", "failed"):
        jobs.labels(status).set(ProcrastinateJob.objects.filter(status=status).count())
    connectors = Gauge("consentry_connectors", "Connectors by status", ["status"], registry=registry)
    for status in Connector.objects.order_by().values_list("status", flat=True).distinct():
        connectors.labels(status).set(Connector.objects.filter(status=status).count())
    Gauge("consentry_plugins", "Plugins present", registry=registry).set(Plugin.objects.filter(removed_at__isnull=True).count())
    runs = Gauge("consentry_sync_runs", "Runs of the last day by state", ["state"], registry=registry)
    recent = SyncRun.objects.filter(queued_at__gte=now() - timedelta(days=1))
    for state in recent.order_by().values_list("state", flat=True).distinct():
        runs.labels(state).set(recent.filter(state=state).count())
    last = SyncRun.objects.filter(finished_at__isnull=False).order_by("-finished_at").first()
    if last is not None and last.finished_at is not None:
        age = Gauge("consentry_last_sync_age_seconds", "Seconds since a run ended", registry=registry)
        age.set((now() - last.finished_at).total_seconds())


def security_txt(request: HttpRequest) -> HttpResponse:
    """Whom to tell about a weakness (RFC 9116)."""
    expires = (now() + timedelta(days=SECURITY_CONTACT_DAYS)).strftime("%Y-%m-%dT00:00:00Z")
    lines = [f"Contact: {settings.BASE_URL}/", f"Expires: {expires}", "Preferred-Languages: en"]
    lines.append(f"Canonical: {settings.BASE_URL}/.well-known/security.txt")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
