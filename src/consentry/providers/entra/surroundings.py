"""What stands around an app: the people and groups assigned to it, whose tokens it trusts, what it inherits, who publishes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from consentry.providers.entra import shape, structs
from consentry.providers.entra.clouds import MICROSOFT_TENANTS
from consentry.providers.entra.errors import NotFound, Transient, Unavailable
from consentry.providers.entra.graph import BATCH_SIZE
from consentry.providers.entra.pages import Decoder
from consentry.providers.entra.sweeps import AT_ONCE, Page, Rows, Sweeper, chunks, sound, whole

ASSIGNED_TO = "/servicePrincipals/{}/appRoleAssignedTo?$top=999"
FEDERATED = "/applications/{}/federatedIdentityCredentials?$top=999"
# read-only, whole in one answer, 404 for what is no agent identity: learn.microsoft.com/graph/api/agentidentity-list-inheritedapproleassignments
INHERITED: tuple[tuple[str, type[Any]], ...] = (
    ("inheritedAppRoleAssignments", structs.Assignment),
    ("inheritedOauth2PermissionGrants", structs.Grant),
)


@dataclass(slots=True)
class Surroundings(Sweeper):
    """Reads what is no permission of an app itself."""

    async def assigned_people(self) -> None:
        """The users and groups that are assigned to every app but Microsoft's own, complete beyond 20."""
        name = "assigned_people"

        def rows(found: list[structs.Assignable]) -> Rows:
            apps = [row for row in found if row.appOwnerOrganizationId not in MICROSOFT_TENANTS]
            made = [one for row in apps if whole(row.appRoleAssignedTo) for one in shape.assignees(row.appRoleAssignedTo or ())]
            return {"assignee": made, "follow_up": [(row.id, name) for row in apps if not whole(row.appRoleAssignedTo)]}

        path = "/v1.0/servicePrincipals?$select=id,appOwnerOrganizationId&$expand=appRoleAssignedTo&$top=999"
        one_by_one = await self.expanded(name, "sweep", path, structs.Assignable, rows, (("assignee", None), ("follow_up", name)))
        source = await self.one_by_one("service_principal") if one_by_one else f"follow_up:{name}"
        await self.follow_up(name, "rest", source, ASSIGNED_TO, structs.Assignment, lambda _, more: {"assignee": shape.assignees(more)})

    async def federated_credentials(self) -> None:
        """Whose tokens the tenant's own applications trust in place of a secret."""
        name = "federated_credentials"

        def rows(found: list[structs.WithFederatedCredentials]) -> Rows:
            complete = [row for row in found if whole(row.federatedIdentityCredentials)]
            made = [shape.federated(row.id, one) for row in complete for one in row.federatedIdentityCredentials or ()]
            return {"credential": made, "follow_up": [(row.id, name) for row in found if not whole(row.federatedIdentityCredentials)]}

        path = "/v1.0/applications?$select=id&$expand=federatedIdentityCredentials&$top=999"
        drop = (("credential", "federated"), ("follow_up", name))
        one_by_one = await self.expanded(name, "sweep", path, structs.WithFederatedCredentials, rows, drop)

        def more(object_id: str, found: list[structs.FederatedCredential]) -> Rows:
            return {"credential": [shape.federated(object_id, one) for one in found]}

        source = await self.one_by_one("application") if one_by_one else f"follow_up:{name}"
        await self.follow_up(name, "rest", source, FEDERATED, structs.FederatedCredential, more)

    async def publisher_tenants(self, ids: list[str]) -> None:
        """What these tenants call themselves (needs a permission of its own), in one request after the other. One that is gone has no name.

        A passing fault is no gap: this run stops there, and a later one asks for the names that are still unknown.
        """
        decoder = Decoder(structs.TenantInformation)
        made: list[shape.Row] = []
        for chunk in chunks(ids, BATCH_SIZE):
            answers = await self.graph.batch(f"/tenantRelationships/findTenantInformationByTenantId(tenantId='{one}')" for one in chunk)
            for one, answer in zip(chunk, answers, strict=True):
                if isinstance(answer, NotFound):
                    made.append((one, "", ""))
                elif not isinstance(answer, Transient):
                    made.append(shape.publisher_tenant(one, decoder.single(sound(answer))))
            if any(isinstance(answer, Transient) for answer in answers):
                break
        await self.store.keep(Page("publisher_tenants", "list", {"publisher_tenant": made}, {"done": True}))

    async def inherited_permissions(self) -> None:
        """What agent identities may do because their blueprint's principal may."""
        await self.one_by_one("service_principal")

        async def window(ids: list[str]) -> Rows:
            return {"inherited": await self.inherited_by(ids)}

        await self.windows("inherited_permissions", "agents", BATCH_SIZE // len(INHERITED) * AT_ONCE, window)

    async def inherited_by(self, ids: list[str]) -> list[shape.Row]:
        """The inherited permissions of these agent identities. Those of a cloud that does not offer them are none."""
        decoders = [Decoder(kind) for _, kind in INHERITED]
        paths = [f"/servicePrincipals/{one}/{name}" for one in ids for name, _ in INHERITED]
        for version in ("beta", "v1.0"):
            answers = await self.graph.batch(paths, version=version)
            if not all(isinstance(answer, (NotFound, Unavailable)) for answer in answers):
                break
        made: list[shape.Row] = []
        for place, answer in enumerate(answers):
            if isinstance(answer, (NotFound, Unavailable)):
                continue
            which = place % len(INHERITED)
            for row in decoders[which].page(sound(answer)).value:
                made += shape.inherited(ids[place // len(INHERITED)], row)
        return made
