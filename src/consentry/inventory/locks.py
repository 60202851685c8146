"""Who writes many of a connector's plugins at once does so alone: two that update the same rows in different orders stop each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

from consentry.core.dsn import connection_string

_PLUGINS = 0x504C_5547  # the space of these advisory locks: one for each connector


def hold_plugins(cursor: CursorWrapper, connector_id: UUID) -> None:
    """Wait for other writers of the connector's plugins and keep them out until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_PLUGINS, str(connector_id)])


@contextmanager
def plugins_held(connector_id: UUID) -> Iterator[None]:
    """The same over several transactions, also those of other connections that work for this one.

    The lock has a connection of its own: whatever becomes of the work, it ends with it.
    """
    with psycopg.connect(connection_string(connection.settings_dict), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [_PLUGINS, str(connector_id)])
        yield
