"""From an environment to a configured Django."""

from __future__ import annotations

import gc
import os

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from consentry.core import database
from consentry.core.errors import ConsentryError

RUNTIME_DATABASE = "CONSENTRY_RUNTIME_DATABASE_URL"  # set for child processes, so that only their parent holds the server


def setup(*, asks_for_help: bool = False) -> None:
    """Configure Django against the running database. Safe to call twice. Raises ``ConsentryError`` without a database.

    For ``--help`` no database is started: the settings then name one that is never used.
    """
    if apps.ready:
        return
    if RUNTIME_DATABASE not in os.environ and not asks_for_help:
        url = database.database_url()
        database.check(url)
        os.environ[RUNTIME_DATABASE] = url
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "consentry.core.settings")
    django.setup()
    # A sync holds a hundred thousand rows in which there are no cycles to find; what was imported stays
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def migrate() -> None:
    """Bring the tables up to this version, one process at a time."""
    with database.migration_lock(os.environ[RUNTIME_DATABASE]):
        call_command("migrate", verbosity=0, interactive=False)


def tables_missing() -> bool:
    """True for a database in which nothing was made yet."""
    return not MigrationExecutor(connection).loader.applied_migrations


def ensure_tables() -> None:
    """Make the tables of an empty database. Raises ``ConsentryError`` when they are there but of an older version."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    if executor.loader.applied_migrations:
        raise ConsentryError(
            "migrations_pending",
            "The database's tables are of an older version of Consentry.",
            "Run 'consentry migrate' (or 'consentry up', which does it first).",
        )
    migrate()
