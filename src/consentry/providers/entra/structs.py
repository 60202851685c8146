"""The part of Graph's answers that we read, as typed structs: unknown properties are skipped, missing ones are null."""

from __future__ import annotations

from typing import Any

import msgspec

# Field names are Microsoft's.


class Publisher(msgspec.Struct):
    displayName: str | None = None
    verifiedPublisherId: str | None = None


class KeyCredential(msgspec.Struct):
    keyId: str | None = None
    displayName: str | None = None
    usage: str | None = None
    startDateTime: str | None = None
    endDateTime: str | None = None


class Related(msgspec.Struct):
    id: str


class Assignment(msgspec.Struct):
    id: str
    principalId: str
    resourceId: str
    appRoleId: str
    principalType: str | None = None
    principalDisplayName: str | None = None
    resourceDisplayName: str | None = None
    createdDateTime: str | None = None


class ServicePrincipal(msgspec.Struct):
    id: str
    odata_type: str | None = msgspec.field(name="@odata.type", default=None)
    appId: str | None = None
    displayName: str | None = None
    appOwnerOrganizationId: str | None = None
    servicePrincipalType: str | None = None
    accountEnabled: bool | None = None
    disabledByMicrosoftStatus: str | None = None
    createdDateTime: str | None = None
    appRoleAssignmentRequired: bool | None = None
    signInAudience: str | None = None
    homepage: str | None = None
    applicationTemplateId: str | None = None
    preferredSingleSignOnMode: str | None = None
    replyUrls: list[str] | None = None
    tags: list[str] | None = None
    verifiedPublisher: Publisher | None = None
    publisherName: str | None = None
    keyCredentials: list[KeyCredential] | None = None
    passwordCredentials: list[KeyCredential] | None = None
    info: dict[str, Any] | None = None
    notes: str | None = None
    description: str | None = None


class Application(msgspec.Struct):
    id: str
    appId: str | None = None
    keyCredentials: list[KeyCredential] | None = None
    passwordCredentials: list[KeyCredential] | None = None


class Grant(msgspec.Struct):
    id: str
    clientId: str
    resourceId: str
    consentType: str | None = None
    principalId: str | None = None
    scope: str | None = None


class WithAssignments(msgspec.Struct):
    id: str
    appRoleAssignments: list[Assignment] | None = None


class WithOwners(msgspec.Struct):
    id: str
    owners: list[Related] | None = None


class Permission(msgspec.Struct):
    id: str
    value: str | None = None
    displayName: str | None = None
    description: str | None = None
    adminConsentDisplayName: str | None = None
    adminConsentDescription: str | None = None


class Resource(msgspec.Struct):
    id: str
    appId: str | None = None
    displayName: str | None = None
    appRoles: list[Permission] | None = None
    oauth2PermissionScopes: list[Permission] | None = None


class DirectoryObject(msgspec.Struct):
    id: str
    odata_type: str | None = msgspec.field(name="@odata.type", default=None)
    displayName: str | None = None
    userPrincipalName: str | None = None
    mail: str | None = None
    userType: str | None = None
    department: str | None = None
    jobTitle: str | None = None
    accountEnabled: bool | None = None


class SignIn(msgspec.Struct):
    lastSignInDateTime: str | None = None


class Activity(msgspec.Struct):
    appId: str | None = None
    lastSignInActivity: SignIn | None = None
    delegatedClientSignInActivity: SignIn | None = None
    applicationAuthenticationClientSignInActivity: SignIn | None = None


class ModifiedProperty(msgspec.Struct):
    displayName: str | None = None
    oldValue: str | None = None
    newValue: str | None = None


class Target(msgspec.Struct):
    id: str | None = None
    displayName: str | None = None
    modifiedProperties: list[ModifiedProperty] | None = None


class Actor(msgspec.Struct):
    id: str | None = None
    userPrincipalName: str | None = None
    displayName: str | None = None


class InitiatedBy(msgspec.Struct):
    user: Actor | None = None
    app: Actor | None = None


class AuditEvent(msgspec.Struct):
    id: str
    activityDisplayName: str | None = None
    activityDateTime: str | None = None
    result: str | None = None
    initiatedBy: InitiatedBy | None = None
    targetResources: list[Target] | None = None
