"""The database connector of a worker process."""

from __future__ import annotations

from procrastinate import BaseConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector


def worker_connector() -> BaseConnector:
    """An asynchronous connector to the same database as Django's. Raises ``TypeError`` where jobs are faked."""
    connector = app.connector
    if not isinstance(connector, DjangoConnector):
        raise TypeError("workers need the Django connector")
    return connector.get_worker_connector()
