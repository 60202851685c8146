"""From staging to the inventory in one transaction of set-based SQL.

Only what differs is written, every difference becomes a ``change`` row, and a row is marked as removed only when its collection
was read to the end. Each module holds the statements of one kind of object; in them ``{s}`` is the staging schema, ``%(c)s`` the
connector, ``%(run)s`` the run and ``%(now)s`` its moment.
"""

from __future__ import annotations

from django.db import connection

from consentry.sync.merge import aggregates, events, grants, people, plugins, usage
from consentry.sync.merge.context import Context, Task

__all__ = ["Task", "merge"]
_PLUGINS = (("service_principals", plugins.merge), ("permissions", grants.merge_definitions))
_GRANTS = (("delegated_grants", grants.merge_grants), ("app_role_assignments", grants.merge_assignments))
_OTHERS = (
    ("inherited_permissions", grants.merge_inherited),
    ("assigned_people", people.merge_assignees),
    ("principals", people.merge_principals),
    ("owners", people.merge_owners),
)


def merge(task: Task) -> dict[str, int]:
    """Merge what is complete and return the run's number of changes by kind. Call inside a transaction.

    Raises ``LookupError`` when the connector is gone. Can be called again for the same run: what was merged is not written again.
    """
    with connection.cursor() as cursor:
        context = Context(cursor, task)
        context.begin()
        # at first grants come before plugins, which are then written once, with what was counted of them
        for name, step in (*_GRANTS, *_PLUGINS, *_OTHERS) if context.first else (*_PLUGINS, *_GRANTS, *_OTHERS):
            if name in task.complete:
                step(context)
        people.merge_credentials(context)
        usage.merge_facts(context)
        usage.merge_last_used(context)
        usage.merge_publishers(context)
        if "audit_events" in task.complete:
            events.merge(context)
        counted = context.first and {"delegated_grant", "app_role_assignment"} <= context.attached
        if not counted or "audit_events" in task.complete:
            aggregates.refresh(context)
        return context.finish()
