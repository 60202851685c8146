"""From Graph's structs to rows of the staging tables. Pure: no clock, no network, no Django.

A row is a tuple of texts as PostgreSQL reads them, or None, in the order of ``sync.staging.TABLES``. Names and addresses stay
byte for byte; what PostgreSQL cannot keep (U+0000) is left out where rows are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from consentry.providers.entra import structs
from consentry.providers.entra.values import array, document, flag, guid, moment, stamp

Row = tuple[str | None, ...]
_CREDENTIAL_KINDS = (("keyCredentials", "certificate"), ("passwordCredentials", "secret"))
_PRINCIPAL_KINDS = {"user": "user", "group": "group", "servicePrincipal": "service_principal"}
_FACTS = (
    ("info", "info"),
    ("notes", "notes"),
    ("description", "description"),
    ("app_description", "appDescription"),
    ("app_name", "appDisplayName"),
    ("login_url", "loginUrl"),
    ("deactivated", "isDisabled"),
)
_MOST_SETS = 50_000


def service_principal(row: structs.ServicePrincipal) -> Row:
    """A row of ``service_principal``. Verified is unknown when Graph left the publisher out."""
    publisher = row.verifiedPublisher
    facts = {name: value for name, attribute in _FACTS if (value := getattr(row, attribute)) not in (None, "", {})}
    return (
        row.id,
        guid(row.appId),
        row.displayName or "",
        (publisher.displayName if publisher else None) or row.publisherName,
        None if publisher is None else flag(publisher.verifiedPublisherId is not None),
        guid(row.appOwnerOrganizationId),
        row.servicePrincipalType,
        row.odata_type,
        flag(row.accountEnabled),
        row.disabledByMicrosoftStatus,
        stamp(row.createdDateTime),
        flag(row.appRoleAssignmentRequired),
        row.signInAudience,
        row.homepage,
        row.applicationTemplateId,
        row.preferredSingleSignOnMode,
        array(row.replyUrls),
        array(row.tags),
        document(facts),
    )


def is_agent(row: structs.ServicePrincipal) -> bool:
    """True for an agent identity, which inherits from its blueprint's principal."""
    return row.servicePrincipalType == "ServiceIdentity" or (row.odata_type or "").endswith("agentIdentity")


def application(row: structs.Application) -> Row:
    """A row of ``application``."""
    return (row.id, guid(row.appId))


def credentials(row: structs.ServicePrincipal | structs.Application, source: str) -> list[Row]:
    """Rows of ``credential``: who has it, its kind, id and dates, and no value ever."""
    own = row.id if source == "service_principal" else None
    made: list[Row] = []
    for attribute, kind in _CREDENTIAL_KINDS:
        for key in getattr(row, attribute) or []:
            if key.keyId:
                made.append(
                    (
                        own,
                        guid(row.appId),
                        source,
                        kind,
                        key.keyId,
                        key.displayName,
                        key.usage,
                        stamp(key.startDateTime),
                        stamp(key.endDateTime),
                    )
                )
    return made


class ScopeSets:
    """Interns scope fields: 200,000 grants hold a few thousand distinct sets. ``take_new`` gives the rows of ``scope_set``."""

    def __init__(self) -> None:
        self._known: dict[str | None, str] = {}
        self._new: list[Row] = []

    def key(self, scope: str | None) -> str:
        """The id of the set. The field is separated by spaces, may start with one, and its order means nothing."""
        found = self._known.get(scope)
        if found is None:
            if len(self._known) >= _MOST_SETS:
                self._known.clear()
            values = sorted(set((scope or "").replace("\x00", "").split()))
            text = " ".join(values)
            found = self._known[scope] = str(UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))
            self._new.append((found, text, array(values)))
        return found

    def take_new(self) -> list[Row]:
        """The sets that were seen for the first time since the last call."""
        new, self._new = self._new, []
        return new


def grant(row: structs.Grant, sets: ScopeSets) -> Row:
    """A row of ``delegated_grant``."""
    principal_id = row.principalId or None
    return (
        row.id,
        row.clientId,
        row.resourceId,
        principal_id,
        row.consentType or ("Principal" if principal_id else "AllPrincipals"),
        sets.key(row.scope),
    )


def assignment(row: structs.Assignment) -> Row:
    """A row of ``app_role_assignment``."""
    return (
        row.id,
        row.principalId,
        row.principalType,
        row.principalDisplayName,
        row.resourceId,
        row.resourceDisplayName,
        row.appRoleId,
        stamp(row.createdDateTime),
    )


def assignees(rows: Iterable[structs.Assignment]) -> list[Row]:
    """Rows of ``assignee``: the users and groups among those who hold a role of an app."""
    return [
        (
            row.id,
            row.resourceId,
            row.principalId,
            row.principalType.lower(),
            row.principalDisplayName,
            row.appRoleId,
            stamp(row.createdDateTime),
        )
        for row in rows
        if row.principalType in {"User", "Group"}
    ]


def federated(application_id: str, row: structs.FederatedCredential) -> Row:
    """A row of ``credential``: an identity provider whose tokens an application trusts. It has no end."""
    trusted = " ".join(part for part in (row.issuer, row.subject) if part)
    return (
        application_id,
        None,
        "federated",
        "federated",
        row.id,
        " · ".join(part for part in (row.name, trusted) if part),
        None,
        None,
        None,
    )


def inherited(agent_id: str, row: structs.Assignment | structs.Grant) -> list[Row]:
    """Rows of ``inherited``: an agent identity, a permission and the blueprint's principal that holds it."""
    if isinstance(row, structs.Assignment):
        return [(agent_id, "application", row.resourceId, row.appRoleId, row.principalId)]
    return [(agent_id, "delegated", row.resourceId, value, row.clientId) for value in sorted({*(row.scope or "").split()})]


def permissions(row: structs.Resource) -> list[Row]:
    """Rows of ``permission``: the resource's app roles and scopes."""
    made: list[Row] = []
    for kind, definitions in (("application", row.appRoles), ("delegated", row.oauth2PermissionScopes)):
        for one in definitions or []:
            admin_only = flag(kind == "application" or one.type == "Admin") if kind == "application" or one.type else None
            title = one.displayName or one.adminConsentDisplayName or ""
            words = one.description or one.adminConsentDescription or ""
            made.append((row.id, guid(row.appId), row.displayName or "", kind, one.id, one.value or "", title, words, admin_only))
    return made


def principal(row: structs.DirectoryObject) -> Row:
    """A row of ``principal``; without a type in the answer, whoever has a user principal name is a user."""
    kind = _PRINCIPAL_KINDS.get((row.odata_type or "").rsplit(".", 1)[-1], "unknown")
    if kind == "unknown" and row.userPrincipalName:
        kind = "user"
    return (
        row.id,
        kind,
        row.displayName or "",
        row.userPrincipalName,
        row.mail,
        row.userType,
        row.department,
        row.jobTitle,
        flag(row.accountEnabled),
    )


def directory_roles(definitions: list[structs.RoleDefinition], assignments: list[structs.RoleAssignment]) -> dict[str, list[str]]:
    """The names of the roles that each object holds, by its id; a role without a name keeps its id."""
    names = {row.id: row.displayName or row.id for row in definitions}
    held: dict[str, set[str]] = {}
    for row in assignments:
        if (holder := guid(row.principalId)) and row.roleDefinitionId:
            held.setdefault(holder.lower(), set()).add(names.get(row.roleDefinitionId, row.roleDefinitionId))
    return {holder: sorted(roles) for holder, roles in sorted(held.items())}


def waiting_requests(rows: list[structs.ConsentRequest]) -> list[dict[str, Any]]:
    """The apps that people asked an administrator for and that nobody has answered, as JSON: who asked, when and why."""
    found = []
    for row in sorted(rows, key=lambda one: one.id):
        asked = [one for one in row.userConsentRequests or () if one.status in (None, "InProgress")]
        if not asked or not (app_id := guid(row.appId)):
            continue
        people = [(one, one.createdBy.user if one.createdBy and one.createdBy.user else structs.Actor()) for one in asked]
        found.append(
            {
                "app_id": app_id.lower(),
                "name": row.appDisplayName or "",
                "permissions": sorted(one.displayName for one in row.pendingScopes or () if one.displayName),
                "asked": [
                    {
                        "id": who.id,
                        "name": who.displayName or who.userPrincipalName or "",
                        "at": stamp(one.createdDateTime),
                        "reason": one.reason or "",
                    }
                    for one, who in sorted(people, key=lambda pair: pair[0].id)
                ],
            }
        )
    return found


def activity(row: structs.Activity) -> Row | None:
    """A row of ``activity``: the latest sign-in of an app as a client; None without an app."""
    app_id = guid(row.appId)
    if app_id is None:
        return None
    signed_in = (row.lastSignInActivity, row.delegatedClientSignInActivity, row.applicationAuthenticationClientSignInActivity)
    dates = [date for one in signed_in if one and (date := moment(one.lastSignInDateTime))]
    return (app_id, max(dates).isoformat() if dates else None)


def credential_activity(row: structs.CredentialActivity) -> Row | None:
    """A row of ``credential_activity``: when a secret or certificate of an app was last used; None where that is not said."""
    app_id = guid(row.appId)
    used = stamp(row.signInActivity.lastSignInDateTime) if row.signInActivity else None
    return (app_id, row.keyId, used) if app_id and row.keyId and used else None


def publisher_tenant(tenant_id: str, row: structs.TenantInformation) -> Row:
    """A row of ``publisher_tenant``."""
    return (tenant_id, row.displayName or "", row.defaultDomainName or "")


def risky(row: structs.RiskyServicePrincipal) -> Row:
    """A row of ``risky``."""
    return (row.id, row.riskLevel, row.riskState, row.riskDetail, stamp(row.riskLastUpdatedDateTime))
