"""Deciding on one plugin or on many, and taking that back."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from consentry.core.errors import ConsentryError
from consentry.inventory.models import Plugin
from consentry.respond import services as respond
from consentry.web.access import ConsoleRequest, require_role

_SESSION_UNDO = "last_decisions"


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
    if ids:
        _decide(request, ids)
    else:
        messages.warning(request, "No plugin is ticked. Tick some, then decide.")
    return HttpResponseRedirect(f"/plugins/?{request.POST.get('query', '')}")


@require_POST
@require_role("analyst")
def undo(request: ConsoleRequest) -> HttpResponse:
    """Take this session's last decision back."""
    number = respond.undo(request.user.account, request.session.pop(_SESSION_UNDO, []), actor=request.user.email)
    if number:
        messages.success(request, f"Taken back for {number} {'app' if number == 1 else 'apps'}.")
    else:
        messages.warning(request, "There is nothing to take back: somebody has decided again since.")
    back = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(back if safe else reverse("plugins"))


def _decide(request: ConsoleRequest, ids: list[UUID]) -> None:
    until = parse_date(request.POST.get("until", "") or "x")
    try:
        made = respond.decide(
            request.user.account,
            ids,
            state=request.POST.get("state", ""),
            note=request.POST.get("note", ""),
            until=until,
            actor=request.user.email,
        )
    except ConsentryError as error:
        messages.error(request, f"{error.what} {error.remedy}")
        return
    request.session[_SESSION_UNDO] = made
    messages.success(request, f"The decision was saved for {len(made)} {'app' if len(made) == 1 else 'apps'}.", extra_tags="undo")
