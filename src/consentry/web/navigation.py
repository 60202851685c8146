"""What stands in the sidebar, in the order a person meets it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the sidebar."""

    label: str
    address: str
    icon: str
    role: str = "viewer"
    active: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A labelled group of the sidebar."""

    label: str
    items: tuple[Item, ...]


GROUPS: tuple[Group, ...] = (
    Group(
        "Applications",
        (
            Item("Dashboard", "/", "layout-dashboard"),
            Item("Plugins", "/plugins/", "puzzle"),
            Item("Alerts", "/alerts/", "bell"),
            Item("Permissions", "/permissions/", "key"),
            Item("People", "/people/", "users"),
            Item("Changes", "/changes/", "history"),
            Item("Policies", "/policies/", "shield-check"),
        ),
    ),
    Group("Resources", (Item("Integrations", "/integrations/", "plug-connected"),)),
    Group(
        "Administration",
        (
            Item("Registrations", "/administration/registrations/", "id-badge-2", "administrator"),
            Item("People & roles", "/administration/people/", "user-shield", "administrator"),
            Item("Notifications", "/administration/notifications/", "mail", "administrator"),
            Item("Risk weights", "/administration/risk/", "adjustments", "administrator"),
            Item("API tokens", "/administration/tokens/", "api", "administrator"),
            Item("Licence", "/administration/licence/", "license"),
            Item("Audit trail", "/administration/audit/", "list-details", "administrator"),
        ),
    ),
)


def _is_active(item: Item, path: str) -> bool:
    return path == "/" if item.address == "/" else path.startswith(item.address)


def groups_for(request: HttpRequest) -> list[Group]:
    """The groups with the lines this person may open; the open one is marked."""
    person = request.user
    if not person.is_authenticated:
        return []
    shown: list[Group] = []
    for group in GROUPS:
        items = tuple(
            Item(item.label, item.address, item.icon, item.role, _is_active(item, request.path))
            for item in group.items
            if person.may(item.role)
        )
        if items:
            shown.append(Group(group.label, items))
    return shown
