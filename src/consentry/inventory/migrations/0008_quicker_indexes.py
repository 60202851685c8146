"""A partition holds one connector, so its indexes begin with what differs: PostgreSQL then sorts by abbreviated keys, and they are smaller."""

from typing import Any

from django.db import migrations, models

_KEYS = {
    "inventory_delegatedgrant": "grant_id",
    "inventory_approleassignment": "assignment_id",
    "inventory_principal": "object_id",
    "inventory_assignee": "assignment_id",
}
_INDEXES = (
    ("delegatedgrant", "grant_by_client", "client_id"),
    ("delegatedgrant", "grant_by_principal", "principal_id"),
    ("approleassignment", "assignment_by_principal", "principal_id"),
    ("approleassignment", "assignment_by_resource", "resource_id"),
    ("assignee", "assignee_by_plugin", "service_principal_id"),
)


def _keys(apps: Any, schema_editor: Any) -> None:
    run = schema_editor.execute
    for table, key in _KEYS.items():
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", [table])
            (name,) = cursor.fetchone()
        run(f'ALTER TABLE {table} DROP CONSTRAINT "{name}", ADD PRIMARY KEY ({key}, connector_id)')
    for model, name, column in _INDEXES:
        run(f"DROP INDEX {name}")
        run(f"CREATE INDEX {name} ON inventory_{model} ({column})")


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0007_publisher_tenants"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(_keys, migrations.RunPython.noop)],
            state_operations=[
                operation
                for model, name, column in _INDEXES
                for operation in (
                    migrations.RemoveIndex(model_name=model, name=name),
                    migrations.AddIndex(model_name=model, index=models.Index(fields=[column], name=name)),
                )
            ],
        ),
    ]
