"""What every page shows of a plugin or a change in one line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from consentry.core.clock import now
from consentry.inventory import queries
from consentry.inventory.changes import sentence
from consentry.inventory.models import Change, LastUsedState, Plugin

NEW_FOR = timedelta(days=30)
# service -> the word that fits a narrow column
SHORT_SERVICES = {
    "Exchange Online": "Exchange",
    "SharePoint and OneDrive": "SharePoint",
    "Entra directory": "Directory",
    "Security and audit": "Security",
}
_MOST_SERVICES = 2


def plugin_row(plugin: Plugin) -> dict[str, Any]:
    """A plugin with its letter, its services in short and what is new about it."""
    letter = next((character for character in plugin.name if character.isalnum()), "?").upper()
    services = [{"name": name, "short": SHORT_SERVICES.get(name, name)} for name in plugin.connected_to]
    return {
        "plugin": plugin,
        "scored": "version" in plugin.risk,
        "letter": letter,
        "hue": sum(map(ord, plugin.name)) % 8,
        "is_new": plugin.created_at is not None and plugin.created_at > now() - NEW_FOR,
        "permission_count": plugin.delegated_count + plugin.application_count,
        "last_used_label": LastUsedState(plugin.last_used_state).label,
        "services": services[:_MOST_SERVICES],
        "more_services": ", ".join(service["name"] for service in services[_MOST_SERVICES:]),
        "more_number": max(0, len(services) - _MOST_SERVICES),
    }


def change_rows(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Changes as sentences, with the people they name."""
    rows = list(changes)
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
