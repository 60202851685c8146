"""Dashboard, Plugins, a plugin's page, Permissions, People and Changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from consentry.connect.models import Connector
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory import plugin_data, queries
from consentry.inventory.changes import sentence
from consentry.inventory.filters import DEFAULT_SORT, NEW, SORTS, USED, VERIFIED, PluginFilter, ordered
from consentry.inventory.models import Change, Credential, Decision, DecisionState, LastUsedState, Origin, Plugin, RiskLevel
from consentry.reports.writers import CONTENT_TYPES, FORMATS
from consentry.respond import services as respond
from consentry.risk.catalogue import judge
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.progress import progress_for

PAGE_SIZES = (25, 50, 100, 200)
# column -> (heading, first direction)
COLUMNS: dict[str, tuple[str, str]] = {
    "name": ("Name", ""),
    "publisher": ("Publisher", ""),
    "connected_to": ("Connected to", ""),
    "users": ("Users", "-"),
    "permissions": ("Permissions", "-"),
    "risk": ("Risk", "-"),
    "decision": ("Decision", ""),
    "seen": ("Consented or first seen", "-"),
    "used": ("Last used", "-"),
}
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
)


def _tile(name: str) -> tuple[str, int]:
    letter = next((character for character in name if character.isalnum()), "?").upper()
    return letter, sum(map(ord, name)) % 8


def _row(plugin: Plugin) -> dict[str, Any]:
    letter, hue = _tile(plugin.name)
    return {
        "plugin": plugin,
        "letter": letter,
        "hue": hue,
        "is_new": plugin.created_at is not None and plugin.created_at > now() - timedelta(days=30),
        "permission_count": plugin.delegated_count + plugin.application_count,
        "last_used_label": LastUsedState(plugin.last_used_state).label,
    }


@require_role("viewer")
def plugins(request: ConsoleRequest) -> HttpResponse:
    """The table an analyst works in."""
    chosen = PluginFilter.parse(dict(request.GET.lists()))
    order = request.GET.get("sort", DEFAULT_SORT)
    found = chosen.apply(request.user.account_id)
    size = int(request.GET["page_size"]) if request.GET.get("page_size", "") in map(str, PAGE_SIZES) else 50
    page = Paginator(ordered(found.select_related("connector"), order), size).get_page(request.GET.get("page"))
    keep = {"sort": order if order != DEFAULT_SORT else None, "page_size": str(size) if size != 50 else None}
    context = {
        "rows": [_row(plugin) for plugin in page.object_list],
        "page": page,
        "chips": chosen.chips(),
        "q": " ".join(chosen.values.get("q", ())),
        "kept": [(key, value) for key, values in chosen.values.items() if key != "q" for value in [",".join(values)]],
        "columns": [_heading(key, order, chosen, keep["page_size"]) for key in COLUMNS],
        "facets": _facets(chosen, keep),
        "views": [{"label": label, "query": query} for label, query in VIEWS],
        "previous": chosen.query(**keep, page=str(page.previous_page_number())) if page.has_previous() else None,
        "next": chosen.query(**keep, page=str(page.next_page_number())) if page.has_next() else None,
        "query": chosen.query(),
        "progress": progress_for(request.user.account),
        "has_connector": Connector.objects.filter(account=request.user.account, tenant_id__isnull=False).exists(),
        "any": chosen.values or Plugin.objects.filter(connector__account=request.user.account).exists(),
        "may_decide": request.user.may("analyst"),
        "decisions": DecisionState.choices,
        "formats": (("csv", "CSV"), ("xlsx", "Excel"), ("json", "JSON")),
    }
    return render(request, "inventory/plugins.html", context)


def _heading(key: str, order: str, chosen: PluginFilter, size: str | None) -> dict[str, Any]:
    label, first = COLUMNS[key]
    active = order.removeprefix("-") == key
    turned = key if order.startswith("-") else f"-{key}"
    direction = ("descending" if order.startswith("-") else "ascending") if active else "none"
    return {
        "key": key,
        "label": label,
        "sort": direction,
        "query": chosen.query(sort=turned if active else f"{first}{key}", page_size=size) if key in SORTS else None,
    }


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


@require_role("viewer")
def plugin(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """One plugin: who uses it, what it may do, how risky it is and why, and what happened to it."""
    found = get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)
    permissions = [
        {**row, "plain": judge(row["value"], kind=row["kind"]).sentence, "level_label": RiskLevel(row["level"]).label}
        for row in queries.plugin_permissions(found)
    ]
    users = queries.plugin_users(found)
    same = {"connector_id": found.connector_id, "service_principal_id": found.service_principal_id}
    context = {
        **_row(found),
        "permissions": permissions,
        "users": users[:500],
        "user_count": len(users),
        "mails": "; ".join(row["mail"] for row in users if row["mail"]),
        "owners": queries.plugin_owners(found),
        "credentials": Credential.objects.filter(**same, removed_at__isnull=True).order_by("ends_at"),
        "history": _sentences(list(queries.changes(request.user.account_id, plugin=found)[:50])),
        "decided": Decision.objects.filter(account=request.user.account, app_id=found.app_id or found.pk).order_by("-at")[:20],
        "axes": _axes(found),
        "reasons": found.risk.get("reasons", []),
        "decisions": DecisionState.choices,
        "may_decide": request.user.may("analyst"),
    }
    return render(request, "inventory/plugin.html", context)


def _axes(found: Plugin) -> list[dict[str, Any]]:
    axes = found.risk.get("axes", {})
    words = (("takeover", "Could take over the tenant"), ("data", "Could reach data"), ("trust", "How far it can be trusted"))
    return [{"name": name, "label": label, "value": axes.get(name, 0)} for name, label in words]


def _sentences(rows: list[Change]) -> list[dict[str, Any]]:
    people = queries.names_of({row.connector_id for row in rows}, {row.principal_id for row in rows if row.principal_id})
    return [
        {
            "at": row.at,
            "plugin": row.plugin,
            "text": sentence(
                row.kind,
                subject=row.subject,
                before=row.before,
                after=row.after,
                who=people.get(row.principal_id, str(row.principal_id)) if row.principal_id else None,
            ),
        }
        for row in rows
    ]


@require_POST
@require_role("analyst")
def decide(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Decide on one plugin."""
    found = get_object_or_404(Plugin, pk=pk, connector__account=request.user.account)
    _decide(request, [found.pk])
    return redirect("plugin", pk=pk)


@require_POST
@require_role("analyst")
def decide_many(request: ConsoleRequest) -> HttpResponse:
    """Decide on the plugins that were ticked."""
    ids = []
    for text in request.POST.getlist("plugin"):
        try:
            ids.append(UUID(text))
        except ValueError:
            continue
    _decide(request, ids)
    return HttpResponseRedirect(f"/plugins/?{request.POST.get('query', '')}")


def _decide(request: ConsoleRequest, ids: list[UUID]) -> None:
    until = parse_date(request.POST.get("until", "") or "x")
    try:
        number = respond.decide(
            request.user.account,
            ids,
            state=request.POST.get("state", ""),
            note=request.POST.get("note", ""),
            until=until,
            actor=request.user.email,
        )
        messages.success(request, f"The decision was saved for {number} {'app' if number == 1 else 'apps'}.")
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")


@require_role("viewer")
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """Numbers, and what to do next."""
    found = PluginFilter.parse({}).apply(request.user.account_id)
    levels = dict(found.values_list("risk_level").annotate(Count("id")))
    total = sum(levels.values())
    context = {
        "total": total,
        "levels": [
            {
                "value": value,
                "label": label,
                "count": levels.get(value, 0),
                "share": round(100 * levels.get(value, 0) / total) if total else 0,
            }
            for value, label in reversed(RiskLevel.choices)
        ],
        "unsanctioned": found.filter(decision=DecisionState.UNSANCTIONED).count(),
        "new": found.filter(created_at__gte=now() - timedelta(days=30)).count(),
        "undecided": found.filter(decision=DecisionState.UNCLASSIFIED, risk_level__in=["high", "critical"]).count(),
        "top": [_row(one) for one in found.exclude(decision=DecisionState.SANCTIONED).order_by("-risk_score", "-users")[:8]],
        "services": [{"name": name, "count": found.filter(connected_to__contains=[name]).count()} for name in SERVICES],
        "connectors": Connector.objects.filter(account=request.user.account).order_by("name"),
        "changes": _sentences(list(queries.changes(request.user.account_id)[:8])),
        "progress": progress_for(request.user.account),
    }
    return render(request, "inventory/dashboard.html", context)


def _list_context(request: ConsoleRequest) -> tuple[str, int]:
    number = request.GET.get("page", "1")
    return request.GET.get("q", "").strip(), max(1, int(number)) if number.isdigit() else 1


@require_role("viewer")
def permissions(request: ConsoleRequest) -> HttpResponse:
    """Every permission that a plugin holds, the strongest first."""
    q, page = _list_context(request)
    rows = queries.held_permissions(request.user.account_id, q=q, page=page)
    shown = [
        {**row, "plain": judge(row["value"], kind=row["kind"]).sentence, "level_label": RiskLevel(row["level"]).label} for row in rows[:50]
    ]
    return render(request, "inventory/permissions.html", {"rows": shown, "q": q, "number": page, "more": len(rows) > 50})


@require_role("viewer")
def people(request: ConsoleRequest) -> HttpResponse:
    """People by what they let in."""
    q, page = _list_context(request)
    rows = queries.people(request.user.account_id, q=q, page=page)
    return render(request, "inventory/people.html", {"rows": rows[:50], "q": q, "number": page, "more": len(rows) > 50})


@require_role("viewer")
def changes(request: ConsoleRequest) -> HttpResponse:
    """What changed, newest first."""
    q, _ = _list_context(request)
    found = queries.changes(request.user.account_id)
    if q:
        found = found.filter(Q(plugin__name__icontains=q) | Q(subject__icontains=q))
    page = Paginator(found, 50).get_page(request.GET.get("page"))
    return render(request, "inventory/changes.html", {"rows": _sentences(list(page.object_list)), "page": page, "q": q})
