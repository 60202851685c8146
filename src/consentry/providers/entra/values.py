"""Single values of Graph as PostgreSQL reads them as text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})$")
_FRACTION = re.compile(r"\.(\d+)")
_PLAIN = len("2026-01-31T12:00:00Z")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def moment(value: str | None) -> datetime | None:
    """A date of Graph: seven digits of a second, an offset such as ``-8:00``, or none at all (then UTC); None for others."""
    if not value:
        return None
    if len(value) == _PLAIN and value[-1] == "Z":  # as nearly all are
        try:
            plain = datetime.fromisoformat(value[:-1])
        except ValueError:
            return None
        return plain.replace(tzinfo=UTC) if plain.year > 1 else None
    value = _FRACTION.sub(lambda match: "." + match[1][:6].ljust(6, "0"), value.strip())
    zone: timezone = UTC
    if value.endswith(("Z", "z")):
        value = value[:-1]
    elif match := _OFFSET.search(value, 10):
        hours, minutes = int(match[2]), int(match[3])
        if hours > 14 or minutes > 59:
            return None
        delta = timedelta(hours=hours, minutes=minutes)
        zone = timezone(delta if match[1] == "+" else -delta)
        value = value[: match.start()]
    try:
        parsed = datetime.fromisoformat(value).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.year > 1 else None  # 0001-01-01 is Microsoft's way to say never


def stamp(value: str | None) -> str | None:
    """``moment`` as text."""
    parsed = moment(value)
    return parsed.isoformat() if parsed else None


def guid(value: str | None) -> str | None:
    """A GUID in lower case, or None for anything else."""
    return value.lower() if value and _GUID.fullmatch(value) else None


def flag(value: bool | None) -> str | None:
    """A truth value."""
    return None if value is None else "t" if value else "f"


def array(values: Iterable[str | None] | None) -> str:
    """An array of texts; null members are left out."""
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values or () if value is not None]
    return "{" + ",".join(quoted) + "}"


def document(value: Any) -> str:
    """JSON that ``jsonb`` accepts: it cannot hold U+0000."""
    return json.dumps(_without_nul(value), ensure_ascii=False)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
