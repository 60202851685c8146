"""Roles in Azure, of which Graph knows nothing: Azure Resource Manager, with a token of its own.

Sources: learn.microsoft.com/rest/api/resources/subscriptions/list and learn.microsoft.com/rest/api/authorization, role assignments
and role definitions, "list for subscription". What applies to a subscription includes what it inherits and what stands below it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from consentry.providers.entra.errors import Forbidden, NotFound, NotYet, Reauthorise, Transient
from consentry.providers.entra.graph import GraphClient
from consentry.providers.entra.pages import Decoder
from consentry.providers.entra.sweeps import AT_ONCE, chunks
from consentry.providers.entra.values import guid

_SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"
_DEFINITIONS = "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01"
_ASSIGNMENTS = "/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
_LEAVE = "If the organisation uses Azure, give the reader's service principal the role Reader on the root management group."


class _Subscription(msgspec.Struct):
    subscriptionId: str  # Microsoft's spelling, here and below
    displayName: str | None = None


class _Definition(msgspec.Struct):
    class Properties(msgspec.Struct):
        roleName: str | None = None

    name: str
    properties: Properties


class _Assignment(msgspec.Struct):
    class Properties(msgspec.Struct):
        principalId: str
        roleDefinitionId: str
        scope: str
        principalType: str | None = None

    properties: Properties


async def azure_roles(azure: GraphClient) -> tuple[dict[str, list[str]], int]:
    """What each service principal holds, by its object id, as texts such as "Owner on subscription Production".

    With it how many objects could not be understood. Raises ``MicrosoftError``; never one that would end the run, as Azure is an extra.
    """
    try:
        subscriptions, unreadable = await _all(azure, _Subscription, _SUBSCRIPTIONS)
        if not subscriptions:
            raise Forbidden("azure_nothing_visible", "The reader sees no Azure subscription.", _LEAVE)
        names = {one.subscriptionId.lower(): one.displayName or one.subscriptionId for one in subscriptions}
        found = [one for some in chunks(list(names), AT_ONCE) for one in await _of_subscriptions(azure, some)]
    except (Reauthorise, NotYet) as error:
        raise Forbidden(error.code, "Azure does not let the reader in.", _LEAVE, request_id=error.request_id) from error
    except Forbidden as error:
        raise Forbidden(error.code, "The reader may not read roles in Azure.", _LEAVE, request_id=error.request_id) from error
    except Transient as error:
        what = f"Azure at {azure.cloud.graph_url} can't be read now ({error.code})."
        raise Transient(error.code, what, "It is tried again with the next full run.", request_id=error.request_id) from error
    held: dict[str, set[str]] = {}
    for roles, assignments, lost in found:
        unreadable += lost
        for row in assignments:
            given = row.properties
            if given.principalType in (None, "ServicePrincipal") and (holder := guid(given.principalId)):
                role = given.roleDefinitionId.rsplit("/", 1)[-1].lower()
                held.setdefault(holder.lower(), set()).add(f"{roles.get(role, role)} on {_place(given.scope, names)}")
    return {holder: sorted(texts) for holder, texts in sorted(held.items())}, unreadable


async def _of_subscriptions(azure: GraphClient, subscriptions: list[str]) -> list[tuple[dict[str, str], list[_Assignment], int]]:
    return await asyncio.gather(*(_of_subscription(azure, one) for one in subscriptions))


async def _of_subscription(azure: GraphClient, subscription: str) -> tuple[dict[str, str], list[_Assignment], int]:
    """Names of roles, assignments, and how many of these could not be understood; nothing of a subscription that is gone by now."""
    try:
        definitions, _ = await _all(azure, _Definition, _DEFINITIONS.format(subscription))
        assignments, lost = await _all(azure, _Assignment, _ASSIGNMENTS.format(subscription))
    except NotFound:
        return {}, [], 0
    return {row.name.lower(): row.properties.roleName or row.name for row in definitions}, assignments, lost


async def _all(azure: GraphClient, kind: type[Any], path: str) -> tuple[list[Any], int]:
    decoder = Decoder(kind, next_link="nextLink")
    rows: list[Any] = []
    unreadable, link = 0, path
    while link:
        page = decoder.page(await azure.get(link))
        rows += page.value
        unreadable += page.unreadable
        link = page.next or ""
    return rows, unreadable


def _place(scope: str, subscriptions: dict[str, str]) -> str:
    """A scope in words; ids of subscriptions become their names."""
    parts = scope.strip("/").split("/")
    kinds = [part.lower() for part in parts]
    if kinds[0] == "subscriptions" and len(parts) > 1:
        name = subscriptions.get(kinds[1], parts[1])
        if len(parts) == 2:
            return f"subscription {name}"
        return f"resource group {parts[3]} in {name}" if len(parts) == 4 else f"{parts[-1]} in {name}"
    if kinds[:3] == ["providers", "microsoft.management", "managementgroups"]:
        return f"management group {parts[-1]}"
    return "everything in Azure" if scope == "/" else scope
