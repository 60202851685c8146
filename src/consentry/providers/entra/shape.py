"""From Graph's structs to rows of the staging tables. Pure: no clock, no network, no Django."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from consentry.providers.entra import structs

Row = tuple[Any, ...]
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})$")
_FRACTION = re.compile(r"\.(\d+)")
_CONSENT_PART = re.compile(r"(\w+): ([^,\]]*)")
_CREDENTIAL_KINDS = (("keyCredentials", "certificate"), ("passwordCredentials", "secret"))


def moment(text: str | None) -> datetime | None:
    """A date of Graph: seven digits of a second, an offset such as ``-8:00``, or none at all (then UTC); None for others."""
    if not text:
        return None
    text = _FRACTION.sub(lambda match: "." + match[1][:6].ljust(6, "0"), text.strip())
    zone: timezone = UTC
    if text.endswith(("Z", "z")):
        text = text[:-1]
    elif match := _OFFSET.search(text[10:]):
        hours, minutes = int(match[2]), int(match[3])
        if hours > 14 or minutes > 59:
            return None
        delta = timedelta(hours=hours, minutes=minutes)
        zone = timezone(delta if match[1] == "+" else -delta)
        text = text[: 10 + match.start()]
    try:
        parsed = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.year > 1 else None


def guid(text: str | None) -> UUID | None:
    """A GUID, or None for anything else."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def text(value: str | None) -> str | None:
    """Text as PostgreSQL can keep it: U+0000 is left out, everything else stays byte for byte."""
    return value.replace("\x00", "") if value else value


def scopes(scope: str | None) -> list[str]:
    """The distinct scopes of a grant, sorted. The field is separated by spaces and may start with one."""
    return sorted(set((text(scope) or "").split()))


def service_principal(row: structs.ServicePrincipal) -> Row:
    """A row of ``service_principal``."""
    publisher = row.verifiedPublisher or structs.Publisher()
    facts = {name: value for name, value in (("info", row.info), ("notes", row.notes), ("description", row.description)) if value}
    return (
        UUID(row.id),
        guid(row.appId),
        text(row.displayName) or "",
        text(publisher.displayName or row.publisherName),
        None if row.verifiedPublisher is None else publisher.verifiedPublisherId is not None,
        guid(row.appOwnerOrganizationId),
        row.servicePrincipalType,
        row.odata_type,
        row.accountEnabled,
        row.disabledByMicrosoftStatus,
        moment(row.createdDateTime),
        row.appRoleAssignmentRequired,
        row.signInAudience,
        text(row.homepage),
        row.applicationTemplateId,
        row.preferredSingleSignOnMode,
        [text(url) or "" for url in row.replyUrls or []],
        [text(tag) or "" for tag in row.tags or []],
        json.dumps(facts).replace("\\u0000", ""),
    )


def credentials(row: structs.ServicePrincipal | structs.Application, source: str) -> list[Row]:
    """Rows of ``credential``: object id of the service principal or the application's app id, and no value ever."""
    own = guid(row.id) if source == "service_principal" else None
    made = []
    for attribute, kind in _CREDENTIAL_KINDS:
        for key in getattr(row, attribute) or []:
            if key.keyId:
                dates = (moment(key.startDateTime), moment(key.endDateTime))
                made.append((own, guid(row.appId), source, kind, key.keyId, text(key.displayName), key.usage, *dates))
    return made


def grant(row: structs.Grant) -> Row:
    """A row of ``delegated_grant``."""
    return (
        text(row.id),
        UUID(row.clientId),
        UUID(row.resourceId),
        guid(row.principalId),
        row.consentType or ("Principal" if row.principalId else "AllPrincipals"),
        " ".join(scopes(row.scope)),
    )


def assignment(row: structs.Assignment) -> Row:
    """A row of ``app_role_assignment``."""
    return (
        text(row.id),
        UUID(row.principalId),
        row.principalType,
        text(row.principalDisplayName),
        UUID(row.resourceId),
        text(row.resourceDisplayName),
        UUID(row.appRoleId),
        moment(row.createdDateTime),
    )


def permissions(row: structs.Resource) -> list[Row]:
    """Rows of ``permission``: the resource's app roles and scopes."""
    made = []
    for kind, definitions in (("application", row.appRoles), ("delegated", row.oauth2PermissionScopes)):
        for one in definitions or []:
            identifier = guid(one.id)
            if identifier is not None:
                title = text(one.displayName or one.adminConsentDisplayName) or ""
                words = text(one.description or one.adminConsentDescription) or ""
                made.append(
                    (UUID(row.id), guid(row.appId), text(row.displayName) or "", kind, identifier, text(one.value) or "", title, words)
                )
    return made


def principal(row: structs.DirectoryObject) -> Row:
    """A row of ``principal``."""
    kind = (row.odata_type or "").rsplit(".", 1)[-1]
    kinds = {"user": "user", "group": "group", "servicePrincipal": "service_principal"}
    return (
        UUID(row.id),
        kinds.get(kind, "unknown"),
        text(row.displayName) or "",
        text(row.userPrincipalName),
        text(row.mail),
        row.userType,
        text(row.department),
        text(row.jobTitle),
        row.accountEnabled,
    )


def activity(row: structs.Activity) -> Row | None:
    """A row of ``activity``: the latest sign-in of an app as a client."""
    seen = [
        moment(sign_in.lastSignInDateTime)
        for sign_in in (row.lastSignInActivity, row.delegatedClientSignInActivity, row.applicationAuthenticationClientSignInActivity)
        if sign_in
    ]
    dates = [date for date in seen if date]
    app_id = guid(row.appId)
    return (app_id, max(dates) if dates else None) if app_id else None


def normalise_activity(name: str) -> str:
    """An audit activity's name for matching: case, dashes, spaces and a trailing full stop differ between sources."""
    return re.sub(r"[\u2010-\u2015\u2212]", "-", name).strip().rstrip(".").strip().casefold()


def audit_event(row: structs.AuditEvent) -> Row | None:
    """A row of ``event``; None without a date. Traps: JSON inside strings, text that is no JSON, the resource as first target."""
    at = moment(row.activityDateTime)
    if at is None:
        return None
    activity_name = normalise_activity(row.activityDisplayName or "")
    targets = row.targetResources or []
    properties = {change.displayName or "": change for target in targets for change in target.modifiedProperties or []}

    def new(name: str) -> str:
        change = properties.get(name)
        return _unquote(change.newValue) if change else ""

    first = guid(targets[0].id) if targets else None
    client, resource = first, None
    if (
        "delegated permission grant" in activity_name
        or "oauth2permissiongrant" in activity_name
        or "app role assignment to service principal" in activity_name
    ):
        client, resource = guid(new("ServicePrincipal.ObjectID")) or (guid(targets[1].id) if len(targets) > 1 else None), first
    after = new("ConsentAction.Permissions").split("=>")[-1]
    parts = dict(_CONSENT_PART.findall(after))
    scope = text(parts.get("Scope") or new("DelegatedPermissionGrant.Scope") or new("AppRole.Value")) or None
    admin = {"true": True, "false": False}.get(new("ConsentContext.IsAdminConsent").lower())
    if admin is None and new("DelegatedPermissionGrant.ConsentType"):
        admin = new("DelegatedPermissionGrant.ConsentType") == "AllPrincipals"
    by = row.initiatedBy or structs.InitiatedBy()
    person = by.user or by.app or structs.Actor()
    return (
        text(row.id),
        at,
        text(activity_name),
        client,
        resource or guid(parts.get("ResourceId", "").strip()),
        guid(parts.get("PrincipalId", "").strip()),
        text(person.userPrincipalName or person.displayName),
        guid(person.id),
        admin,
        scope.strip() if scope else None,
    )


def _unquote(value: str | None) -> str:
    if not value:
        return ""
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    if isinstance(decoded, list):
        return " ".join(str(item) for item in decoded)
    return "" if decoded is None else str(decoded)
