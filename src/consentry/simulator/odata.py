"""The part of OData that the served collections understand; anything else is refused as Graph refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from consentry.simulator.errors import unsupported

Row = dict[str, Any]
Test = Callable[[Row], bool]

_COMPARISON = re.compile(r"^([\w/]+)\s+(eq|ge|le|gt|lt)\s+(.+)$")
_IN = re.compile(r"^([\w/]+)\s+in\s*\((.*)\)$", re.DOTALL)
_STARTS = re.compile(r"^startswith\(\s*([\w/]+)\s*,\s*'((?:[^']|'')*)'\s*\)$", re.IGNORECASE)
_ANY = re.compile(r"^(\w+)/any\(\s*(\w+)\s*:\s*\2(?:/(\w+))?\s+eq\s+'((?:[^']|'')*)'\s*\)$")


def compile_filter(text: str) -> Test:
    """A predicate for ``$filter``: comparisons, ``in``, ``startswith`` and ``any`` joined by ``and`` or by ``or``.

    Raises ``GraphError`` 400 for other forms.
    """
    parts = _split(text, " or ")
    if len(parts) > 1:
        tests = [compile_filter(part) for part in parts]
        return lambda row: any(test(row) for test in tests)
    tests = [_single(part.strip()) for part in _split(text, " and ")]
    return lambda row: all(test(row) for test in tests)


def wanted_ids(text: str) -> list[str] | None:
    """The ids of a filter that is nothing but ``id in (...)``, so that they are looked up; None for other filters."""
    match = _IN.match(text.strip())
    return re.findall(r"'((?:[^']|'')*)'", match[2]) if match and match[1] == "id" else None


def equalities(text: str) -> dict[str, str]:
    """``$filter`` as field to value where it only has ``eq`` joined by ``and``. Raises ``GraphError`` 400 otherwise."""
    found = {}
    for part in _split(text, " and "):
        match = _COMPARISON.match(part.strip())
        if match is None or match[2] != "eq":
            raise unsupported("Unsupported Query.")
        found[match[1]] = str(_literal(match[3]))
    return found


def project(row: Row, select: frozenset[str] | None) -> Row:
    """Only the selected properties, always with ``id`` and ``@odata.type`` where the row has them."""
    if select is None or row.keys() <= select:
        return row
    return {name: value for name, value in row.items() if name in select or name in {"id", "@odata.type"} or "@odata" in name}


def _split(text: str, word: str) -> list[str]:
    parts, depth, quoted, start = [], 0, False, 0
    for position, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if depth == 0 and text[position : position + len(word)].lower() == word:
                parts.append(text[start:position])
                start = position + len(word)
    return [*parts, text[start:]]


def _single(text: str) -> Test:
    if text.startswith("(") and text.endswith(")"):
        return compile_filter(text[1:-1])
    if match := _IN.match(text):
        field, wanted = match[1], set(re.findall(r"'((?:[^']|'')*)'", match[2]))
        return lambda row: _value(row, field) in wanted
    if match := _STARTS.match(text):
        field, prefix = match[1], match[2].replace("''", "'").lower()
        return lambda row: str(_value(row, field) or "").lower().startswith(prefix)
    if match := _ANY.match(text):
        field, member, literal = match[1], match[3], match[4].replace("''", "'")
        return lambda row: any((item.get(member) if member else item) == literal for item in row.get(field) or [])
    if match := _COMPARISON.match(text):
        return _comparison(match[1], match[2], _literal(match[3]))
    raise unsupported(f"Invalid filter clause: {text}")


def _comparison(field: str, operator: str, wanted: Any) -> Test:
    def test(row: Row) -> bool:
        value = _value(row, field)
        if operator == "eq":
            return bool(value == wanted)
        if value is None:
            return False
        left, right = _moment(value), _moment(wanted)
        return {"ge": left >= right, "le": left <= right, "gt": left > right, "lt": left < right}[operator]

    return test


def _value(row: Row, path: str) -> Any:
    value: Any = row
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _literal(text: str) -> Any:
    text = text.strip()
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)


@lru_cache(maxsize=200_000)  # the dates of a large audit log are compared with every page of it
def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as error:
        raise unsupported(f"Invalid date literal {value}.") from error
    if moment.tzinfo is None:
        raise unsupported(f"Invalid date literal {value}.")
    return moment
