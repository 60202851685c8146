"""Connectors, integrations and runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from consentry.accounts.models import Role
from consentry.api import schemas
from consentry.api.access import ApiRequest, require
from consentry.connect.models import Connector, Integration
from consentry.inventory.plugin_data import moment
from consentry.sync import queries, services
from consentry.sync.models import SyncRun

router = Router(tags=["connections"])
_STATUS = ("status", "status_code", "status_reason", "status_remedy")


def _paged(rows: Any, paging: schemas.Paging) -> tuple[list[Any], dict[str, int]]:
    start = (paging.page - 1) * paging.page_size
    return list(rows[start : start + paging.page_size]), {"count": rows.count(), "page": paging.page, "page_size": paging.page_size}


@router.get("/connectors", response=schemas.Listed[schemas.Connector], summary="The connected tenants")
def connectors(request: ApiRequest, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The oldest first."""
    rows, where = _paged(Connector.objects.filter(account=request.auth.account).order_by("created_at", "pk"), paging)
    items = [
        {
            **{name: getattr(row, name) for name in ("name", "vendor", "tenant_name", "tenant_domain", "licence", *_STATUS)},
            "id": str(row.pk),
            "tenant_id": str(row.tenant_id) if row.tenant_id else None,
            "created_at": moment(row.created_at),
        }
        for row in rows
    ]
    return {"items": items, **where}


@router.get("/integrations", response=schemas.Listed[schemas.Integration], summary="What is switched on over them")
def integrations(request: ApiRequest, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The oldest first."""
    found = Integration.objects.filter(connector__account=request.auth.account).select_related("connector").order_by("created_at", "pk")
    rows, where = _paged(found, paging)
    items = [
        {
            **{name: getattr(row, name) for name in ("capability", "saas_application", "description", "sync_every_minutes", *_STATUS)},
            "id": str(row.pk),
            "connector_id": str(row.connector_id),
            "connector": row.connector.name,
            "next_sync_at": moment(row.next_sync_at),
            "disconnected_at": moment(row.disconnected_at),
        }
        for row in rows
    ]
    return {"items": items, **where}


def _run(row: SyncRun) -> dict[str, Any]:
    return {
        **queries.run_summary(row.pk),
        "id": row.pk,
        "connector_id": str(row.connector_id),
        "trigger": row.trigger,
        "queued_at": moment(row.queued_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
    }


@router.get("/syncs", response=schemas.Listed[schemas.Sync], summary="The runs")
def syncs(request: ApiRequest, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The newest first."""
    rows, where = _paged(SyncRun.objects.filter(connector__account=request.auth.account).order_by("-pk"), paging)
    return {"items": [_run(row) for row in rows], **where}


@router.get("/syncs/{int:pk}", response=schemas.Sync, summary="One run")
def sync(request: ApiRequest, pk: int) -> dict[str, Any]:
    """How far it is, or how it ended."""
    return _run(get_object_or_404(SyncRun, pk=pk, connector__account=request.auth.account))


@router.post("/integrations/{uuid:pk}/sync", response={202: schemas.Sync}, summary="Sync now")
def sync_now(request: ApiRequest, pk: UUID) -> Status[dict[str, Any]]:
    """Queues a run, or answers with the one that is under way."""
    require(request, Role.ADMINISTRATOR)
    found = get_object_or_404(Integration.objects.select_related("connector__account"), pk=pk, connector__account=request.auth.account)
    return Status(202, _run(services.start_sync(found, trigger="api")))
