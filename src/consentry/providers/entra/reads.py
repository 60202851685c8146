"""The whole inventory in few requests: sweeps of every collection, with their follow-ups (reference, section 9)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from consentry.providers.entra import shape, structs
from consentry.providers.entra.audit import audit_event
from consentry.providers.entra.azure import azure_roles
from consentry.providers.entra.errors import MicrosoftError, NotFound, Unavailable
from consentry.providers.entra.graph import BATCH_SIZE, GraphClient
from consentry.providers.entra.pages import Decoder
from consentry.providers.entra.surroundings import Surroundings
from consentry.providers.entra.sweeps import AT_ONCE, WINDOW, Page, Rows, chunks, sound, whole

T = TypeVar("T")

IDS_PER_FILTER = 15
IDS_PER_LOOKUP = 1000
PLUGIN_PROPERTIES = (
    "id,appId,displayName,appDisplayName,appOwnerOrganizationId,servicePrincipalType,accountEnabled,disabledByMicrosoftStatus,createdDateTime,"
    "appRoleAssignmentRequired,signInAudience,homepage,loginUrl,applicationTemplateId,preferredSingleSignOnMode,replyUrls,tags,verifiedPublisher,"
    "keyCredentials,passwordCredentials,info,notes,description,appDescription"
)
_GRANT_PROPERTIES = "id,clientId,consentType,principalId,resourceId,scope"
_ASSIGNMENT_PROPERTIES = "id,principalId,principalType,principalDisplayName,resourceId,resourceDisplayName,appRoleId,createdDateTime"
# When grants are read plugin by plugin; see docs/decisions/0003-grants-by-plugin.md
_USUAL_GRANTS_PER_PLUGIN = 20
_BATCHED_READ_SECONDS = 0.0006  # of work for one plugin, whatever the latency
_UNITS, _UNIT_SECONDS = 8000, 10.0  # of an app in a tenant of more than 500 people: learn.microsoft.com/graph/throttling-limits
_WORTH_SECONDS = 3.0
PERSON_PROPERTIES = "id,displayName,userPrincipalName,mail,userType,department,jobTitle,accountEnabled"
_COMPANIONS = {
    "admin_consent_request_policy": "/policies/adminConsentRequestPolicy",
    "permission_grant_policies": "/policies/permissionGrantPolicies",
}
_ROLE_ASSIGNMENTS = "/roleManagement/directory/roleAssignments"
_ROLE_DEFINITIONS = "/roleManagement/directory/roleDefinitions?$select=id,displayName"


@dataclass(slots=True)
class Reader(Surroundings):
    """Reads one tenant's collections."""

    azure: GraphClient | None = None  # Azure Resource Manager, where it is asked
    audited: dict[str, set[str]] | None = None  # audit event -> the objects that it is about; kept where somebody asks

    async def service_principals(self) -> None:
        """Every service principal, with its own credentials."""

        def rows(found: list[structs.ServicePrincipal]) -> Rows:
            keys = [made for row in found for made in shape.credentials(row, "service_principal")]
            return {"service_principal": [shape.service_principal(row) for row in found], "credential": keys}

        drop = (("service_principal", None), ("credential", "service_principal"))
        paths = [f"/v1.0/servicePrincipals?$select={PLUGIN_PROPERTIES}&$top=999", "/v1.0/servicePrincipals?$top=999"]
        await self.sweep("service_principals", "list", paths, structs.ServicePrincipal, rows, drop)

    async def applications(self) -> None:
        """The tenant's own applications with their credentials."""

        def rows(found: list[structs.Application]) -> Rows:
            keys = [made for row in found for made in shape.credentials(row, "application")]
            return {"application": [shape.application(row) for row in found], "credential": keys}

        drop = (("application", None), ("credential", "application"))
        paths = ["/v1.0/applications?$select=id,appId,keyCredentials,passwordCredentials&$top=999", "/v1.0/applications?$top=999"]
        await self.sweep("applications", "list", paths, structs.Application, rows, drop)

    async def delegated_grants(self) -> None:
        """Every oauth2PermissionGrant: page after page, or plugin by plugin in batches where waiting for each page costs far more."""
        name, sets = "delegated_grants", shape.ScopeSets()
        drop = (("delegated_grant", None),)

        def rows(found: list[structs.Grant]) -> Rows:
            grants = [shape.grant(row, sets) for row in found]
            return {"delegated_grant": grants, "scope_set": sets.take_new()}

        select = f"$select={_GRANT_PROPERTIES}"  # halves the resource units
        paths = [f"/v1.0/oauth2PermissionGrants?{select}&$top=999", "/v1.0/oauth2PermissionGrants?$top=999"]
        await self.sweep(name, "list", paths, structs.Grant, rows, drop, leave=self._batches_are_quicker)
        if not self.cursors.get((name, "list"), {}).get("one_by_one"):
            return
        source = await self.one_by_one("service_principal")
        path = "/servicePrincipals/{}/oauth2PermissionGrants?$top=999"
        await self.follow_up(name, "by plugin", source, path, structs.Grant, lambda _, found: rows(found), select=_GRANT_PROPERTIES)

    def _batches_are_quicker(self, pages: int, page: float) -> bool:
        """Whether reading the grants of every plugin in batches beats the rest of a chain after ``pages`` of ``page`` seconds each."""
        known = self.list_of("service_principal")
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
            made = [shape.assignment(one) for row in found if whole(row.appRoleAssignments) for one in row.appRoleAssignments or ()]
            return {"app_role_assignment": made, "follow_up": [(row.id, name) for row in found if not whole(row.appRoleAssignments)]}

        path = "/v1.0/servicePrincipals?$select=id&$expand=appRoleAssignments&$top=999"
        drop = (("app_role_assignment", None), ("follow_up", name))
        one_by_one = await self.expanded(name, "sweep", path, structs.WithAssignments, rows, drop)

        def more(_: str, found: list[structs.Assignment]) -> Rows:
            return {"app_role_assignment": [shape.assignment(row) for row in found]}

        source = await self.one_by_one("service_principal") if one_by_one else f"follow_up:{name}"
        path = "/servicePrincipals/{}/appRoleAssignments?$top=999"
        await self.follow_up(name, "rest", source, path, structs.Assignment, more, select=_ASSIGNMENT_PROPERTIES)

    async def owners(self) -> None:
        """Owners of service principals and of applications, side by side, complete beyond 20."""
        collections = (("servicePrincipals", "service_principal"), ("applications", "application"))
        both = [asyncio.create_task(self._owners_of(*one)) for one in collections]
        try:
            await asyncio.gather(*both)
        finally:
            for one in both:
                one.cancel()

    async def _owners_of(self, collection: str, source: str) -> None:
        part = f"owners of {source}"

        def rows(found: list[structs.WithOwners]) -> Rows:
            made: list[shape.Row] = [(row.id, owner.id, source) for row in found if whole(row.owners) for owner in row.owners or ()]
            return {"owner": made, "follow_up": [(row.id, part) for row in found if not whole(row.owners)]}

        path = f"/v1.0/{collection}?$select=id&$expand=owners($select=id)&$top=999"
        one_by_one = await self.expanded("owners", source, path, structs.WithOwners, rows, (("owner", source), ("follow_up", part)))

        def more(object_id: str, found: list[structs.Related]) -> Rows:
            return {"owner": [(object_id, owner.id, source) for owner in found]}

        ids = await self.one_by_one(source) if one_by_one else f"follow_up:{part}"
        await self.follow_up("owners", f"rest of {source}", ids, f"/{collection}/{{}}/owners?$select=id&$top=999", structs.Related, more)

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
            return [decoder.single(sound(answer)) for answer in answers if not isinstance(answer, NotFound)]

        async def look_up(ids: list[str]) -> list[structs.Resource]:
            try:
                return await by_filter(ids)
            except (Unavailable, NotFound):
                return await one_by_one(ids)

        async def window(ids: list[str]) -> Rows:
            found = await asyncio.gather(*(look_up(chunk) for chunk in chunks(ids, IDS_PER_FILTER)))
            return {"permission": [made for rows in found for row in rows for made in shape.permissions(row)]}

        await self.windows("permissions", "resources", IDS_PER_FILTER * AT_ONCE, window)

    async def principals(self) -> None:
        """Users, groups and service principals that grants and ownerships name; ids that are gone answer nothing."""
        decoder = Decoder(structs.DirectoryObject)
        paths = [f"/v1.0/directoryObjects/getByIds?$select={PERSON_PROPERTIES}", "/v1.0/directoryObjects/getByIds"]

        async def look_up(ids: list[str]) -> list[structs.DirectoryObject]:
            try:
                return decoder.page(await self.graph.post(paths[0], {"ids": ids})).value
            except Unavailable:
                return decoder.page(await self.graph.post(paths[-1], {"ids": ids})).value

        async def window(ids: list[str]) -> Rows:
            found = await asyncio.gather(*(look_up(chunk) for chunk in chunks(ids, IDS_PER_LOOKUP)))
            return {"principal": [shape.principal(row) for rows in found for row in rows]}

        await self.windows("principals", "people", IDS_PER_LOOKUP * AT_ONCE, window)

    async def sign_in_activity(self) -> None:
        """When each app was last used (beta, global cloud)."""

        def rows(found: list[structs.Activity]) -> Rows:
            return {"activity": [made for row in found if (made := shape.activity(row))]}

        paths = ["/beta/reports/servicePrincipalSignInActivities?$top=999"]
        await self.sweep("sign_in_activity", "list", paths, structs.Activity, rows, (("activity", None),), slow=True)

    async def credential_activity(self) -> None:
        """When each secret and certificate was last used (beta, global cloud)."""

        def rows(found: list[structs.CredentialActivity]) -> Rows:
            return {"credential_activity": [made for row in found if (made := shape.credential_activity(row))]}

        paths = ["/beta/reports/appCredentialSignInActivities?$top=999"]
        drop = (("credential_activity", None),)
        await self.sweep("credential_activity", "list", paths, structs.CredentialActivity, rows, drop, slow=True)

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
        await self.sweep("audit_events", "list", paths, structs.AuditEvent, rows, (("event", None),), slow=True)

    async def risky_service_principals(self) -> None:
        """What Microsoft's identity protection says of service principals (needs a permission and a licence of its own)."""

        def rows(found: list[structs.RiskyServicePrincipal]) -> Rows:
            return {"risky": [shape.risky(row) for row in found]}

        paths = ["/v1.0/identityProtection/riskyServicePrincipals"]
        await self.sweep("risky_service_principals", "list", paths, structs.RiskyServicePrincipal, rows, (("risky", None),))

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
        rows, _ = await self._all(structs.RoleAssignment, assignments)
        return _text(msgspec.json.encode(shape.directory_roles(Decoder(structs.RoleDefinition).page(definitions).value, rows)))

    async def azure_roles(self) -> None:
        """Which roles service principals hold in Azure (needs a role there, which few give)."""
        if self.azure is None:
            raise Unavailable("azure_not_asked", "There is no address of Azure for this cloud.", "Set CONSENTRY_MICROSOFT_AZURE_URL.")
        held, unreadable = await azure_roles(self.azure)
        # with an object missing, what it held would look taken away
        rows: Rows = {} if unreadable else {"fact": [("azure_roles", _text(msgspec.json.encode(held)))]}
        await self.store.keep(Page("azure_roles", "list", rows, {"done": True}, unreadable=unreadable))

    async def consent_requests(self) -> None:
        """The apps that people asked an administrator for (needs a permission that few give)."""
        first = "/v1.0/identityGovernance/appConsent/appConsentRequests?$expand=userConsentRequests"
        found, unreadable = await self._all(structs.ConsentRequest, await self.graph.get(first))
        rows: Rows = {"fact": [("consent_requests", _text(msgspec.json.encode(shape.waiting_requests(found))))]}
        await self.store.keep(Page("consent_requests", "list", rows, {"done": True}, unreadable=unreadable))

    async def _all(self, kind: type[T], first: bytes) -> tuple[list[T], int]:
        """The rows of a short collection, from its first page on, and how many could not be understood."""
        decoder = Decoder(kind)
        page = decoder.page(first)
        rows, unreadable = list(page.value), page.unreadable
        while page.next:
            page = decoder.page(await self.graph.get(page.next))
            rows += page.value
            unreadable += page.unreadable
        return rows, unreadable

    async def licences(self) -> None:
        """The subscribed SKUs."""
        found = _text(await self.graph.get("/v1.0/subscribedSkus"))
        await self.store.keep(Page("licences", "list", {"fact": [("subscribed_skus", found)]}, {"done": True}))


def _text(raw: bytes) -> str:
    return raw.decode().replace("\\u0000", "")
