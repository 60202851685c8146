"""What changed since the last run: delta links, the audit log for what has none, and targeted re-reads (reference, section 8.4).

Owners and app role assignments have no delta, so the service principals and applications that the audit log names are read again. A
changed object may come with its changed properties alone, so it is read again too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from consentry.providers.entra import shape, structs
from consentry.providers.entra.clouds import MICROSOFT_TENANTS
from consentry.providers.entra.errors import MicrosoftError, NotFound, NotYet, Reauthorise, Resync, Unavailable
from consentry.providers.entra.graph import GraphClient
from consentry.providers.entra.pages import Decoder
from consentry.providers.entra.reads import IDS_PER_FILTER, PERSON_PROPERTIES, PLUGIN_PROPERTIES
from consentry.providers.entra.surroundings import ASSIGNED_TO, FEDERATED, Surroundings
from consentry.providers.entra.sweeps import Page, Rows, Store
from consentry.providers.entra.values import guid

# what is asked for is what is tracked
LINKS = {
    "service_principals": f"/v1.0/servicePrincipals/delta?$select={PLUGIN_PROPERTIES}",
    "applications": "/v1.0/applications/delta?$select=id,appId,keyCredentials,passwordCredentials",
    "delegated_grants": "/v1.0/oauth2PermissionGrants/delta",
    "users": f"/v1.0/users/delta?$select={PERSON_PROPERTIES}",
}
_LATEST = "$deltatoken=latest"
# what goes with a service principal
_BELONGINGS = (
    "app_role_assignment",
    "owner:service_principal",
    "owner:application",
    "credential:service_principal",
    "credential:application",
    "credential:federated",
    "assignee",
    "inherited",
)
# more changes than this cost more as re-reads than a full run does
MOST_CHANGED = 3000
MOST_PEOPLE = 20_000


class TooMuchChanged(Exception):  # no error: a full run is the better way
    """So much has changed that everything is better read again."""


@dataclass(slots=True)
class Changes:
    """Ids that a delta query told of."""

    changed: dict[str, Any] = field(default_factory=dict)  # id -> the item as it came; of users None
    removed: set[str] = field(default_factory=set)
    link: str = ""


async def links_from_now(graph: GraphClient, collections: Iterable[str] = tuple(LINKS)) -> dict[str, str]:
    """Links that will tell what changes from now on, for those of the collections that offer one."""

    async def one(path: str) -> str | None:
        try:
            answer = await graph.get(f"{path}{'&' if '?' in path else '?'}{_LATEST}")
        except (NotYet, Reauthorise):
            raise
        except MicrosoftError:
            return None
        try:
            return msgspec.json.decode(answer, type=structs.DeltaPage).delta
        except msgspec.DecodeError:
            return None

    names = list(collections)
    found = await asyncio.gather(*(one(LINKS[name]) for name in names))
    return {name: link for name, link in zip(names, found, strict=True) if link}


@dataclass(slots=True)
class DeltaReader:
    """Stages what changed since ``links`` and gives the links for the next time. ``audited`` are the ids that the audit log names."""

    graph: GraphClient
    store: Store
    links: dict[str, str]
    next_links: dict[str, str] = field(default_factory=dict)
    audited: set[str] = field(default_factory=set)
    _service_principals: list[str] = field(default_factory=list)
    _applications: list[str] = field(default_factory=list)
    _agents: list[str] = field(default_factory=list)
    _assignable: list[str] = field(default_factory=list)

    async def tell(self, collection: str) -> Changes:
        """The items of a collection's delta link. Raises ``Resync`` when the link has expired and ``TooMuchChanged``."""
        found, most = Changes(), MOST_PEOPLE if collection == "users" else MOST_CHANGED
        link: str | None = self.links[collection]
        while link:
            try:
                page = msgspec.json.decode(await self.graph.get(link), type=structs.DeltaPage)
                heads = [(msgspec.json.decode(item, type=structs.DeltaItem), item) for item in page.value]
            except msgspec.DecodeError as error:
                raise TooMuchChanged from error  # not what was expected: everything is read instead
            for head, item in heads:
                if head.removed is not None:
                    found.removed.add(head.id)
                    found.changed.pop(head.id, None)
                else:
                    found.changed[head.id] = None if collection == "users" else item
                    found.removed.discard(head.id)
            if len(found.changed) + len(found.removed) > most:
                raise TooMuchChanged
            link, found.link = page.next, page.delta or found.link
        if not found.link:
            raise TooMuchChanged  # no way to go on from here next time
        self.next_links[collection] = found.link
        return found

    async def _keep(
        self, collection: str, part: str, rows: Rows, removed: Iterable[str] = (), scope: Iterable[tuple[str, str]] = ()
    ) -> None:
        rows["removed"] = [(one, collection) for one in removed]
        rows["scope"] = list(scope)
        await self.store.keep(Page(collection, part, rows, {"done": True}))

    async def service_principals(self, found: Changes) -> None:
        """The changed ones and those that the audit log names, whole, with their credentials."""
        wanted = sorted({one for one in (*found.changed, *self.audited) if guid(one)} - found.removed)
        path = f"/v1.0/servicePrincipals?$select={PLUGIN_PROPERTIES}"
        objects = await self._by_ids(path, "/servicePrincipals/{}?$select=" + PLUGIN_PROPERTIES, wanted, structs.ServicePrincipal)
        self._service_principals = [row.id for row in objects]
        self._agents = [row.id for row in objects if shape.is_agent(row)]
        self._assignable = [row.id for row in objects if row.appOwnerOrganizationId not in MICROSOFT_TENANTS]
        keys = [made for row in objects for made in shape.credentials(row, "service_principal")]
        rows: Rows = {"service_principal": [shape.service_principal(row) for row in objects], "credential": keys}
        scope = [(row.id, "credential:service_principal") for row in objects]
        gone = [(one, what) for one in found.removed for what in _BELONGINGS]
        await self._keep("service_principals", "delta", rows, found.removed, [*scope, *gone])

    async def applications(self, found: Changes) -> None:
        """The same for the tenant's own applications."""
        wanted = sorted({one for one in (*found.changed, *self.audited) if guid(one)} - found.removed - set(self._service_principals))
        select = "$select=id,appId,keyCredentials,passwordCredentials"
        objects = await self._by_ids(f"/v1.0/applications?{select}", f"/applications/{{}}?{select}", wanted, structs.Application)
        self._applications = [row.id for row in objects]
        keys = [made for row in objects for made in shape.credentials(row, "application")]
        rows: Rows = {"application": [shape.application(row) for row in objects], "credential": keys}
        await self._keep("applications", "delta", rows, (), [(row.id, "credential:application") for row in objects])

    async def delegated_grants(self, found: Changes) -> None:
        """The changed grants; one that came without its scope is read again."""
        sets = shape.ScopeSets()
        whole: list[structs.Grant] = []
        partial: list[str] = []
        for one, item in found.changed.items():
            try:
                grant = msgspec.json.decode(item, type=structs.Grant)
            except msgspec.ValidationError:
                partial.append(one)
                continue
            whole.append(grant) if grant.scope is not None and grant.consentType else partial.append(one)
        decoder = Decoder(structs.Grant)
        for one, answer in zip(partial, await self.graph.batch(f"/oauth2PermissionGrants/{one}" for one in partial), strict=True):
            if isinstance(answer, NotFound):
                found.removed.add(one)
            elif isinstance(answer, MicrosoftError):
                raise answer
            else:
                whole.append(decoder.single(answer))
        rows: Rows = {"delegated_grant": [shape.grant(row, sets) for row in whole]}
        rows["scope_set"] = sets.take_new()
        await self._keep("delegated_grants", "delta", rows, found.removed)

    async def tell_of_users(self) -> Changes:
        """The ids of users who changed or are gone; none where the link has expired or they are too many: the next full run reads them all.

        Raises ``MicrosoftError``.
        """
        try:
            return await self.tell("users")
        except (Resync, TooMuchChanged):
            self.next_links.update(await links_from_now(self.graph, ("users",)))
        return Changes()

    async def users(self, known: Iterable[str], removed: Iterable[str]) -> None:
        """Have the people who are ``known`` and have changed looked up with the others, and tell of those who are gone."""
        rows: Rows = {"scope": [(one, "user") for one in known], "removed": [(one, "users") for one in removed]}
        await self.store.keep(Page("principals", "users", rows, {"done": True}))

    async def app_role_assignments(self) -> None:
        """All assignments of the service principals that were read again."""

        def rows(_: str, found: list[structs.Assignment]) -> list[shape.Row]:
            return [shape.assignment(row) for row in found]

        made = await self._related("/servicePrincipals/{}/appRoleAssignments?$top=999", self._service_principals, structs.Assignment, rows)
        scope = [(one, "app_role_assignment") for one in self._service_principals]
        await self._keep("app_role_assignments", "delta", {"app_role_assignment": made}, (), scope)

    async def owners(self) -> None:
        """All owners of what was read again."""
        made: list[shape.Row] = []
        scope: list[tuple[str, str]] = []
        for collection, source, ids in (
            ("servicePrincipals", "service_principal", self._service_principals),
            ("applications", "application", self._applications),
        ):

            def rows(object_id: str, found: list[structs.Related], source: str = source) -> list[shape.Row]:
                return [(object_id, owner.id, source) for owner in found]

            made += await self._related(f"/{collection}/{{}}/owners?$select=id&$top=999", ids, structs.Related, rows)
            scope += [(one, f"owner:{source}") for one in ids]
        await self._keep("owners", "delta", {"owner": made}, (), scope)

    async def assigned_people(self) -> None:
        """The users and groups assigned to the service principals that were read again, Microsoft's own aside."""

        def rows(_: str, found: list[structs.Assignment]) -> list[shape.Row]:
            return shape.assignees(found)

        made = await self._related(ASSIGNED_TO, self._assignable, structs.Assignment, rows)
        await self._keep("assigned_people", "delta", {"assignee": made}, (), [(one, "assignee") for one in self._assignable])

    async def federated_credentials(self) -> None:
        """What the applications that were read again trust."""

        def rows(object_id: str, found: list[structs.FederatedCredential]) -> list[shape.Row]:
            return [shape.federated(object_id, one) for one in found]

        made = await self._related(FEDERATED, self._applications, structs.FederatedCredential, rows)
        scope = [(one, "credential:federated") for one in self._applications]
        await self._keep("federated_credentials", "delta", {"credential": made}, (), scope)

    async def inherited_permissions(self, reader: Surroundings, heirs: Iterable[str]) -> None:
        """What the agent identities that were read again inherit, and those whose blueprint has changed."""
        agents = sorted({*self._agents, *heirs})
        made = await reader.inherited_by(agents) if agents else []
        await self._keep("inherited_permissions", "delta", {"inherited": made}, (), [(one, "inherited") for one in agents])

    async def _related(self, path: str, ids: list[str], kind: type[Any], rows: Callable[[str, Any], list[shape.Row]]) -> list[shape.Row]:
        decoder, made = Decoder(kind), []
        for object_id, answer in zip(ids, await self.graph.batch(path.format(one) for one in ids), strict=True):
            if isinstance(answer, NotFound):
                continue
            if isinstance(answer, MicrosoftError):
                raise answer
            page = decoder.page(answer)
            made += rows(object_id, page.value)
            while page.next:
                page = decoder.page(await self.graph.get(page.next))
                made += rows(object_id, page.value)
        return made

    async def _by_ids(self, listed: str, single: str, ids: list[str], kind: type[Any]) -> list[Any]:
        decoder = Decoder(kind)

        async def look_up(chunk: list[str]) -> list[Any]:
            wanted = ",".join(f"'{one}'" for one in chunk)
            try:
                return decoder.page(await self.graph.get(f"{listed}&$filter=id%20in%20({wanted})")).value
            except (Unavailable, NotFound):
                answers = await self.graph.batch(single.format(one) for one in chunk)
                return [decoder.single(answer) for answer in answers if not isinstance(answer, MicrosoftError)]

        chunks = [ids[start : start + IDS_PER_FILTER] for start in range(0, len(ids), IDS_PER_FILTER)]
        return [row for found in await asyncio.gather(*(look_up(chunk) for chunk in chunks)) for row in found]
