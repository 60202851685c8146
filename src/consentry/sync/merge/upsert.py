"""Writing only what differs: rows that are equal are not even locked, so that a quiet sync leaves the table as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def upsert(table: str, source: str, *, key: Sequence[str], rest: Sequence[str], once: Mapping[str, str]) -> str:
    """The CTE ``written``: the rows of ``table`` that were made, came back or changed.

    ``source`` is a query or table whose rows have the columns ``key`` and ``rest``, each key once. ``once`` are columns that only a
    new row gets, by their SQL; ``first_seen`` starts anew when a removed row comes back.
    """
    columns = (*key, *rest)
    same = " AND ".join(f"t.{name} = n.{name}" for name in key)
    held, fresh = "".join(f"t.{name}, " for name in rest), "".join(f"n.{name}, " for name in rest)
    updated = "".join(f"{name} = excluded.{name}, " for name in rest)
    if "first_seen" in once:
        updated += "first_seen = CASE WHEN t.removed_at IS NULL THEN t.first_seen ELSE excluded.first_seen END, "
    return f"""
    differs AS (
      SELECT n.* FROM ({source}) n LEFT JOIN {table} t ON t.connector_id = %(c)s AND {same}
      WHERE t.connector_id IS NULL OR ({held} t.removed_at) IS DISTINCT FROM ({fresh} NULL::timestamptz)),
    written AS (
      INSERT INTO {table} AS t (connector_id, {", ".join((*columns, *once))})
      SELECT %(c)s, {", ".join((*columns, *once.values()))} FROM differs
      ON CONFLICT (connector_id, {", ".join(key)}) DO UPDATE SET {updated} removed_at = NULL RETURNING t.*)"""  # noqa: S608  # fixed names
