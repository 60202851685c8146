"""Which permissions each of our app registrations needs, and why: for people who register them and people who consent.

Source: learn.microsoft.com/graph/permissions-reference.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Needed:
    """One application permission of Microsoft Graph and what it is for."""

    value: str
    why: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a registration is for and what it needs."""

    text: str
    permissions: tuple[Needed, ...]


MANIFEST: dict[str, Purpose] = {
    "tenant": Purpose(
        "Proves the tenant and its licences for the MS Tenant connector. Without one, the reader serves both steps.",
        (Needed("Organization.Read.All", "Who the tenant is, and which licences it has."),),
    ),
    "reader": Purpose(
        "Reads the inventory for 3rd Party Apps. It changes nothing.",
        (
            Needed("Directory.Read.All", "Apps, their permissions, who granted them, owners and people."),
            Needed("AuditLog.Read.All", "When and by whom consent was given, and when an app was last used."),
            Needed("Policy.Read.All", "What the tenant lets people consent to."),
            Needed("ConsentRequest.Read.All", "Which apps people wait for an administrator's answer about.", optional=True),
            Needed("CrossTenantInformation.ReadBasic.All", "What the tenants that publish apps call themselves.", optional=True),
            Needed(
                "IdentityRiskyServicePrincipal.Read.All", "What Microsoft itself holds to be risky. Needs its own licence.", optional=True
            ),
        ),
    ),
    "responder": Purpose(
        "Takes access away. It is as powerful as a global administrator: leave it empty until you want actions.",
        (
            Needed("DelegatedPermissionGrant.ReadWrite.All", "Remove or narrow what people granted."),
            Needed("AppRoleAssignment.ReadWrite.All", "Remove an application permission."),
            Needed("Application.ReadWrite.All", "Disable an app, remove a credential."),
        ),
    ),
}
