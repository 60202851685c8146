"""The Plugins page: the table an analyst works in, its columns and its export."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from consentry.inventory import plugin_data
from consentry.inventory.filters import DEFAULT_SORT, NEW, SORTS, USED, VERIFIED, PluginFilter, ordered
from consentry.inventory.models import DecisionState, Origin, Plugin, RiskLevel
from consentry.reports.writers import CONTENT_TYPES, FORMATS
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.plugin_rows import plugin_row
from consentry.web.progress import progress_for, start_of

PAGE_SIZES = (25, 50, 100, 200)
COLUMNS = {
    "name": "Name",
    "publisher": "Publisher",
    "connected_to": "Connected to",
    "users": "Users",
    "permissions": "Permissions",
    "risk": "Risk",
    "decision": "Decision",
    "seen": "Consented or first seen",
    "used": "Last used",
    "origin": "Origin",
    "created": "Created",
    "app_id": "App id",
    "connector": "Connector",
}
USUAL_COLUMNS = ("name", "publisher", "connected_to", "users", "permissions", "risk", "decision", "seen", "used")
_DESCENDING_FIRST = {"users", "permissions", "risk", "seen", "used"}
_SESSION_COLUMNS = "plugin_columns"
SERVICES = ("Exchange Online", "SharePoint and OneDrive", "Teams", "Entra directory", "Security and audit", "Power BI", "Intune")
FACETS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("risk", "Risk", tuple(reversed(RiskLevel.choices))),
    ("decision", "Decision", tuple(DecisionState.choices)),
    ("origin", "Origin", tuple(Origin.choices)),
    ("connected_to", "Connected to", tuple((name, name) for name in SERVICES)),
    ("publisher_verified", "Publisher", tuple(VERIFIED.items())),
    ("used", "Last used", tuple(USED.items())),
    ("new_since", "New", tuple(NEW.items())),
)
VIEWS = (
    ("High risk", "risk=high,critical"),
    ("Unsanctioned in use", "decision=unsanctioned"),
    ("New in 30 days", "new_since=30d"),
    ("Unverified publisher", "publisher_verified=false&origin=third_party"),
    ("Unused with access", "used=unused90d"),
)


@require_role("viewer")
def plugins(request: ConsoleRequest) -> HttpResponse:
    """The table."""
    start, progress = start_of(request.user.account), progress_for(request.user.account)
    chosen = PluginFilter.parse(dict(request.GET.lists()))
    order = request.GET.get("sort", DEFAULT_SORT)
    found = chosen.apply(request.user.account_id)
    size = int(request.GET["page_size"]) if request.GET.get("page_size", "") in map(str, PAGE_SIZES) else 50
    page = Paginator(ordered(found.select_related("connector"), order), size).get_page(request.GET.get("page"))
    keep = {"sort": order if order != DEFAULT_SORT else None, "page_size": str(size) if size != 50 else None}
    shown = columns_of(request)
    context = {
        "rows": [plugin_row(plugin) for plugin in page.object_list],
        "page": page,
        "chips": chosen.chips(),
        "q": " ".join(chosen.values.get("q", ())),
        "kept": [
            *((key, ",".join(values)) for key, values in chosen.values.items() if key != "q"),
            *((key, value) for key, value in keep.items() if value),
        ],
        "columns": [_heading(key, order, chosen, keep["page_size"]) for key in shown],
        "shown": shown,
        "column_choices": [(key, label, key in shown) for key, label in COLUMNS.items() if key != "name"],
        "facets": _facets(chosen, keep),
        "views": [{"label": label, "query": query, "on": query == chosen.query().replace("%2C", ",")} for label, query in VIEWS],
        "previous": chosen.query(**keep, page=str(page.previous_page_number())) if page.has_previous() else None,
        "next": chosen.query(**keep, page=str(page.next_page_number())) if page.has_next() else None,
        "query": chosen.query(**keep),
        "sizes": [(number, chosen.query(sort=keep["sort"], page_size=str(number)), number == size) for number in PAGE_SIZES],
        "progress": progress,
        "start": start,
        "any": chosen.values or Plugin.objects.filter(connector__account=request.user.account).exists(),
        "may_decide": request.user.may("analyst"),
        "decisions": DecisionState.choices,
        "formats": (("csv", "CSV"), ("xlsx", "Excel"), ("json", "JSON")),
    }
    return render(request, "inventory/plugins.html", context)


def columns_of(request: ConsoleRequest) -> tuple[str, ...]:
    """The columns that this person chose, the name always first."""
    chosen = request.session.get(_SESSION_COLUMNS, USUAL_COLUMNS)
    return ("name", *(name for name in COLUMNS if name in chosen and name != "name"))


@require_POST
@require_role("viewer")
def columns(request: ConsoleRequest) -> HttpResponse:
    """Keep a choice of columns for this person's session, or go back to the usual ones."""
    if "reset" in request.POST:
        request.session.pop(_SESSION_COLUMNS, None)
    else:
        request.session[_SESSION_COLUMNS] = [name for name in request.POST.getlist("column") if name in COLUMNS]
    return HttpResponseRedirect(f"/plugins/?{request.POST.get('query', '')}")


def _heading(key: str, order: str, chosen: PluginFilter, size: str | None) -> dict[str, Any]:
    active = order.removeprefix("-") == key
    if active:
        turned = key if order.startswith("-") else f"-{key}"
        direction = "descending" if order.startswith("-") else "ascending"
    else:
        turned = f"-{key}" if key in _DESCENDING_FIRST else key
        direction = "none"
    query = chosen.query(sort=turned, page_size=size) if key in SORTS else None
    return {"key": key, "label": COLUMNS[key], "sort": direction, "query": query}


def _facets(chosen: PluginFilter, keep: dict[str, str | None]) -> list[dict[str, Any]]:
    made = []
    for name, label, choices in FACETS:
        on = chosen.values.get(name, ())
        options = [
            {"label": text, "on": value in on, "query": chosen.query(**keep, **{name: ",".join(_toggled(on, value)) or None})}
            for value, text in choices
        ]
        made.append({"name": name, "label": label, "count": len(on), "options": options})
    return made


def _toggled(on: tuple[str, ...], value: str) -> list[str]:
    return [one for one in on if one != value] if value in on else [*on, value]


@require_role("viewer")
def export(request: ConsoleRequest, form: str) -> HttpResponseBase:
    """The current filter's plugins as CSV, XLSX or JSON, uncapped."""
    if form not in FORMATS:
        raise Http404
    chosen = PluginFilter.parse(dict(request.GET.lists()))
    wanted = list(chosen.apply(request.user.account_id).values_list("pk", flat=True))
    rows = plugin_data.rows("plugins", request.user.account_id, only=wanted)
    response = StreamingHttpResponse(FORMATS[form](rows), content_type=CONTENT_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="plugins.{form}"'
    return response
