"""The whole inventory in few requests: sweeps of every collection, with their follow-ups (reference, section 9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from consentry.core.clock import now
from consentry.providers.entra import shape, structs
from consentry.providers.entra.errors import ExpiredPage, MicrosoftError, NotFound, Unavailable
from consentry.providers.entra.graph import GraphClient

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Stage = Callable[[str, Rows], Awaitable[None]]

EXPAND_CAP = 20  # $expand on directory objects stops at 20 without a next link
_RESTARTS = 5
_IDS_PER_FILTER = 15
_IDS_PER_LOOKUP = 1000
AUDIT_DAYS = 30
_PLUGIN = (
    "id,appId,displayName,appOwnerOrganizationId,servicePrincipalType,accountEnabled,disabledByMicrosoftStatus,createdDateTime,"
    "appRoleAssignmentRequired,signInAudience,homepage,applicationTemplateId,preferredSingleSignOnMode,replyUrls,tags,verifiedPublisher,"
    "keyCredentials,passwordCredentials,info,notes,description"
)


def _page_type(kind: type[T]) -> Any:
    return msgspec.defstruct(
        f"{kind.__name__}Page",
        [("value", list[kind]), ("next", str | None, msgspec.field(name="@odata.nextLink", default=None))],  # type: ignore[valid-type]
    )


class Reader:
    """Reads one tenant's collections and hands their rows, page by page, to ``stage(table, rows)``.

    ``restart(table)`` empties what was staged of a collection whose page token expired.
    """

    def __init__(self, graph: GraphClient, stage: Stage, restart: Callable[[str], Awaitable[None]]) -> None:
        self.graph = graph
        self.stage = stage
        self.restart = restart

    async def service_principals(self) -> None:
        """Every service principal, with its own credentials."""

        async def keep(rows: list[structs.ServicePrincipal]) -> None:
            await self.stage("service_principal", [shape.service_principal(row) for row in rows])
            await self.stage("credential", [made for row in rows for made in shape.credentials(row, "service_principal")])

        try:
            await self._sweep(f"/v1.0/servicePrincipals?$select={_PLUGIN}&$top=999", structs.ServicePrincipal, keep, ["service_principal"])
        except Unavailable:  # a property that this cloud does not know
            await self._sweep("/v1.0/servicePrincipals?$top=999", structs.ServicePrincipal, keep, ["service_principal"])

    async def applications(self) -> None:
        """The tenant's own applications with their credentials."""

        async def keep(rows: list[structs.Application]) -> None:
            await self.stage("application", [(shape.guid(row.id), shape.guid(row.appId)) for row in rows])
            await self.stage("credential", [made for row in rows for made in shape.credentials(row, "application")])

        path = "/v1.0/applications?$select=id,appId,keyCredentials,passwordCredentials&$top=999"
        await self._sweep(path, structs.Application, keep, ["application"])

    async def delegated_grants(self) -> None:
        """Every oauth2PermissionGrant."""

        async def keep(rows: list[structs.Grant]) -> None:
            await self.stage("delegated_grant", [shape.grant(row) for row in rows])

        await self._sweep("/v1.0/oauth2PermissionGrants?$top=999", structs.Grant, keep, ["delegated_grant"])

    async def app_role_assignments(self) -> None:
        """Every role that a service principal holds: by $expand, and again one by one where that shows exactly 20."""
        cut: list[str] = []

        async def keep(rows: list[structs.WithAssignments]) -> None:
            whole = [row for row in rows if len(row.appRoleAssignments or []) < EXPAND_CAP]
            cut.extend(row.id for row in rows if len(row.appRoleAssignments or []) >= EXPAND_CAP)
            await self.stage("app_role_assignment", [shape.assignment(one) for row in whole for one in row.appRoleAssignments or []])

        path = "/v1.0/servicePrincipals?$select=id&$expand=appRoleAssignments&$top=999"
        await self._sweep(path, structs.WithAssignments, keep, ["app_role_assignment"], before=cut.clear)

        async def keep_all(_: str, rows: list[structs.Assignment]) -> None:
            await self.stage("app_role_assignment", [shape.assignment(row) for row in rows])

        await self._follow_up(cut, "/servicePrincipals/{}/appRoleAssignments?$top=999", structs.Assignment, keep_all)

    async def owners(self) -> None:
        """Owners of service principals and of applications, complete beyond 20."""
        for collection, source in (("servicePrincipals", "service_principal"), ("applications", "application")):
            await self._owners_of(collection, source)

    async def _owners_of(self, collection: str, source: str) -> None:
        cut: list[str] = []

        def rows_for(object_id: str, owners: Iterable[structs.Related]) -> Rows:
            return [(shape.guid(object_id), shape.guid(owner.id), source) for owner in owners]

        async def keep(rows: list[structs.WithOwners]) -> None:
            cut.extend(row.id for row in rows if len(row.owners or []) >= EXPAND_CAP)
            await self.stage(
                "owner", [made for row in rows if len(row.owners or []) < EXPAND_CAP for made in rows_for(row.id, row.owners or [])]
            )

        path = f"/v1.0/{collection}?$select=id&$expand=owners($select=id)&$top=999"
        await self._sweep(path, structs.WithOwners, keep, [], before=cut.clear)

        async def keep_all(object_id: str, rows: list[structs.Related]) -> None:
            await self.stage("owner", rows_for(object_id, rows))

        await self._follow_up(cut, f"/{collection}/{{}}/owners?$select=id&$top=999", structs.Related, keep_all)

    async def permissions(self, resource_ids: list[str]) -> None:
        """What the named resources define. A resource that is gone defines nothing."""
        page = _page_type(structs.Resource)
        for start in range(0, len(resource_ids), _IDS_PER_FILTER):
            wanted = ",".join(f"'{one}'" for one in resource_ids[start : start + _IDS_PER_FILTER])
            path = f"/v1.0/servicePrincipals?$filter=id in ({wanted})&$select=id,appId,displayName,appRoles,oauth2PermissionScopes"
            found = msgspec.json.decode(await self.graph.get(path.replace(" ", "%20")), type=page)
            await self.stage("permission", [made for row in found.value for made in shape.permissions(row)])

    async def principals(self, object_ids: list[str]) -> None:
        """Users, groups and service principals by id, a thousand at a time; ids that are gone answer nothing."""
        page = _page_type(structs.DirectoryObject)
        chunks = [object_ids[start : start + _IDS_PER_LOOKUP] for start in range(0, len(object_ids), _IDS_PER_LOOKUP)]

        async def look_up(ids: list[str]) -> None:
            found = msgspec.json.decode(await self.graph.post("/v1.0/directoryObjects/getByIds", {"ids": ids}), type=page)
            await self.stage("principal", [shape.principal(row) for row in found.value])

        await asyncio.gather(*(look_up(ids) for ids in chunks))

    async def sign_in_activity(self) -> None:
        """When each app was last used (beta, global cloud)."""

        async def keep(rows: list[structs.Activity]) -> None:
            await self.stage("activity", [made for made in map(shape.activity, rows) if made])

        await self._sweep("/beta/reports/servicePrincipalSignInActivities?$top=999", structs.Activity, keep, ["activity"], slow=True)

    async def audit_events(self) -> None:
        """Consent, credential, owner and role events that Microsoft still knows."""

        async def keep(rows: list[structs.AuditEvent]) -> None:
            await self.stage("event", [made for made in map(shape.audit_event, rows) if made])

        since = (now() - timedelta(days=AUDIT_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = f"/v1.0/auditLogs/directoryAudits?$filter=category eq 'ApplicationManagement' and activityDateTime ge {since}&$top=999"
        await self._sweep(path.replace(" ", "%20"), structs.AuditEvent, keep, ["event"], slow=True)

    async def policies(self) -> None:
        """The consent policy of the tenant."""
        raw = await self.graph.get("/v1.0/policies/authorizationPolicy")
        await self.stage("fact", [("authorization_policy", raw.decode().replace("\\u0000", ""))])
        for name, path in (
            ("admin_consent_request_policy", "adminConsentRequestPolicy"),
            ("permission_grant_policies", "permissionGrantPolicies"),
        ):
            try:
                raw = await self.graph.get(f"/v1.0/policies/{path}")
            except (NotFound, Unavailable):
                continue
            await self.stage("fact", [(name, raw.decode().replace("\\u0000", ""))])

    async def licences(self) -> None:
        """The subscribed SKUs."""
        raw = await self.graph.get("/v1.0/subscribedSkus")
        await self.stage("fact", [("subscribed_skus", raw.decode().replace("\\u0000", ""))])

    async def _sweep(
        self,
        path: str,
        kind: type[T],
        keep: Callable[[list[T]], Awaitable[None]],
        tables: list[str],
        *,
        slow: bool = False,
        before: Callable[[], None] | None = None,
    ) -> None:
        decoder = msgspec.json.Decoder(_page_type(kind))
        for attempt in range(_RESTARTS + 1):
            link: str | None = path
            if before:
                before()
            try:
                while link:
                    page = decoder.decode(await self.graph.get(link, slow=slow))
                    await keep(page.value)
                    link = page.next
            except ExpiredPage:
                if attempt == _RESTARTS:
                    raise
                for table in tables:
                    await self.restart(table)
                continue
            return

    async def _follow_up(self, ids: list[str], path: str, kind: type[T], keep: Callable[[str, list[T]], Awaitable[None]]) -> None:
        decoder = msgspec.json.Decoder(_page_type(kind))
        unique = list(dict.fromkeys(ids))
        for object_id, answer in zip(unique, await self.graph.batch(path.format(one) for one in unique), strict=True):
            if isinstance(answer, NotFound):
                continue  # deleted since the sweep
            if isinstance(answer, MicrosoftError):
                raise answer
            page = decoder.decode(answer)
            await keep(object_id, page.value)
            while page.next:
                page = decoder.decode(await self.graph.get(page.next))
                await keep(object_id, page.value)
