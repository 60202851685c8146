"""Delta queries: a first pass over everything, then what the change feed holds. Tokens live seven days."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import msgspec

from consentry.simulator import odata
from consentry.simulator.errors import GraphError, unsupported

if TYPE_CHECKING:  # collections.py answers through this module
    from consentry.simulator.collections import Query
    from consentry.simulator.directory import Directory

LIFETIME_SECONDS = 7 * 24 * 3600
_PAGE = 500  # the server chooses; $top is refused


def changes(directory: Directory, query: Query, collection: str, rows: dict[str, Any]) -> Any:
    """One page of a delta query. Raises ``GraphError`` 410 for a token that is too old."""
    if refused := {"$top", "$expand", "$orderby"} & query.parameters.keys():
        raise unsupported(f"{', '.join(refused)} is not supported with delta.")
    token = query.parameters.get("$deltatoken")
    if token == "latest":
        return {"value": [], "@odata.deltaLink": _link(query, "$deltatoken", [len(directory.feed), time.time()])}
    if token:
        start, _ = _read(query, token)
        newest: dict[str, bool] = {object_id: present for name, object_id, present in directory.feed[start:] if name == collection}
        values = [
            odata.project(_render(rows[object_id]), query.select)
            if present and object_id in rows
            else {"id": object_id, "@removed": {"reason": "deleted"}}
            for object_id, present in newest.items()
        ]
        return {"value": values, "@odata.deltaLink": _link(query, "$deltatoken", [len(directory.feed), time.time()])}
    offset, position = 0, len(directory.feed)
    if skip := query.parameters.get("$skiptoken"):
        offset, position = (int(part) for part in _read(query, skip))
    ids = list(rows)
    values = [odata.project(_render(rows[object_id]), query.select) for object_id in ids[offset : offset + _PAGE]]
    if offset + _PAGE < len(ids):
        return {"value": values, "@odata.nextLink": _link(query, "$skiptoken", [offset + _PAGE, position])}
    return {"value": values, "@odata.deltaLink": _link(query, "$deltatoken", [position, time.time()])}


def _render(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else dict(item.render())


def _link(query: Query, name: str, value: list[float]) -> str:
    token = base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")
    kept = "".join(f"{key}={text}&" for key, text in query.parameters.items() if key not in {"$skiptoken", "$deltatoken"})
    return f"{query.url}?{kept}{name}={token}"


def _read(query: Query, token: str) -> tuple[int, float]:
    try:
        first, second = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=tuple[int, float])
    except (ValueError, msgspec.DecodeError) as error:
        raise _gone(query) from error
    if "$deltatoken" in query.parameters and time.time() - second > LIFETIME_SECONDS:
        raise _gone(query)
    return first, second


def _gone(query: Query) -> GraphError:
    return GraphError(410, "syncStateNotFound", "The delta token is too old.", {"Location": f"{query.url}?$deltatoken="})
