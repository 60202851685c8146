"""From a database URL to Django's settings."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict


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
