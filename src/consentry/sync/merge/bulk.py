"""The first load of an empty table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction

from consentry.sync.merge.context import Context

_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname, pg_get_constraintdef(c.oid)
FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u'
WHERE i.indrelid = %(table)s::regclass AND NOT i.indisprimary
"""


@contextmanager
def indexes_afterwards(context: Context, table: str) -> Iterator[None]:
    """Load a table that holds nothing at all without its indexes and build them at the end, which takes half the time.

    The rows have to be unique by themselves. A table with rows, of whichever connector, or one that somebody is using, is loaded as
    it is. An error undoes all of it.
    """
    context.do(_INDEXES, table=table)
    indexes = context.cursor.fetchall()
    if not _alone_with(context, table):
        indexes = []
    for index, _, constraint, _ in indexes:
        context.do(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}" if constraint else f"DROP INDEX {index}")
    yield
    for _, definition, constraint, rule in indexes:
        context.do(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {rule}" if constraint else definition)


def _alone_with(context: Context, table: str) -> bool:
    if context.do(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608  # a fixed name
        return False
    try:
        with transaction.atomic():
            context.do(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")
    except OperationalError:
        return False
    return not context.do(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  # a fixed name
