"""What Graph changes: the calls that take access away, each with the permission it needs."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from consentry.simulator.collections import Access, Answer, Query
from consentry.simulator.errors import GraphError, forbidden, not_found

_ID = r"([0-9a-fA-F-]{36})"
_GRANTS = frozenset({"DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"})
_ASSIGN = frozenset({"AppRoleAssignment.ReadWrite.All"})
_WRITE_APPS = frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"})
_SESSIONS = frozenset({"User.RevokeSessions.All", "User.ReadWrite.All"})


def write(access: Access, method: str, query: Query, body: bytes) -> Answer:
    """Carry out a write. Raises ``GraphError`` for a missing permission or object."""
    directory, path = access.tenant.directory, query.path
    try:
        if match := re.match(r"^oauth2PermissionGrants/([^/]+)$", path):
            _need(access, _GRANTS)
            if method == "DELETE":
                directory.revoke(match[1])
                return Answer(204, None)
            if method == "PATCH":
                directory.narrow(match[1], _json(body)["scope"])
                return Answer(204, None)
        if path == "oauth2PermissionGrants" and method == "POST":
            _need(access, _GRANTS)
            given = _json(body)
            return Answer(
                201, directory.grant(given["clientId"], given["resourceId"], given["scope"], principal_id=given.get("principalId")).render()
            )
        if (match := re.match(rf"^servicePrincipals/{_ID}/(appRoleAssignedTo|appRoleAssignments)/([^/]+)$", path)) and method == "DELETE":
            _need(access, _ASSIGN)
            directory.unassign(match[3])
            return Answer(204, None)
        if (match := re.match(rf"^servicePrincipals/{_ID}/appRoleAssignedTo$", path)) and method == "POST":
            _need(access, _ASSIGN)
            given = _json(body)
            return Answer(201, directory.assign(given["principalId"], match[1], given["appRoleId"]))
        if match := re.match(rf"^servicePrincipals/{_ID}$", path):
            _need(access, _WRITE_APPS)
            if method == "PATCH":
                allowed = {"accountEnabled", "appRoleAssignmentRequired", "notes", "tags"}
                directory.update_app(match[1], **{name: value for name, value in _json(body).items() if name in allowed})
                return Answer(204, None)
            if method == "DELETE":
                directory.delete_app(match[1])
                return Answer(204, None)
        if (match := re.match(rf"^(?:servicePrincipals|applications)/{_ID}/(removePassword|removeKey)$", path)) and method == "POST":
            _need(access, _WRITE_APPS)
            directory.remove_credential(match[1], _json(body)["keyId"])
            return Answer(204, None)
        if (match := re.match(rf"^directory/deletedItems/{_ID}/restore$", path)) and method == "POST":
            _need(access, _WRITE_APPS)
            row = directory.deleted.pop(match[1])
            directory.service_principals[match[1]] = row
            directory.touch("servicePrincipals", match[1])
            return Answer(200, row)
        if (match := re.match(rf"^users/{_ID}/revokeSignInSessions$", path)) and method == "POST":
            _need(access, _SESSIONS)
            if match[1] not in directory.users:
                raise not_found(match[1])
            return Answer(200, {"value": True})
    except KeyError as error:
        raise not_found(str(error.args[0])) from error
    raise GraphError(400, "BadRequest", f"Resource not found for the segment '{path.split('/')[0]}'.")


def _need(access: Access, roles: frozenset[str]) -> None:
    if not roles & access.roles:
        raise forbidden()


def _json(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise GraphError(400, "Request_BadRequest", "Unable to read JSON request payload.") from error
