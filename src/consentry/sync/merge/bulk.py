"""The first load of an empty table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction

from consentry.sync.merge.context import Context

_PLAIN_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = %(table)s::regclass AND NOT i.indisunique AND NOT i.indisprimary
"""


@contextmanager
def indexes_afterwards(context: Context, table: str) -> Iterator[None]:
    """Load a table that holds nothing at all without its plain indexes and build them at the end, which takes half the time.

    A table with rows, of whichever connector, or one that somebody is using, is loaded as it is. An error undoes all of it.
    """
    context.do(_PLAIN_INDEXES, table=table)
    indexes = context.cursor.fetchall()
    if not _alone_with(context, table):
        indexes = []
    for name, _ in indexes:
        context.do(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        context.do(definition)


def _alone_with(context: Context, table: str) -> bool:
    if context.do(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608  # a fixed name
        return False
    try:
        with transaction.atomic():
            context.do(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")
    except OperationalError:
        return False
    return not context.do(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608  # a fixed name
