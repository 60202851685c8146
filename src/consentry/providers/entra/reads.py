"""The whole inventory in few requests: sweeps of every collection, with their follow-ups (reference, section 9)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from consentry.providers.entra import shape, structs
from consentry.providers.entra.audit import audit_event
from consentry.providers.entra.errors import ExpiredPage, MicrosoftError, NotFound, Transient, Unavailable, Unlicensed
from consentry.providers.entra.graph import BATCH_SIZE, GraphClient
from consentry.providers.entra.pages import Decoder

Rows = dict[str, list[shape.Row]]  # staging table -> rows
Cursor = dict[str, Any]

EXPAND_CAP = 20  # $expand on directory objects stops at 20 without a next link
MOST_RESTARTS = 5
IDS_PER_FILTER = 15
IDS_PER_LOOKUP = 1000
WINDOW = 16  # requests side by side; the client's own gate is as wide
WINDOWS_AHEAD = 8  # one plugin with many pages does not hold up the others
UNLICENSED_TRIES = 3  # "no premium licence" is known to come and go in licensed tenants
PLUGIN_PROPERTIES = (
    "id,appId,displayName,appDisplayName,appOwnerOrganizationId,servicePrincipalType,accountEnabled,disabledByMicrosoftStatus,createdDateTime,"
    "appRoleAssignmentRequired,signInAudience,homepage,loginUrl,applicationTemplateId,preferredSingleSignOnMode,replyUrls,tags,verifiedPublisher,"
    "keyCredentials,passwordCredentials,info,notes,description,appDescription"
)
_GRANT_PROPERTIES = "id,clientId,consentType,principalId,resourceId,scope"
# When grants are read plugin by plugin; see docs/decisions/0003-grants-by-plugin.md
_USUAL_GRANTS_PER_PLUGIN = 20
_BATCHED_READ_SECONDS = 0.0006  # of work for one plugin, whatever the latency
_UNITS, _UNIT_SECONDS = 8000, 10.0  # of an app in a tenant of more than 500 people: learn.microsoft.com/graph/throttling-limits
_WORTH_SECONDS = 3.0
_PERSON = "id,displayName,userPrincipalName,mail,userType,department,jobTitle,accountEnabled"
_COMPANIONS = {
    "admin_consent_request_policy": "/policies/adminConsentRequestPolicy",
    "permission_grant_policies": "/policies/permissionGrantPolicies",
}
_ROLE_ASSIGNMENTS = "/roleManagement/directory/roleAssignments"
_ROLE_DEFINITIONS = "/roleManagement/directory/roleDefinitions?$select=id,displayName"


@dataclass(slots=True)
class Page:
    """What one answer holds, and from where a resumed run goes on when it is stored.

    ``drop`` names what was staged of this part before and is void: (table, source or None for all of it).
    """

    collection: str
    part: str
    rows: Rows
    cursor: Cursor
    drop: tuple[tuple[str, str | None], ...] = ()
    unreadable: int = 0


class Store(Protocol):
    """Where pages go, and where ids that were staged come from."""

    async def keep(self, page: Page) -> None:
        """Store a page with its cursor, both or neither."""

    async def ids(self, source: str, after: str | None, limit: int) -> list[str]:
        """The next ids of a named set, in order, as it is when its first ids are asked for."""


@dataclass(slots=True)
class Reader:
    """Reads one tenant's collections into ``store``; ``cursors`` says how far an earlier attempt came, by collection and part."""

    graph: GraphClient
    store: Store
    cursors: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    audited: dict[str, set[str]] | None = None  # audit event -> the objects that it is about; kept where somebody asks
    _listed: dict[str, asyncio.Future[int | None]] = field(default_factory=dict)

    def listed(self, source: str, number: int | None) -> None:
        """Told by the caller: the sweep of ``service_principal`` or ``application`` is over. None when it has gaps."""
        self._list_of(source).set_result(number)

    def _list_of(self, source: str) -> asyncio.Future[int | None]:
        return self._listed.setdefault(source, asyncio.get_running_loop().create_future())

    async def _one_by_one(self, source: str) -> str:
        """The set of all ids of ``source``, once they are known. A list with gaps would make what it lacks look removed."""
        if await self._list_of(source) is None:
            raise Transient("list_incomplete", "The list that this is read along has gaps.", "The next run reads it again.")
        return source

    async def service_principals(self) -> None:
        """Every service principal, with its own credentials."""

        def rows(found: list[structs.ServicePrincipal]) -> Rows:
            keys = [made for row in found for made in shape.credentials(row, "service_principal")]
            return {"service_principal": [shape.service_principal(row) for row in found], "credential": keys}

        drop = (("service_principal", None), ("credential", "service_principal"))
        paths = [f"/v1.0/servicePrincipals?$select={PLUGIN_PROPERTIES}&$top=999", "/v1.0/servicePrincipals?$top=999"]
        await self._sweep("service_principals", "list", paths, structs.ServicePrincipal, rows, drop)

    async def applications(self) -> None:
        """The tenant's own applications with their credentials."""

        def rows(found: list[structs.Application]) -> Rows:
            keys = [made for row in found for made in shape.credentials(row, "application")]
            return {"application": [shape.application(row) for row in found], "credential": keys}

        drop = (("application", None), ("credential", "application"))
        paths = ["/v1.0/applications?$select=id,appId,keyCredentials,passwordCredentials&$top=999", "/v1.0/applications?$top=999"]
        await self._sweep("applications", "list", paths, structs.Application, rows, drop)

    async def delegated_grants(self) -> None:
        """Every oauth2PermissionGrant: page after page, or plugin by plugin in batches where waiting for each page costs far more."""
        name, sets = "delegated_grants", shape.ScopeSets()
        drop = (("delegated_grant", None),)

        def rows(found: list[structs.Grant]) -> Rows:
            grants = [shape.grant(row, sets) for row in found]
            return {"delegated_grant": grants, "scope_set": sets.take_new()}

        paths = ["/v1.0/oauth2PermissionGrants?$top=999"]
        await self._sweep(name, "list", paths, structs.Grant, rows, drop, leave=self._batches_are_quicker)
        if not self.cursors.get((name, "list"), {}).get("one_by_one"):
            return
        source = await self._one_by_one("service_principal")
        path = "/servicePrincipals/{}/oauth2PermissionGrants?$top=999"
        try:  # $select halves the resource units
            await self._follow_up(
                name, "by plugin", source, f"{path}&$select={_GRANT_PROPERTIES}", structs.Grant, lambda _, found: rows(found)
            )
        except Unavailable:
            await self._follow_up(name, "by plugin", source, path, structs.Grant, lambda _, found: rows(found))

    def _batches_are_quicker(self, pages: int, page: float) -> bool:
        """Whether reading the grants of every plugin in batches beats the rest of a chain after ``pages`` of ``page`` seconds each."""
        known = self._list_of("service_principal")
        plugins = known.result() if known.done() else None
        if not plugins:
            return False
        usual = plugins * _USUAL_GRANTS_PER_PLUGIN / 999
        rest = max(usual - pages, pages) * page  # past what is usual, as much again is likely
        batches = max(
            plugins / BATCH_SIZE / WINDOW * page,
            plugins * _BATCHED_READ_SECONDS,
            (plugins - _UNITS) * _UNIT_SECONDS / _UNITS,
        )
        return rest > max(_WORTH_SECONDS, 1.2 * batches)

    async def app_role_assignments(self) -> None:
        """Every role that a service principal holds: by $expand, and again one by one where that shows 20 or nothing at all."""
        name = "app_role_assignments"

        def rows(found: list[structs.WithAssignments]) -> Rows:
            made = [shape.assignment(one) for row in found if _whole(row.appRoleAssignments) for one in row.appRoleAssignments or ()]
            return {"app_role_assignment": made, "follow_up": [(row.id, name) for row in found if not _whole(row.appRoleAssignments)]}

        path = "/v1.0/servicePrincipals?$select=id&$expand=appRoleAssignments&$top=999"
        drop = (("app_role_assignment", None), ("follow_up", name))
        one_by_one = await self._expanded(name, "sweep", path, structs.WithAssignments, rows, drop)

        def more(_: str, found: list[structs.Assignment]) -> Rows:
            return {"app_role_assignment": [shape.assignment(row) for row in found]}

        source = await self._one_by_one("service_principal") if one_by_one else f"follow_up:{name}"
        await self._follow_up(name, "rest", source, "/servicePrincipals/{}/appRoleAssignments?$top=999", structs.Assignment, more)

    async def owners(self) -> None:
        """Owners of service principals and of applications, complete beyond 20."""
        await self._owners_of("servicePrincipals", "service_principal")
        await self._owners_of("applications", "application")

    async def _owners_of(self, collection: str, source: str) -> None:
        part = f"owners of {source}"

        def rows(found: list[structs.WithOwners]) -> Rows:
            made: list[shape.Row] = [(row.id, owner.id, source) for row in found if _whole(row.owners) for owner in row.owners or ()]
            return {"owner": made, "follow_up": [(row.id, part) for row in found if not _whole(row.owners)]}

        path = f"/v1.0/{collection}?$select=id&$expand=owners($select=id)&$top=999"
        one_by_one = await self._expanded("owners", source, path, structs.WithOwners, rows, (("owner", source), ("follow_up", part)))

        def more(object_id: str, found: list[structs.Related]) -> Rows:
            return {"owner": [(object_id, owner.id, source) for owner in found]}

        ids = await self._one_by_one(source) if one_by_one else f"follow_up:{part}"
        await self._follow_up("owners", f"rest of {source}", ids, f"/{collection}/{{}}/owners?$select=id&$top=999", structs.Related, more)

    async def permissions(self) -> None:
        """What the resources define that grants and assignments name. A resource that is gone defines nothing."""
        decoder = Decoder(structs.Resource)
        select = "$select=id,appId,displayName,appRoles,oauth2PermissionScopes"

        async def by_filter(ids: list[str]) -> list[structs.Resource]:
            wanted = quote(",".join(f"'{one}'" for one in ids), safe=",'")
            page = decoder.page(await self.graph.get(f"/v1.0/servicePrincipals?$filter=id%20in%20({wanted})&{select}"))
            return page.value

        async def one_by_one(ids: list[str]) -> list[structs.Resource]:
            answers = await self.graph.batch(f"/servicePrincipals/{one}?{select}" for one in ids)
            return [decoder.single(_sound(answer)) for answer in answers if not isinstance(answer, NotFound)]

        async def look_up(ids: list[str]) -> list[structs.Resource]:
            try:
                return await by_filter(ids)
            except (Unavailable, NotFound):
                return await one_by_one(ids)

        async def window(ids: list[str]) -> Rows:
            found = await asyncio.gather(*(look_up(chunk) for chunk in _chunks(ids, IDS_PER_FILTER)))
            return {"permission": [made for rows in found for row in rows for made in shape.permissions(row)]}

        await self._windows("permissions", "resources", IDS_PER_FILTER * WINDOW, window)

    async def principals(self) -> None:
        """Users, groups and service principals that grants and ownerships name; ids that are gone answer nothing."""
        decoder = Decoder(structs.DirectoryObject)
        paths = [f"/v1.0/directoryObjects/getByIds?$select={_PERSON}", "/v1.0/directoryObjects/getByIds"]

        async def look_up(ids: list[str]) -> list[structs.DirectoryObject]:
            try:
                return decoder.page(await self.graph.post(paths[0], {"ids": ids})).value
            except Unavailable:
                return decoder.page(await self.graph.post(paths[-1], {"ids": ids})).value

        async def window(ids: list[str]) -> Rows:
            found = await asyncio.gather(*(look_up(chunk) for chunk in _chunks(ids, IDS_PER_LOOKUP)))
            return {"principal": [shape.principal(row) for rows in found for row in rows]}

        await self._windows("principals", "people", IDS_PER_LOOKUP * WINDOW, window)

    async def sign_in_activity(self) -> None:
        """When each app was last used (beta, global cloud)."""

        def rows(found: list[structs.Activity]) -> Rows:
            return {"activity": [made for row in found if (made := shape.activity(row))]}

        paths = ["/beta/reports/servicePrincipalSignInActivities?$top=999"]
        await self._sweep("sign_in_activity", "list", paths, structs.Activity, rows, (("activity", None),), slow=True)

    async def audit_events(self, since: datetime) -> None:
        """Consent, credential, owner and role events since a moment, as far as Microsoft still knows them."""

        def rows(found: list[structs.AuditEvent]) -> Rows:
            events = [row for row in found if row.category in (None, "ApplicationManagement")]
            made = []
            for row in events:
                shaped = audit_event(row)
                about = {one.id for one in row.targetResources or () if one.id}
                if shaped:
                    made.append(shaped)
                    about |= {shaped[3]} if shaped[3] else set()  # the app, where the target is the resource
                if self.audited is not None:
                    self.audited[row.id] = about
            return {"event": made}

        moment = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        filters = (f"activityDateTime ge {moment} and category eq 'ApplicationManagement'", f"activityDateTime ge {moment}")
        paths = [f"/v1.0/auditLogs/directoryAudits?$filter={one.replace(' ', '%20')}&$top=999" for one in filters]
        await self._sweep("audit_events", "list", paths, structs.AuditEvent, rows, (("event", None),), slow=True)

    async def risky_service_principals(self) -> None:
        """What Microsoft's identity protection says of service principals (needs a permission and a licence of its own)."""

        def rows(found: list[structs.RiskyServicePrincipal]) -> Rows:
            return {"risky": [shape.risky(row) for row in found]}

        paths = ["/v1.0/identityProtection/riskyServicePrincipals"]
        await self._sweep("risky_service_principals", "list", paths, structs.RiskyServicePrincipal, rows, (("risky", None),))

    async def policies(self) -> None:
        """Who may consent to what: the authorisation policy, and its companions where we may read them."""
        found: list[shape.Row] = [("authorization_policy", _text(await self.graph.get("/v1.0/policies/authorizationPolicy")))]
        *answers, definitions, assignments = await self._optional([*_COMPANIONS.values(), _ROLE_DEFINITIONS, _ROLE_ASSIGNMENTS])
        found += [(name, _text(answer)) for name, answer in zip(_COMPANIONS, answers, strict=True) if answer is not None]
        if definitions is not None and assignments is not None:
            found.append(("directory_roles", await self._directory_roles(definitions, assignments)))
        await self.store.keep(Page("policies", "list", {"fact": found}, {"done": True}))

    async def _optional(self, paths: list[str]) -> list[bytes | None]:
        """Single objects in one request; None for each that can't be read now: what was read of it before stays."""
        try:
            answers = await self.graph.batch(paths)
        except MicrosoftError:
            return [None] * len(paths)
        return [None if isinstance(answer, MicrosoftError) else answer for answer in answers]

    async def _directory_roles(self, definitions: bytes, assignments: bytes) -> str:
        """Who holds which directory role, from the definitions and the first page of the assignments."""
        decoder = Decoder(structs.RoleAssignment)
        page = decoder.page(assignments)
        rows = list(page.value)
        while page.next:
            page = decoder.page(await self.graph.get(page.next))
            rows += page.value
        return _text(msgspec.json.encode(shape.directory_roles(Decoder(structs.RoleDefinition).page(definitions).value, rows)))

    async def licences(self) -> None:
        """The subscribed SKUs."""
        found = _text(await self.graph.get("/v1.0/subscribedSkus"))
        await self.store.keep(Page("licences", "list", {"fact": [("subscribed_skus", found)]}, {"done": True}))

    async def _expanded(
        self, collection: str, part: str, path: str, kind: type[Any], rows: Callable[[Any], Rows], drop: tuple[tuple[str, str | None], ...]
    ) -> bool:
        """Sweep with ``$expand``. True when the service refuses that and everything is to be read one by one."""
        try:
            await self._sweep(collection, part, [path], kind, rows, drop)
        except (Unavailable, NotFound):
            await self.store.keep(Page(collection, part, {}, {"one_by_one": True}, drop))
            return True
        return bool(self.cursors.get((collection, part), {}).get("one_by_one"))

    async def _sweep(
        self,
        collection: str,
        part: str,
        paths: list[str],
        kind: type[Any],
        rows: Callable[[Any], Rows],
        drop: tuple[tuple[str, str | None], ...],
        *,
        slow: bool = False,
        leave: Callable[[int, float], bool] | None = None,
    ) -> None:
        """Follow a collection's next links from its start or its cursor. ``paths`` are tried in turn where the service refuses a query.

        ``leave`` is asked after each page, with how many were read and the seconds of the quickest, which are those of the network and
        not of other work; True gives the sweep up for reads one by one.
        """
        cursor = self.cursors.get((collection, part), {})
        if cursor.get("done") or cursor.get("one_by_one"):
            return
        decoder = Decoder(kind)
        choices = list(paths)
        restarts, unlicensed = int(cursor.get("restarts", 0)), 0
        link: str | None = cursor.get("next") or choices[0]
        first = cursor.get("next") is None
        pages, quickest = 0, float("inf")
        while link:
            asked = time.monotonic()
            try:
                page = decoder.page(await self.graph.get(link, slow=slow))
            except Unlicensed:
                unlicensed += 1
                if unlicensed >= UNLICENSED_TRIES or slow:
                    raise
                await asyncio.sleep(0.2 * unlicensed)
                continue
            except (ExpiredPage, Unavailable) as error:
                if first and isinstance(error, Unavailable):  # the query itself is refused
                    choices.pop(0)
                    if not choices:
                        raise
                else:
                    restarts += 1
                    if restarts > MOST_RESTARTS:
                        raise
                    await self.store.keep(Page(collection, part, {}, {"restarts": restarts}, drop))
                link, first = choices[0], True
                continue
            pages, quickest = pages + 1, min(quickest, time.monotonic() - asked)
            if page.next == link:
                raise Transient("page_loop", "Microsoft's next page is the same page again.", "It is tried again with the next run.")
            link, first = page.next, False
            now: Cursor = {"next": link, "restarts": restarts} if link else {"done": True}
            await self.store.keep(Page(collection, part, rows(page.value), now, unreadable=page.unreadable))
            if link and leave and leave(pages, quickest):
                self.cursors[(collection, part)] = {"one_by_one": True}
                await self.store.keep(Page(collection, part, {}, {"one_by_one": True}, drop))
                return

    async def _follow_up(
        self,
        collection: str,
        part: str,
        source: str,
        path: str,
        kind: type[Any],
        rows: Callable[[str, Any], Rows],
    ) -> None:
        decoder = Decoder(kind)

        async def read(object_id: str, answer: bytes | MicrosoftError, made: Rows) -> None:
            if isinstance(answer, NotFound):
                return  # deleted since the sweep
            page = decoder.page(_sound(answer))
            while True:
                for table, more in rows(object_id, page.value).items():
                    made.setdefault(table, []).extend(more)
                if not page.next:
                    break
                page = decoder.page(await self.graph.get(page.next))

        async def window(ids: list[str]) -> Rows:
            made: Rows = {}
            answers = await self.graph.batch(path.format(one) for one in ids)
            await asyncio.gather(*(read(object_id, answer, made) for object_id, answer in zip(ids, answers, strict=True)))
            return made

        await self._windows(collection, source, BATCH_SIZE * WINDOW // 2, window, part=part)

    async def _windows(
        self, collection: str, source: str, size: int, window: Callable[[list[str]], Awaitable[Rows]], *, part: str = "list"
    ) -> None:
        """Work through the ids of a set in windows with a cursor after each, some ahead of the one that is stored."""
        cursor = self.cursors.get((collection, part), {})
        if cursor.get("done"):
            return
        after: str | None = cursor.get("after")
        coming: deque[tuple[str, asyncio.Future[Rows]]] = deque()
        try:
            while True:
                while len(coming) < WINDOWS_AHEAD and (ids := await self.store.ids(source, after, size)):
                    after = ids[-1]
                    coming.append((after, asyncio.ensure_future(window(ids))))
                if not coming:
                    break
                reached, rows = coming[0][0], await coming[0][1]
                coming.popleft()
                await self.store.keep(Page(collection, part, rows, {"after": reached}))
        finally:
            for _, late in coming:
                late.cancel()
        await self.store.keep(Page(collection, part, {}, {"done": True}))


def _whole(related: list[Any] | None) -> bool:
    return related is not None and len(related) < EXPAND_CAP


def _sound(answer: bytes | MicrosoftError) -> bytes:
    if isinstance(answer, MicrosoftError):
        raise answer
    return answer


def _chunks(ids: list[str], size: int) -> Iterable[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _text(raw: bytes) -> str:
    return raw.decode().replace("\\u0000", "")
