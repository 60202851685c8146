"""Permissions, principals and changes of all plugins."""

from __future__ import annotations

from typing import Any

from ninja import Query, Router
from pydantic import Field

from consentry.api import schemas
from consentry.api.access import ApiRequest
from consentry.inventory import plugin_data

router = Router(tags=["inventory"])


class Wanted(schemas.Paging):
    """Which page, of which connector."""

    connector: str | None = Field(None, description="Name of a connector.")


def _page(request: ApiRequest, kind: str, wanted: Wanted) -> dict[str, Any]:
    account = request.auth.account.pk
    rows = plugin_data.rows(kind, account, connector=wanted.connector, page=wanted.page, size=wanted.page_size)
    number = plugin_data.count(kind, account, connector=wanted.connector)
    return {"items": list(rows), "count": number, "page": wanted.page, "page_size": wanted.page_size}


@router.get("/permissions", response=schemas.Listed[schemas.Permission], summary="What the tenant's resources define")
def permissions(request: ApiRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Scopes and app roles with their level and how many plugins hold each."""
    return _page(request, "permissions", wanted)


@router.get("/principals", response=schemas.Listed[schemas.Principal], summary="People, groups and service principals")
def principals(request: ApiRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Those that a grant, an assignment or an ownership names."""
    return _page(request, "principals", wanted)


@router.get("/changes", response=schemas.Listed[schemas.Change], summary="What changed")
def changes(request: ApiRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Every difference between two syncs, the newest first."""
    return _page(request, "changes", wanted)
