"""Alerts and policies."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Query, Router, Schema
from pydantic import Field, JsonValue

from consentry.api import schemas
from consentry.api.access import ApiRequest
from consentry.policy import queries

router = Router(tags=["policy"])
State = Literal["open", "acknowledged", "resolved", "dismissed"]


class Comment(Schema):
    by: str
    at: str
    text: str
    event: bool


class Alert(Schema):
    """A policy that matched a plugin; ``evidence`` is that of the moment when it opened."""

    id: str
    connector: str
    policy: str
    title: str
    why: str
    remedy: str
    technique: str | None
    severity: schemas.Level
    state: State
    plugin_id: str
    plugin: str
    app_id: str | None
    opened_at: str
    seen_at: str
    closed_at: str | None
    closed_by: str | None
    reason: str
    assignee: str | None
    times: int
    comments: list[Comment]
    evidence: JsonValue


class Policy(Schema):
    id: str
    key: str
    title: str
    why: str
    severity: schemas.Level
    technique: str | None
    state: Literal["active", "audit", "off"]
    predefined: bool
    cooldown_hours: int
    rule: JsonValue
    live_alerts: int
    audit_matches: int


class Wanted(schemas.Paging):
    """Which alerts, which page."""

    state: State | None = None
    connector: str | None = Field(None, description="Name of a connector.")


@router.get("/alerts", response=schemas.Listed[Alert], summary="What the policies found")
def alerts(request: ApiRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """What is to do first, then by severity, the newest first."""
    states = (wanted.state,) if wanted.state else ()
    found = queries.alerts(request.auth.account.pk, states=states, connector=wanted.connector)
    start = (wanted.page - 1) * wanted.page_size
    rows = found[start : start + wanted.page_size]
    return {
        "items": [queries.as_data(row) for row in rows.prefetch_related("comments")],
        "count": found.count(),
        "page": wanted.page,
        "page_size": wanted.page_size,
    }


@router.get("/policies", response=schemas.Listed[Policy], summary="What is looked out for")
def policies(request: ApiRequest, paging: Query[schemas.Paging]) -> dict[str, Any]:
    """The predefined policies and the account's own: active, in audit mode or off."""
    rows = queries.policy_rows(request.auth.account)
    start = (paging.page - 1) * paging.page_size
    return {"items": rows[start : start + paging.page_size], "count": len(rows), "page": paging.page, "page_size": paging.page_size}
