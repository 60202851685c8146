"""The tables that grow with a tenant get a partition for each connector, and scope sets the digest of their text as their key."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

# table -> its columns, its key within a connector, its indexes; what is there is carried over
_TABLES = {
    "inventory_delegatedgrant": (
        'connector_id uuid NOT NULL, grant_id text COLLATE "C" NOT NULL, client_id uuid NOT NULL, resource_id uuid NOT NULL, principal_id uuid,'
        " consent_type text NOT NULL, scope_set_id uuid NOT NULL, first_seen timestamptz NOT NULL, removed_at timestamptz,"
        " granted_at timestamptz, granted_by text",
        "grant_id",
        {"grant_by_client": "connector_id, client_id", "grant_by_principal": "connector_id, principal_id"},
    ),
    "inventory_approleassignment": (
        'connector_id uuid NOT NULL, assignment_id text COLLATE "C" NOT NULL, principal_id uuid NOT NULL, principal_type text,'
        " principal_name text, resource_id uuid NOT NULL, resource_name text, app_role_id uuid NOT NULL, created_at timestamptz,"
        " first_seen timestamptz NOT NULL, removed_at timestamptz, granted_by text",
        "assignment_id",
        {"assignment_by_principal": "connector_id, principal_id", "assignment_by_resource": "connector_id, resource_id"},
    ),
    "inventory_principal": (
        "connector_id uuid NOT NULL, object_id uuid NOT NULL, kind varchar(20) NOT NULL, name text NOT NULL, user_principal_name text, mail text,"
        " user_type text, department text, job_title text, enabled boolean, first_seen timestamptz NOT NULL, removed_at timestamptz",
        "object_id",
        {},
    ),
    "inventory_assignee": (
        'connector_id uuid NOT NULL, assignment_id text COLLATE "C" NOT NULL, service_principal_id uuid NOT NULL, principal_id uuid NOT NULL,'
        " kind varchar(20) NOT NULL, name text, app_role_id uuid NOT NULL, created_at timestamptz, first_seen timestamptz NOT NULL,"
        " removed_at timestamptz",
        "assignment_id",
        {"assignee_by_plugin": "connector_id, service_principal_id"},
    ),
}


def _partition(apps: Any, schema_editor: Any) -> None:
    run = schema_editor.execute
    for table, (columns, key, indexes) in _TABLES.items():
        names = ", ".join(column.split()[0] for column in columns.split(", "))
        held, source = names, f"{table}_before o"
        if table == "inventory_delegatedgrant":
            held = names.replace("scope_set_id", "s.scope_md5")
            source += " JOIN inventory_scopeset s ON s.id = o.scope_set_id"
        run(f"ALTER TABLE {table} RENAME TO {table}_before")
        run(f"CREATE TABLE {table} ({columns}) PARTITION BY LIST (connector_id)")
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT connector_id FROM {table}_before")  # noqa: S608  # fixed names
            connectors = [row[0] for row in cursor.fetchall()]
        for one in connectors:
            run(f"CREATE TABLE {table}_{one.hex} PARTITION OF {table} FOR VALUES IN ('{one}')")
        run(f"INSERT INTO {table} ({names}) SELECT {held} FROM {source}")  # noqa: S608  # fixed names
        run(f"DROP TABLE {table}_before")
        run(f"ALTER TABLE {table} ADD PRIMARY KEY (connector_id, {key})")
        for index, on in indexes.items():
            run(f"CREATE INDEX {index} ON {table} ({on})")
    run(
        "INSERT INTO inventory_tenantfact (connector_id, name, value, read_at)"
        " SELECT connector_id, 'grants_first_read', '{}', min(first_seen) FROM inventory_delegatedgrant GROUP BY connector_id"
    )
    run("ALTER TABLE inventory_scopeset DROP CONSTRAINT inventory_scopeset_pkey, DROP COLUMN id")
    run("ALTER TABLE inventory_scopeset RENAME COLUMN scope_md5 TO id")
    run("ALTER TABLE inventory_scopeset DROP CONSTRAINT inventory_scopeset_scope_md5_key, ADD PRIMARY KEY (id)")


class Migration(migrations.Migration):
    dependencies = [
        ("connect", "0001_initial"),
        ("inventory", "0004_assignees_and_inherited"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(_partition, migrations.RunPython.noop)],
            state_operations=[
                migrations.RemoveConstraint(
                    model_name="approleassignment",
                    name="assignment_once",
                ),
                migrations.RemoveConstraint(
                    model_name="assignee",
                    name="assignee_once",
                ),
                migrations.RemoveConstraint(
                    model_name="delegatedgrant",
                    name="grant_once",
                ),
                migrations.RemoveConstraint(
                    model_name="principal",
                    name="principal_once",
                ),
                migrations.RemoveIndex(
                    model_name="delegatedgrant",
                    name="grant_by_client",
                ),
                migrations.RemoveField(
                    model_name="approleassignment",
                    name="id",
                ),
                migrations.RemoveField(
                    model_name="assignee",
                    name="id",
                ),
                migrations.RemoveField(
                    model_name="delegatedgrant",
                    name="id",
                ),
                migrations.RemoveField(
                    model_name="principal",
                    name="id",
                ),
                migrations.RemoveField(
                    model_name="scopeset",
                    name="scope_md5",
                ),
                migrations.AddField(
                    model_name="approleassignment",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "connector", "assignment_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AddField(
                    model_name="assignee",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "connector", "assignment_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AddField(
                    model_name="delegatedgrant",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "connector", "grant_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AddField(
                    model_name="principal",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "connector", "object_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AlterField(
                    model_name="approleassignment",
                    name="connector",
                    field=models.ForeignKey(
                        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to="connect.connector"
                    ),
                ),
                migrations.AlterField(
                    model_name="assignee",
                    name="connector",
                    field=models.ForeignKey(
                        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to="connect.connector"
                    ),
                ),
                migrations.AlterField(
                    model_name="delegatedgrant",
                    name="connector",
                    field=models.ForeignKey(
                        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to="connect.connector"
                    ),
                ),
                migrations.AlterField(
                    model_name="principal",
                    name="connector",
                    field=models.ForeignKey(
                        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, to="connect.connector"
                    ),
                ),
                migrations.AlterField(
                    model_name="scopeset",
                    name="id",
                    field=models.UUIDField(primary_key=True, serialize=False),
                ),
                migrations.AddIndex(
                    model_name="delegatedgrant",
                    index=models.Index(fields=["connector", "client_id"], name="grant_by_client"),
                ),
            ],
        ),
    ]
