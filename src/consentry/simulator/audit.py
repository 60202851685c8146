"""Audit events with the traps of real ones: JSON inside strings, text that is no JSON, odd names, unstable order."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # directory.py writes events through this module
    from consentry.simulator.directory import Grant, User

Row = dict[str, Any]
# Real tenants' logs have an en dash and a trailing space here; the documentation prints a hyphen.
_HOLDERS = {
    "ServicePrincipal": (
        "ServicePrincipal",
        "Add app role assignment to service principal",
        "Remove app role assignment from service principal",
    ),
    "User": ("User", "Add app role assignment grant to user", "Remove app role assignment from user"),
    "Group": ("Group", "Add app role assignment to group", "Remove app role assignment from group"),
}
CREDENTIALS_OF_APP = "Update application – Certificates and secrets management "


def consent(when: datetime, client: Row, grant: Grant, person: User | None) -> Row:
    """``Consent to application``: the grant stands in a text that is not JSON."""
    everybody = grant.consent_type == "AllPrincipals"
    stamp = when.strftime("%m/%d/%Y %H:%M:%S")
    action = (
        f"[] => [[Id: {grant.id}, ClientId: {grant.client_id}, PrincipalId: {grant.principal_id or ''}, ResourceId: {grant.resource_id}, "
        f"ConsentType: {grant.consent_type}, Scope: {grant.scope}, CreatedDateTime: {stamp}, LastModifiedDateTime ]]; "
    )
    properties = [
        _property("ConsentContext.IsAdminConsent", json.dumps(str(everybody))),
        _property("ConsentContext.IsAppOnly", json.dumps("False")),
        _property("ConsentContext.OnBehalfOfAll", json.dumps(str(everybody))),
        _property("ConsentContext.Tags", json.dumps("WindowsAzureActiveDirectoryIntegratedApp")),
        _property("ConsentAction.Permissions", json.dumps(action)),
        _property("TargetId.ServicePrincipalNames", json.dumps(client.get("appId", ""))),
    ]
    if int(when.timestamp()) % 2:
        properties.reverse()
    return _event("Consent to application", "Assign", when, person, [_target(client, properties)])


def delegated_grant(
    verb: str, when: datetime, client: Row, resource: Row, grant: Grant, old: str | None, new: str | None, person: User | None
) -> Row:
    """``Add`` or ``Remove delegated permission grant``: the first target is the resource, not the client."""
    properties = [
        _property("DelegatedPermissionGrant.Scope", json.dumps(new or ""), json.dumps(old or "")),
        _property("DelegatedPermissionGrant.ConsentType", json.dumps(grant.consent_type)),
        _property("ServicePrincipal.ObjectID", json.dumps(grant.client_id)),
        _property("ServicePrincipal.DisplayName", ""),
        _property("TargetId.ServicePrincipalNames", json.dumps(resource.get("appId", ""))),
    ]
    targets = [_target(resource, properties), _target(client, [])]
    return _event(f"{verb} delegated permission grant", "Assign" if verb == "Add" else "Unassign", when, person, targets, agent="EvoSTS")


def app_role(when: datetime, principal: Row, resource: Row, assignment: Row, *, deed: str = "Add") -> Row:
    """``Add app role assignment to service principal``, ``… grant to user`` or ``… to group``, or with ``Remove`` the event of its end."""
    holder, added, removed = _HOLDERS[assignment["principalType"]]
    values = {
        "AppRole.Id": assignment["appRoleId"],
        "AppRole.Value": _role_value(resource, assignment["appRoleId"]),
        f"{holder}.ObjectID": principal.get("id", assignment["principalId"]),
        f"{holder}.DisplayName": principal.get("displayName"),
    }
    if deed == "Add":
        properties = [_property(name, json.dumps(value)) for name, value in values.items()]
        return _event(added, "Assign", when, None, [_target(resource, properties)])
    properties = [_property(name, None, json.dumps(value)) for name, value in values.items()]
    return _event(removed, "Unassign", when, None, [_target(resource, properties)])


def simple(name: str, when: datetime, target: Row, person: User | None = None) -> Row:
    """An event that only names its target."""
    return _event(name, "Update", when, person, [_target(target, [])])


def _role_value(resource: Row, role_id: str) -> str | None:
    return next((role["value"] for role in resource.get("appRoles", []) if role["id"] == role_id), None)


def _property(name: str, new: str | None, old: str | None = None) -> Row:
    return {"displayName": name, "oldValue": old, "newValue": new}


def _target(row: Row, properties: list[Row]) -> Row:
    return {
        "id": row.get("id"),
        "displayName": row.get("displayName"),
        "type": "ServicePrincipal",
        "userPrincipalName": None,
        "groupType": None,
        "modifiedProperties": properties,
    }


def _event(name: str, operation: str, when: datetime, person: User | None, targets: list[Row], agent: str | None = None) -> Row:
    user = (
        {"id": person.id, "displayName": None, "userPrincipalName": person.upn, "ipAddress": "203.0.113.10", "userType": None}
        if person
        else None
    )
    app = None if person else {"appId": None, "displayName": "Azure AD", "servicePrincipalId": None, "servicePrincipalName": None}
    return {
        "id": f"Directory_{uuid.uuid4().hex[:5].upper()}_{uuid.uuid4().hex}",
        "category": "ApplicationManagement",
        "correlationId": str(uuid.uuid4()),
        "result": "success",
        "resultReason": "",
        "activityDisplayName": name,
        "activityDateTime": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "7Z",
        "loggedByService": "Core Directory",
        "operationType": operation,
        "initiatedBy": {"user": user, "app": app},
        "targetResources": targets,
        "additionalDetails": [{"key": "User-Agent", "value": agent}] if agent else [],
    }
