"""What the steps of a merge share: the task, the cursor, and the plugins whose facts have changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from consentry.inventory import locks, partitions
from consentry.providers.entra.clouds import MICROSOFT_TENANTS
from consentry.sync.staging import FUTURE, schema_of

_ANALYZE_ABOVE = 2000  # rows written: below, the statistics that are there will do


@dataclass(frozen=True, slots=True)
class Task:
    """What to merge: a run of a connector, the collections that were read to the end, those that need a licence, and our client ids."""

    run_id: int
    connector_id: UUID
    tenant_id: UUID
    ours: Collection[str]
    complete: Collection[str]
    unlicensed: Collection[str]
    moment: datetime
    delta: bool = False  # only what changed was read: what is not there is unchanged and not gone


class Context:
    """One merge. ``first`` is true while the connector has no plugins yet: then no change is written per grant."""

    def __init__(self, cursor: CursorWrapper, task: Task) -> None:
        self.cursor = cursor
        self.complete = task.complete
        self.unlicensed = task.unlicensed
        self.first = False
        self.delta = task.delta
        self.has_new_grants = False  # then the temporary table ``new_grant`` names their clients
        self.attached: set[str] = set()  # staged tables that this merge made partitions
        self._schema = schema_of(task.run_id)
        self._parameters: dict[str, Any] = {
            "c": task.connector_id,
            "run": task.run_id,
            "now": task.moment,
            "tenant": task.tenant_id,
            "ours": list(task.ours),
            "microsoft": list(MICROSOFT_TENANTS),
        }

    def begin(self) -> None:
        """Hold the connector's plugins, and its row, so that it is not deleted meanwhile. Raises ``LookupError`` when it is gone."""
        locks.hold_plugins(self.cursor, self._parameters["c"])
        if not self.do("SELECT 1 FROM connect_connector WHERE id = %(c)s FOR KEY SHARE"):
            raise LookupError("The connector is gone")
        self.do("SET LOCAL work_mem = '64MB'")
        self.do("CREATE TEMP TABLE touched (service_principal_id uuid) ON COMMIT DROP")
        if self.delta:  # few rows, to be looked up one by one in tables of millions
            for table in (*FUTURE, "removed"):
                self.do(f"ANALYZE {{s}}.{table}")
        self.first = not self.do("SELECT 1 FROM inventory_plugin WHERE connector_id = %(c)s LIMIT 1")

    def do(self, statement: str, **more: Any) -> int:
        """Run a statement; the number of rows it wrote or found."""
        self.cursor.execute(statement.replace("{s}", self._schema), {**self._parameters, **more})
        return int(self.cursor.rowcount)

    def attach(self, staged: str) -> bool:
        """Attach the staged partition of a large table. False when it is to be merged row by row: there is a partition already.

        After a kill, what was attached before is left as it is.
        """
        table = FUTURE[staged]
        connector_id: UUID = self._parameters["c"]
        self.cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{self._schema}.{staged}"])
        if not self.cursor.fetchone()[0]:
            return True
        if partitions.exists(self.cursor, table, connector_id):
            return False
        self.cursor.execute(
            "SELECT 1 FROM information_schema.columns WHERE table_schema = %s AND table_name = %s AND column_name = 'first_seen'",
            [self._schema, staged],
        )
        if self.cursor.fetchone() is None:
            partitions.make_empty(self.cursor, table, connector_id)
            return False
        partitions.attach(self.cursor, table, connector_id, self._schema, staged)
        self.attached.add(staged)
        return True

    def analyze(self, table: str, written: int, columns: str = "") -> None:
        """Refresh the planner's statistics after a large load, of these columns alone where texts would cost the most and tell nothing."""
        if written <= _ANALYZE_ABOVE:
            return
        if kind := partitions.PARTITIONED.get(table):
            table, columns = partitions.name_of(table, self._parameters["c"]), kind.analyzed
        self.do(f"ANALYZE {table} {f'({columns})' if columns else ''}")

    def finish(self) -> dict[str, int]:
        """Note the touched plugins for the steps after the merge, and count the run's changes by kind."""
        self.do("""
            INSERT INTO sync_touchedplugin (run_id, plugin_id)
            SELECT DISTINCT %(run)s::bigint, p.id FROM touched t
            JOIN inventory_plugin p ON p.connector_id = %(c)s AND p.service_principal_id = t.service_principal_id
            ON CONFLICT DO NOTHING""")
        self.do("SELECT kind, count(*) FROM inventory_change WHERE connector_id = %(c)s AND run_id = %(run)s GROUP BY kind")
        counted: dict[str, int] = dict(self.cursor.fetchall())
        self.do("DROP TABLE touched")
        return counted
