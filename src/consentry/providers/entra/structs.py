# field names are Microsoft's
"""The part of Graph's answers that we read, as typed structs: unknown properties are skipped, missing ones are null.

Field names are Microsoft's. Only ids are required; an object without one is counted as not understood.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Read(msgspec.Struct, gc=False):
    """What all of them share: no cycles, hence no work for the garbage collector."""


class Publisher(_Read):
    displayName: str | None = None
    verifiedPublisherId: str | None = None


class Key(_Read):
    keyId: str | None = None
    displayName: str | None = None
    usage: str | None = None
    startDateTime: str | None = None
    endDateTime: str | None = None


class Related(_Read):
    id: str


class Assignment(_Read):
    id: str
    principalId: str
    resourceId: str
    appRoleId: str
    principalType: str | None = None
    principalDisplayName: str | None = None
    resourceDisplayName: str | None = None
    createdDateTime: str | None = None


class ServicePrincipal(_Read):
    id: str
    odata_type: str | None = msgspec.field(name="@odata.type", default=None)
    appId: str | None = None
    displayName: str | None = None
    appDisplayName: str | None = None
    appOwnerOrganizationId: str | None = None
    servicePrincipalType: str | None = None
    accountEnabled: bool | None = None
    isDisabled: bool | None = None
    disabledByMicrosoftStatus: str | None = None
    createdDateTime: str | None = None
    appRoleAssignmentRequired: bool | None = None
    signInAudience: str | None = None
    homepage: str | None = None
    loginUrl: str | None = None
    applicationTemplateId: str | None = None
    preferredSingleSignOnMode: str | None = None
    replyUrls: list[str | None] | None = None
    tags: list[str | None] | None = None
    servicePrincipalNames: list[str | None] | None = None
    verifiedPublisher: Publisher | None = None
    publisherName: str | None = None
    keyCredentials: list[Key] | None = None
    passwordCredentials: list[Key] | None = None
    info: dict[str, Any] | None = None
    notes: str | None = None
    description: str | None = None
    appDescription: str | None = None


class Application(_Read):
    id: str
    appId: str | None = None
    keyCredentials: list[Key] | None = None
    passwordCredentials: list[Key] | None = None


class Grant(_Read):
    id: str
    clientId: str
    resourceId: str
    consentType: str | None = None
    principalId: str | None = None
    scope: str | None = None


class WithAssignments(_Read):
    """``appRoleAssignments`` is None where the service did not expand it."""

    id: str
    appRoleAssignments: list[Assignment] | None = None


class Assignable(_Read):
    """An app with who is assigned to it; ``appRoleAssignedTo`` is None where the service did not expand it."""

    id: str
    appOwnerOrganizationId: str | None = None
    appRoleAssignedTo: list[Assignment] | None = None


class FederatedCredential(_Read):
    """Whose tokens an application trusts in place of a secret."""

    id: str
    name: str | None = None
    issuer: str | None = None
    subject: str | None = None


class WithFederatedCredentials(_Read):
    """``federatedIdentityCredentials`` is None where the service did not expand it."""

    id: str
    federatedIdentityCredentials: list[FederatedCredential] | None = None


class WithOwners(_Read):
    """``owners`` is None where the service did not expand it."""

    id: str
    owners: list[Related] | None = None


class Permission(_Read):
    id: str
    value: str | None = None
    displayName: str | None = None
    description: str | None = None
    adminConsentDisplayName: str | None = None
    adminConsentDescription: str | None = None
    type: str | None = None  # of a scope: User or Admin


class Resource(_Read):
    id: str
    appId: str | None = None
    displayName: str | None = None
    appRoles: list[Permission] | None = None
    oauth2PermissionScopes: list[Permission] | None = None


class DirectoryObject(_Read):
    id: str
    odata_type: str | None = msgspec.field(name="@odata.type", default=None)
    displayName: str | None = None
    userPrincipalName: str | None = None
    mail: str | None = None
    userType: str | None = None
    department: str | None = None
    jobTitle: str | None = None
    accountEnabled: bool | None = None


class SignIn(_Read):
    lastSignInDateTime: str | None = None


class Activity(_Read):
    appId: str | None = None
    lastSignInActivity: SignIn | None = None
    delegatedClientSignInActivity: SignIn | None = None
    applicationAuthenticationClientSignInActivity: SignIn | None = None


class CredentialActivity(_Read):
    appId: str | None = None
    keyId: str | None = None
    signInActivity: SignIn | None = None


class TenantInformation(_Read):
    displayName: str | None = None
    defaultDomainName: str | None = None


class RiskyServicePrincipal(_Read):
    id: str
    riskLevel: str | None = None
    riskState: str | None = None
    riskDetail: str | None = None
    riskLastUpdatedDateTime: str | None = None


class ModifiedProperty(_Read):
    displayName: str | None = None
    oldValue: str | None = None
    newValue: str | None = None


class Target(_Read):
    id: str | None = None
    displayName: str | None = None
    type: str | None = None
    modifiedProperties: list[ModifiedProperty] | None = None


class Actor(_Read):
    id: str | None = None
    userPrincipalName: str | None = None
    displayName: str | None = None
    servicePrincipalId: str | None = None


class InitiatedBy(_Read):
    user: Actor | None = None
    app: Actor | None = None


class AuditEvent(_Read):
    id: str
    activityDisplayName: str | None = None
    activityDateTime: str | None = None
    category: str | None = None
    result: str | None = None
    initiatedBy: InitiatedBy | None = None
    targetResources: list[Target] | None = None


class Identities(_Read):
    """An ``identitySet``."""

    user: Actor | None = None


class Named(_Read):
    displayName: str | None = None


class UserConsentRequest(_Read):
    """``status`` is InProgress until an administrator has answered or the request has expired."""

    id: str
    status: str | None = None
    reason: str | None = None
    createdDateTime: str | None = None
    createdBy: Identities | None = None


class ConsentRequest(_Read):
    id: str
    appId: str | None = None
    appDisplayName: str | None = None
    pendingScopes: list[Named] | None = None
    userConsentRequests: list[UserConsentRequest] | None = None


class RoleDefinition(_Read):
    id: str
    displayName: str | None = None


class RoleAssignment(_Read):
    """``principalId`` is a person, group or service principal; ``directoryScopeId`` is ``/`` for the whole tenant."""

    id: str
    principalId: str | None = None
    roleDefinitionId: str | None = None


class DeltaItem(_Read):
    """The head of an item of a delta page."""

    id: str
    removed: dict[str, Any] | None = msgspec.field(name="@removed", default=None)


class DeltaPage(_Read):
    """A page of a delta query; the last one has the link for the next time."""

    value: list[msgspec.Raw] = msgspec.field(default_factory=list)
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)
    delta: str | None = msgspec.field(name="@odata.deltaLink", default=None)
