"""The only readers with joins: what pages, API and exports show of the inventory."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

_COUNTS = """
SELECT
  (SELECT count(*) FROM inventory_plugin WHERE connector_id = %(c)s AND removed_at IS NULL AND origin <> 'microsoft' AND NOT is_console),
  (SELECT count(*) FROM inventory_delegatedgrant WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_approleassignment WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_principal WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_owner WHERE connector_id = %(c)s AND removed_at IS NULL),
  (SELECT count(*) FROM inventory_credential WHERE connector_id = %(c)s AND removed_at IS NULL)
"""


def counts(connector_id: UUID) -> dict[str, int]:
    """How many of each a connector holds; ``plugins`` are all but Microsoft's own apps and the console itself."""
    names = ("plugins", "delegated_grants", "application_permissions", "principals", "owners", "credentials")
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"c": connector_id})
        return dict(zip(names, cursor.fetchone(), strict=True))
