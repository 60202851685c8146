"""Who opens or deletes an account's alerts does so alone: two that find the same match would both open its alert."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

_ALERTS = 0x414C_5254  # the space of these advisory locks: one for each account


def hold_alerts(account_id: UUID) -> None:
    """Wait for others that work on the account's alerts and keep them out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_ALERTS, str(account_id)])
