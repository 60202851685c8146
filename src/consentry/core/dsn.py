"""From a database URL to Django's settings."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo


def django_database(url: str) -> dict[str, Any]:
    """Django's ``DATABASES`` entry for a libpq URL; whatever Django has no name for goes to psycopg as it is."""
    parameters: dict[str, Any] = dict(conninfo_to_dict(url))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parameters.pop("dbname", ""),
        "USER": parameters.pop("user", ""),
        "PASSWORD": parameters.pop("password", "") or "",
        "HOST": parameters.pop("host", ""),
        "PORT": parameters.pop("port", ""),
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": parameters,
    }


def connection_string(settings: dict[str, Any]) -> str:
    """The libpq string of a Django ``DATABASES`` entry: for connections of our own beside Django's."""
    given = {
        "dbname": settings["NAME"],
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "host": settings["HOST"],
        "port": settings["PORT"],
    }
    extra = {name: str(value) for name, value in settings["OPTIONS"].items() if isinstance(value, (str, int))}
    return make_conninfo("", **{**extra, **{name: str(value) for name, value in given.items() if value}})
