"""Permissions, People, a person and Changes."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from consentry.inventory import queries
from consentry.inventory.filters import Permission
from consentry.inventory.models import Principal
from consentry.risk import queries as risk
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.permission_rows import permission_row
from consentry.web.plugin_rows import change_rows, plugin_row

_SIZE = 50


def _asked(request: ConsoleRequest) -> tuple[str, int]:
    number = request.GET.get("page", "1")
    return request.GET.get("q", "").strip(), max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else 1


@require_role("viewer")
def permissions(request: ConsoleRequest) -> HttpResponse:
    """Every permission that a plugin holds, the strongest first."""
    q, page = _asked(request)
    rows = queries.held_permissions(request.user.account_id, q=q, page=page)
    refusers = risk.refusers(connector for row in rows for connector in row["connectors"])
    shown = [
        {
            **permission_row(row, [refusers[connector] for connector in row["connectors"]]),
            "filter": Permission(row["kind"], row["value"], row["resource_id"]),
        }
        for row in rows[:_SIZE]
    ]
    return render(request, "inventory/permissions.html", {"rows": shown, "q": q, "number": page, "more": len(rows) > _SIZE})


@require_role("viewer")
def people(request: ConsoleRequest) -> HttpResponse:
    """People by what they let in."""
    q, page = _asked(request)
    rows = queries.people(request.user.account_id, q=q, page=page)
    return render(request, "inventory/people.html", {"rows": rows[:_SIZE], "q": q, "number": page, "more": len(rows) > _SIZE})


@require_role("viewer")
def person(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """One person: which plugins act for them, since when, with which permissions."""
    found = get_object_or_404(Principal.objects.select_related("connector"), object_id=pk, connector__account=request.user.account)
    held = [{**plugin_row(row["plugin"]), **row} for row in queries.person_plugins(found)]
    return render(request, "inventory/person.html", {"person": found, "held": held})


@require_role("viewer")
def changes(request: ConsoleRequest) -> HttpResponse:
    """What changed, newest first; what was there at the first reading only when asked for."""
    q, _ = _asked(request)
    everything = request.GET.get("all") == "1"
    found = queries.changes(request.user.account_id)
    if not everything:
        found = found.exclude(kind="plugin_first_seen")
    if q:
        found = found.filter(Q(plugin__name__icontains=q) | Q(subject__icontains=q))
    page = Paginator(found, _SIZE).get_page(request.GET.get("page"))
    kept = urlencode({name: value for name, value in (("q", q), ("all", "1" if everything else "")) if value})
    context = {"rows": change_rows(page.object_list), "page": page, "q": q, "all": everything, "kept": f"{kept}&" if kept else ""}
    return render(request, "inventory/changes.html", context)
