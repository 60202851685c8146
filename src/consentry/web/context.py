"""What every page's frame needs. Values are callables, so that a page that shows no frame pays nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from consentry.accounts import services as accounts
from consentry.web.navigation import groups_for


def console(request: HttpRequest) -> dict[str, Any]:
    """The sidebar, and whether the account lacks the CASB licence."""
    person = request.user if hasattr(request, "user") else None
    if person is None or not person.is_authenticated:
        return {"navigation": (), "casb_missing": False}
    return {
        "navigation": lambda: groups_for(request),
        "casb_missing": lambda: not accounts.has_casb(person.account),
    }
