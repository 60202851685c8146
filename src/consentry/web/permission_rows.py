"""What every page shows of a permission: its level, our words for it and who may grant it today."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from consentry.inventory.models import RiskLevel
from consentry.risk.catalogue import judge

ADMINISTRATOR = "Only an administrator can grant it."
REFUSED = "The tenant's consent policy refuses it to people today."
PEOPLE = "People can grant it themselves."
_DIFFERS = "Who can grant it differs between the tenants."


def permission_row(row: dict[str, Any], refusers: Iterable[Callable[[str], bool]]) -> dict[str, Any]:
    """A row with ``value``, ``kind``, ``resource_app_id`` and ``admin_only`` as a page shows it. ``refusers`` are those of its tenants."""
    judged = judge(row["value"], kind=row["kind"], resource_app_id=str(row["resource_app_id"] or ""))
    consents = {_consent(row, refuses) for refuses in refusers}
    return {
        **row,
        "judged": judged,
        "level": judged.level,
        "level_label": RiskLevel(judged.level).label,
        "consent": consents.pop() if len(consents) == 1 else _DIFFERS,
    }


def _consent(row: dict[str, Any], refuses: Callable[[str], bool]) -> str:
    if row["admin_only"]:
        return ADMINISTRATOR
    if refuses(row["value"]):
        return REFUSED
    return PEOPLE if row["admin_only"] is False else ""
