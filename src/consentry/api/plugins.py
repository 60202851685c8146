"""Plugins: the list, one of them, what it holds, who uses it, what changed, and the decision on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from consentry.accounts.models import Role
from consentry.api import schemas
from consentry.api.access import ApiRequest, require
from consentry.api.problems import Problem
from consentry.inventory import filters, plugin_data, queries
from consentry.inventory.models import DecisionState, Origin, Plugin, RiskLevel
from consentry.respond import services as respond

router = Router(tags=["plugins"])


def _any_of(names: Iterable[str]) -> Any:
    one = "|".join(names)
    return Field("", description=", ".join(names), pattern=rf"^(({one})(,({one}))*)?$")


class Wanted(schemas.Paging):
    """The filters of the Plugins page; values of one filter may be joined by commas, any one of them suffices."""

    q: str = Field("", description="Part of the name or the publisher, or an app id.", max_length=400)
    risk: str = _any_of(RiskLevel.values)
    decision: str = _any_of(DecisionState.values)
    origin: str = _any_of(Origin.values)
    permission: str = Field(
        "", description="Value of a scope or app role, such as Mail.Read; application:Mail.Read or delegated:Mail.Read for one kind."
    )
    connected_to: str = Field("", description="Service, such as Exchange Online.")
    user: str = Field("", description="Address or object id of somebody who granted it.")
    used: str = _any_of(filters.USED)
    publisher_verified: str = _any_of(filters.VERIFIED)
    connector: str = Field("", description="Name or id of a connector.")
    new_since: str = Field("", description="Days back, such as 30d, or a date of ISO 8601.")
    sort: str = Field(
        filters.DEFAULT_SORT,
        description=f"{', '.join(filters.SORTS)}; descending with a minus before it.",
        pattern=f"^-?({'|'.join(filters.SORTS)})$",
    )


@router.get("", response=schemas.Listed[schemas.Plugin], summary="The plugins that match")
def plugins(request: ApiRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Microsoft's own apps are left out unless ``origin`` names them; the console's own registrations always are."""
    given = {name: [str(value)] for name in filters.LABELS if (value := getattr(wanted, name))}
    if unknown := filters.PluginFilter.unknown(given):
        raise Problem(422, "filter_unknown", f"No such filter value: {', '.join(unknown)}.")
    found = filters.PluginFilter.parse(given).apply(request.auth.account.pk)
    start = (wanted.page - 1) * wanted.page_size
    ids = list(filters.ordered(found, wanted.sort).values_list("pk", flat=True)[start : start + wanted.page_size])
    place = {str(pk): number for number, pk in enumerate(ids)}
    rows = sorted(plugin_data.rows("plugins", request.auth.account.pk, only=ids), key=lambda row: place[row["id"]])
    return {"items": rows, "count": found.count(), "page": wanted.page, "page_size": wanted.page_size}


def _find(request: ApiRequest, pk: UUID) -> Plugin:
    return get_object_or_404(
        Plugin.objects.select_related("connector"),
        pk=pk,
        connector__account=request.auth.account,
        removed_at__isnull=True,
        is_console=False,
    )


def _data(request: ApiRequest, found: Plugin) -> dict[str, Any]:
    return next(plugin_data.rows("plugins", request.auth.account.pk, only=[found.pk]))


def _rows(request: ApiRequest, kind: str, found: Plugin, paging: schemas.Paging) -> dict[str, Any]:
    account = request.auth.account.pk
    rows = plugin_data.rows(kind, account, only=[found.pk], page=paging.page, size=paging.page_size)
    number = plugin_data.count(kind, account, only=[found.pk])
    return {"items": list(rows), "count": number, "page": paging.page, "page_size": paging.page_size}


@router.get("/{uuid:pk}", response=schemas.Plugin, summary="One plugin")
def plugin(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    """Everything that is known of it."""
    return _data(request, _find(request, pk))


@router.get("/{uuid:pk}/grants", response=schemas.Listed[schemas.Grant], summary="What it was granted")
def grants(request: ApiRequest, pk: UUID, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """One row per grant and permission."""
    return _rows(request, "grants", _find(request, pk), paging)


@router.get("/{uuid:pk}/users", response=schemas.Listed[schemas.User], summary="Who uses it")
def users(request: ApiRequest, pk: UUID, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The people with a grant of their own; ``all_users`` of the plugin says whether everybody has it besides."""
    found = _find(request, pk)
    rows = queries.plugin_users(found, page=paging.page, size=paging.page_size)
    items = [
        {
            **row,
            "id": str(row["principal_id"]),
            "permissions": sorted(value for value in row["scopes"] if value),
            "granted_at": plugin_data.moment(row["granted_at"]),
            "first_seen": plugin_data.moment(row["first_seen"]),
        }
        for row in rows
    ]
    return {"items": items, "count": queries.plugin_user_count(found), "page": paging.page, "page_size": paging.page_size}


@router.get("/{uuid:pk}/changes", response=schemas.Listed[schemas.Change], summary="What changed")
def changes(request: ApiRequest, pk: UUID, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The newest first."""
    return _rows(request, "changes", _find(request, pk), paging)


@router.post("/{uuid:pk}/decision", response=schemas.Plugin, summary="Decide on it")
def decide(request: ApiRequest, pk: UUID, body: schemas.DecisionIn) -> dict[str, Any]:
    """The decision holds for the app in every connector of the account. Answers with the plugin as it is now."""
    require(request, Role.ANALYST)
    found = _find(request, pk)
    respond.decide(request.auth.account, [found.pk], state=body.state, note=body.note, until=body.until, actor=request.auth.name)
    return _data(request, found)
