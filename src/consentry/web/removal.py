"""Disconnect and delete, each after a word on what happens to the data."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render

from consentry.connect import services
from consentry.connect.models import Connector, Integration
from consentry.web.access import ConsoleRequest, require_role
from consentry.web.panels import done, find_connector, find_integration
from consentry.web.rows import THIRD_PARTY_APPS


@dataclass(frozen=True, slots=True)
class Consequence:
    """One line of a confirmation."""

    tone: str
    icon: str
    text: str


_KEPT = Consequence("good", "circle-check", "Everything collected so far stays: plugins, history, decisions and notes.")
_AT_MICROSOFT = Consequence(
    "info", "info-circle", "The consent at Microsoft stays until somebody removes the app in Entra, under Enterprise applications."
)
DISCONNECT = (Consequence("warn", "plug-off", "Nothing is read any more, until it is re-authorised."), _KEPT, _AT_MICROSOFT)
DELETE_CONNECTOR = (
    Consequence("bad", "trash", "Everything collected through it is deleted for ever: plugins, grants, people and the history."),
    Consequence("good", "circle-check", "Decisions and notes stay, and apply again when the tenant is connected again."),
    _AT_MICROSOFT,
)
DELETE_INTEGRATION = (Consequence("warn", "plug-off", "Nothing is read any more; the schedule is deleted."), _KEPT, _AT_MICROSOFT)


@require_role("administrator")
def connector_disconnect(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then stop reading."""
    return _disconnect(request, find_connector(request, pk))


@require_role("administrator")
def integration_disconnect(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then stop reading."""
    return _disconnect(request, find_integration(request, pk))


@require_role("administrator")
def connector_delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete with everything collected."""
    return _delete(request, find_connector(request, pk), DELETE_CONNECTOR)


@require_role("administrator")
def integration_delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Ask, then delete the integration."""
    return _delete(request, find_integration(request, pk), DELETE_INTEGRATION)


def _name(subject: Connector | Integration) -> str:
    return subject.name if isinstance(subject, Connector) else f"{THIRD_PARTY_APPS} over {subject.connector.name}"


def _disconnect(request: ConsoleRequest, subject: Connector | Integration) -> HttpResponse:
    if request.method != "POST":
        return _ask(request, subject, "Disconnect", DISCONNECT)
    services.disconnect(subject, actor=request.user.email)
    return done(request, f"{_name(subject)} was disconnected. What was collected is kept.")


def _delete(request: ConsoleRequest, subject: Connector | Integration, consequences: tuple[Consequence, ...]) -> HttpResponse:
    if request.method != "POST":
        return _ask(request, subject, "Delete", consequences)
    name = _name(subject)
    services.delete(subject, actor=request.user.email)
    return done(request, f"{name} was deleted.")


def _ask(request: ConsoleRequest, subject: Connector | Integration, deed: str, consequences: tuple[Consequence, ...]) -> HttpResponse:
    what = "connector" if isinstance(subject, Connector) else "integration"
    context = {
        "action": request.path,
        "title": f"{deed} this {what}?",
        "subject": _name(subject),
        "consequences": consequences,
        "button": deed,
        "danger": deed == "Delete",
    }
    template = "integrations/confirm.html" if request.htmx else "integrations/confirm_page.html"
    return render(request, template, context)
