"""Administration > Risk weights: how much each signal counts, with a preview, and the account's own rogue apps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from consentry.core.errors import ConsentryError
from consentry.risk import queries, services
from consentry.risk.models import RogueApp
from consentry.risk.signals import SIGNALS
from consentry.risk.signals.rogue_app import ROGUE_APPS
from consentry.web.access import ConsoleRequest, require_role

_STRENGTHS = {"strong": "Strong", "power": "Power", "medium": "Medium", "weak": "Weak", "note": "Note, no points"}


@require_role("administrator")
def index(request: ConsoleRequest) -> HttpResponse:
    """The page; preview, save and reset."""
    stored = queries.factors(request.user.account_id)
    if request.method != "POST":
        return _page(request, stored)
    deed = request.POST.get("deed", "")
    try:
        wanted = {} if deed == "reset" else services.checked_factors(_read(request))
        if deed == "preview":
            return _page(request, wanted, preview=queries.preview(request.user.account_id, wanted))
        services.set_factors(request.user.account, wanted, actor=request.user.email)
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
        return _page(request, stored, status=422)
    messages.success(request, "Every plugin is scored again; that takes a few seconds.")
    return redirect("administration-risk")


def _page(request: ConsoleRequest, factors: dict[str, float], *, preview: queries.Preview | None = None, status: int = 200) -> HttpResponse:
    rows = [
        {
            "signal": signal,
            "strength": _STRENGTHS[signal.strength],
            "factor": f"{factors.get(signal.key, 1.0):g}",
            "changed": signal.key in factors,
        }
        for signal in SIGNALS
        if signal.strength != "note"
    ]
    context: dict[str, Any] = {
        "rows": rows,
        "preview": preview,
        "changed": bool(factors),
        "rogues": RogueApp.objects.filter(account=request.user.account).order_by("-at"),
        "published": sorted(ROGUE_APPS.items(), key=lambda pair: pair[1].lower()),
    }
    return render(request, "administration/risk.html", context, status=status)


def _read(request: ConsoleRequest) -> dict[str, float]:
    made = {}
    for signal in SIGNALS:
        text = request.POST.get(f"factor-{signal.key}", "1").replace(",", ".")
        try:
            made[signal.key] = float(text)
        except ValueError:
            made[signal.key] = -1.0  # not a number: refused like any other that can't be
    return made


@require_POST
@require_role("administrator")
def rogue(request: ConsoleRequest) -> HttpResponse:
    """Add an app id to the account's list, or take it off."""
    try:
        app_id = UUID(request.POST.get("app_id", "").strip())
    except ValueError:
        messages.error(request, "An app id looks like 00000000-0000-0000-0000-000000000000. Copy it from the plugin's page.")
        return redirect("administration-risk")
    if request.POST.get("deed") == "remove":
        services.unmark_rogue(request.user.account, app_id, actor=request.user.email)
        messages.success(request, "The app id is off the list.")
    else:
        services.mark_rogue(request.user.account, app_id, note=request.POST.get("note", ""), actor=request.user.email)
        messages.success(request, "The app id is on the list, in every tenant.")
    return redirect("administration-risk")
