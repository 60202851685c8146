"""What admin consent leaves in a tenant: the registration's service principal and its application permissions.

Tokens are made from what stands there, so that removing or disabling the app in the directory works as it does at Microsoft.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from consentry.simulator.directory import Row, stamp
from consentry.simulator.state import GRAPH_APP_ID, Cloud, Consent, Registration, Tenant


def find(tenant: Tenant, client_id: str) -> Row | None:
    """The registration's service principal in the tenant, or None before consent and after its removal."""
    row: Row | None = tenant.directory.service_principals.get(object_id(tenant, client_id))
    return row


def roles(tenant: Tenant, client_id: str) -> list[str]:
    """The Graph application permissions that the service principal holds, by value."""
    values = {role["id"]: str(role["value"]) for role in _graph(tenant)["appRoles"]}
    held = tenant.directory.assignments.get(object_id(tenant, client_id), {}).values()
    return [values[row["appRoleId"]] for row in held if row["appRoleId"] in values]


def visible_roles(cloud: Cloud, tenant: Tenant, client_id: str, now: float) -> list[str]:
    """The permissions that a token issued ``now`` carries: none of those that have not spread yet."""
    consent = cloud.consents.get((tenant.tenant_id, client_id))
    held = roles(tenant, client_id)
    if consent is None or now >= consent.roles_visible_at:
        return held
    return [role for role in held if role in consent.settled]


def consent(cloud: Cloud, tenant: Tenant, registration: Registration, *, now: float, delay: float) -> Consent:
    """Give admin consent: exactly the registered permissions, also when that takes some away.

    Source: learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent. What tokens carried before, they keep at once.
    """
    settled = [role for role in visible_roles(cloud, tenant, registration.client_id, now) if role in registration.roles]
    install(tenant, registration)
    spread = now if set(settled) == set(registration.roles) else now + delay
    given = Consent(tenant.tenant_id, registration.client_id, now, spread, list(registration.roles), settled)
    cloud.consents[tenant.tenant_id, registration.client_id] = given
    return given


def install(tenant: Tenant, registration: Registration, *, when: float | None = None) -> None:
    """Put service principal and assignments into the directory; with ``when`` silently, as something of the past."""
    directory, principal = tenant.directory, object_id(tenant, registration.client_id)
    moment = datetime.fromtimestamp(when, UTC) if when is not None else None
    if principal not in directory.service_principals:
        directory.deleted.pop(principal, None)
        row = _service_principal(tenant, registration, moment or datetime.now(UTC))
        if moment is None:
            directory.add_app(row)
        else:
            directory.service_principals[principal] = row
    graph = _graph(tenant)
    wanted = {role["id"] for role in graph["appRoles"] if role["value"] in registration.roles}
    for assignment in list(directory.assignments.get(principal, {}).values()):
        if assignment["resourceId"] == graph["id"] and assignment["appRoleId"] not in wanted:
            directory.unassign(assignment["id"])
        wanted.discard(assignment["appRoleId"])
    for role in graph["appRoles"]:
        if role["id"] in wanted:
            directory.assign(principal, graph["id"], role["id"], when=moment)


def revoke(cloud: Cloud, tenant: Tenant, client_id: str) -> None:
    """Remove the app from the tenant, as an administrator does under Enterprise applications."""
    cloud.consents.pop((tenant.tenant_id, client_id), None)
    if find(tenant, client_id) is not None:
        tenant.directory.delete_app(object_id(tenant, client_id))


def object_id(tenant: Tenant, client_id: str) -> str:
    """Of the registration's service principal in a tenant, also before there is one."""
    return str(uuid.uuid5(uuid.UUID(tenant.tenant_id), client_id))


def _graph(tenant: Tenant) -> Row:
    row: Row = tenant.directory.by_app_id(GRAPH_APP_ID)
    return row


def _service_principal(tenant: Tenant, registration: Registration, created: datetime) -> Row:
    return {
        **_graph(tenant),  # for the properties that every service principal has
        "id": object_id(tenant, registration.client_id),
        "appId": registration.client_id,
        "appDisplayName": registration.display_name,
        "displayName": registration.display_name,
        "appOwnerOrganizationId": registration.home_tenant_id,
        "appRoles": [],
        "oauth2PermissionScopes": [],
        "createdDateTime": stamp(created),
        "publisherName": registration.publisher,
        "replyUrls": list(registration.redirect_uris),
        "servicePrincipalNames": [registration.client_id],
        "signInAudience": "AzureADMultipleOrgs" if registration.multi_tenant else "AzureADMyOrg",
        "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
    }
