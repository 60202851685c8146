"""The tables that grow with a tenant have a partition for each connector.

A first sync loads and indexes one as a table of its own and attaches it when it is whole; a connector that is gone takes its
partitions along as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from consentry.connect.models import Connector


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table's key within a connector, the columns of its other indexes, and what the planner has to know of besides."""

    key: str
    indexes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def analyzed(self) -> str:
        """The columns whose statistics queries need; those of names as text cost the most and tell nothing.

        Without the key's, PostgreSQL takes it for one that many rows share, as the connector is part of the index.
        """
        return ", ".join(("connector_id", self.key, "removed_at", *self.indexes, *self.others))


PARTITIONED: dict[str, Partitioned] = {
    "inventory_delegatedgrant": Partitioned("grant_id", ("client_id", "principal_id"), ("resource_id", "scope_set_id", "consent_type")),
    "inventory_approleassignment": Partitioned("assignment_id", ("principal_id", "resource_id"), ("app_role_id",)),
    "inventory_principal": Partitioned("object_id", (), ("kind", "user_type")),
    "inventory_assignee": Partitioned("assignment_id", ("service_principal_id",), ("principal_id", "kind")),
}


def name_of(table: str, connector_id: UUID) -> str:
    """The partition of a table that holds a connector's rows."""
    return f"{table}_{connector_id.hex}"


def ensure(connector_id: UUID) -> None:
    """Make the connector's partitions that are missing, empty."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in PARTITIONED:
            make_empty(cursor, table, connector_id)


def exists(cursor: CursorWrapper, table: str, connector_id: UUID) -> bool:
    """Whether the connector has a partition of this table."""
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name_of(table, connector_id)])
    return bool(cursor.fetchone()[0])


def make_empty(cursor: CursorWrapper, table: str, connector_id: UUID) -> None:
    """Make the connector's partition of a table when it has none."""
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {name_of(table, connector_id)} PARTITION OF {table} FOR VALUES IN ('{connector_id}')")


def attach(cursor: CursorWrapper, table: str, connector_id: UUID, schema: str, loaded: str) -> None:
    """Make a loaded table, with the columns and no other connector's rows, the connector's partition. Indexes that it lacks are built."""
    name, key = name_of(table, connector_id), PARTITIONED[table].key
    cursor.execute("SELECT current_schema()")
    (home,) = cursor.fetchone()
    cursor.execute(f"ALTER TABLE {schema}.{loaded} RENAME TO {name}")
    cursor.execute(f"ALTER TABLE {schema}.{name} SET SCHEMA {home}")
    unique = f"{loaded}_{connector_id.hex}_0"
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [unique])
    if cursor.fetchone()[0]:
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY USING INDEX {unique}")
    else:
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({key}, connector_id)")
    cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES IN ('{connector_id}')")


def drop_orphans() -> int:
    """Drop the partitions of connectors that are gone. Returns how many."""
    known = {one.hex for one in Connector.objects.values_list("pk", flat=True)}
    dropped = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = ANY(%s::regclass[])",
            [list(PARTITIONED)],
        )
        for (name,) in cursor.fetchall():
            if name.rpartition("_")[2] not in known:
                with transaction.atomic():
                    cursor.execute("SET LOCAL lock_timeout = '5s'")  # whoever reads goes first; the next call tries again
                    cursor.execute(f"DROP TABLE IF EXISTS {name}")
                    dropped += 1
    return dropped
