"""From an environment to a configured Django."""

from __future__ import annotations

import os

import django
from django.apps import apps

from consentry.core import database

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
