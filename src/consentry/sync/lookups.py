"""What a run asks of the inventory while it reads: whom it knows, what is new, and what depends on what was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from consentry.providers.entra.values import guid
from consentry.sync.writer import Writer

# Blueprints' principals that were read again, have other grants or are gone
_BLUEPRINTS = """
SELECT service_principal_id FROM inventory_plugin
WHERE connector_id = %(c)s AND odata_type ILIKE '%%agentIdentityBlueprintPrincipal' AND service_principal_id = ANY(ARRAY(
  SELECT object_id FROM {s}.service_principal UNION SELECT client_id FROM {s}.delegated_grant
  UNION SELECT g.client_id FROM {s}.removed r JOIN inventory_delegatedgrant g ON g.connector_id = %(c)s AND g.grant_id = r.object_id
  WHERE r.source = 'delegated_grants'
  UNION SELECT object_id::uuid FROM {s}.removed WHERE source = 'service_principals'))
"""
_HEIRS = """
SELECT a.service_principal_id FROM inventory_plugin a
WHERE a.connector_id = %(c)s AND a.removed_at IS NULL AND (a.service_principal_type = 'ServiceIdentity' OR a.odata_type ILIKE '%%agentIdentity')
  AND (NOT EXISTS (SELECT 1 FROM inventory_inheritedpermission i WHERE i.connector_id = %(c)s AND i.service_principal_id = a.service_principal_id AND i.removed_at IS NULL)
    OR EXISTS (SELECT 1 FROM inventory_inheritedpermission i WHERE i.connector_id = %(c)s AND i.service_principal_id = a.service_principal_id
               AND i.removed_at IS NULL AND i.source_id = ANY(%(blueprints)s::uuid[])))
"""
_KNOWN = """
SELECT p.object_id FROM inventory_principal p WHERE p.connector_id = %(c)s AND p.object_id = ANY(%(people)s::uuid[])
  AND (p.removed_at IS NULL OR EXISTS (
    SELECT 1 FROM inventory_delegatedgrant g WHERE g.connector_id = %(c)s AND g.principal_id = p.object_id AND g.removed_at IS NULL))
"""
_LEFT_BEHIND = """
WITH back AS MATERIALIZED (
  SELECT object_id FROM inventory_principal WHERE connector_id = %(c)s AND object_id = ANY(%(people)s::uuid[]) AND removed_at IS NOT NULL)
SELECT service_principal_id FROM inventory_owner WHERE EXISTS (SELECT 1 FROM back) AND connector_id = %(c)s AND owner_id IN (SELECT object_id FROM back)
UNION
SELECT service_principal_id FROM inventory_assignee WHERE EXISTS (SELECT 1 FROM back) AND connector_id = %(c)s AND principal_id IN (SELECT object_id FROM back)
"""
# Owner tenants without a name that was read lately: first of apps that nobody verified, then of the riskiest
_NAMELESS = """
SELECT t.id FROM (
  SELECT owner_tenant AS id, CASE WHEN verified THEN 0 ELSE 20 END AS weight FROM {s}.service_principal
  UNION ALL SELECT owner_tenant_id, risk_score FROM inventory_plugin WHERE connector_id = %(c)s AND removed_at IS NULL) t
WHERE t.id IS NOT NULL AND t.id <> ALL(%(known)s::uuid[])
  AND NOT EXISTS (SELECT 1 FROM inventory_publishertenant k WHERE k.tenant_id = t.id AND k.read_at > now() - interval '90 days')
  AND (NOT %(granted)s OR EXISTS (SELECT 1 FROM connect_capability WHERE connector_id = %(c)s AND name = 'publisher_tenants' AND state = 'granted'))
GROUP BY 1 ORDER BY max(t.weight) DESC, 1 LIMIT %(most)s
"""
_EVENTS = "SELECT event_id FROM inventory_consentevent WHERE connector_id = %(c)s AND event_id = ANY(%(events)s)"


@dataclass(frozen=True, slots=True)
class Lookups:
    """Questions of one run, on the connection that its writer uses too."""

    connection: psycopg.AsyncConnection[Any]
    writer: Writer
    connector_id: UUID

    async def news(self, audited: Mapping[str, set[str]]) -> set[str]:
        """The objects that audit events are about which no earlier run has read."""
        known = set(await self._ask(_EVENTS, events=list(audited)))
        return {one for event, objects in audited.items() if event not in known for one in objects}

    async def known(self, people: Collection[str]) -> list[str]:
        """Those of these people whom the inventory knows, or knew and grants still name."""
        return await self._ask(_KNOWN, people=[one for one in people if guid(one)]) if people else []

    async def left_behind(self, people: Collection[str]) -> set[str]:
        """The apps that were owned by, or assigned to, those of these people who had been deleted and are back."""
        return set(await self._ask(_LEFT_BEHIND, people=[one for one in people if guid(one)])) if people else set()

    async def heirs(self) -> list[str]:
        """The agent identities whose blueprint's principal was read again, has other grants or is gone, also those that inherited nothing until now."""
        blueprints = await self._ask(_BLUEPRINTS)
        return await self._ask(_HEIRS, blueprints=blueprints) if blueprints else []

    async def nameless(self, known: list[str], most: int, *, granted: bool) -> list[str]:
        """At most so many owner tenants, without those ``known``, whose names were not read lately; ``granted``: only where that is allowed."""
        return await self._ask(_NAMELESS, known=known, most=most, granted=granted)

    async def _ask(self, statement: str, **values: Any) -> list[str]:
        asked = sql.SQL(statement).format(s=sql.Identifier(self.writer.schema))
        async with self.writer.turn:
            found = await self.connection.execute(asked, {"c": self.connector_id, **values})
            return [str(row[0]) for row in await found.fetchall()]
