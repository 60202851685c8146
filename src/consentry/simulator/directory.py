"""One tenant's objects, and the mutations that also write the audit log and the change feed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from consentry.simulator import audit

Row = dict[str, Any]
NO_ROLE = "00000000-0000-0000-0000-000000000000"


def stamp(moment: datetime) -> str:
    """A moment as Graph writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Grant:
    """An oauth2PermissionGrant, kept small: a large tenant has hundreds of thousands."""

    id: str
    client_id: str
    consent_type: str
    principal_id: str | None
    resource_id: str
    scope: str

    def render(self) -> Row:
        return {
            "clientId": self.client_id,
            "consentType": self.consent_type,
            "id": self.id,
            "principalId": self.principal_id,
            "resourceId": self.resource_id,
            "scope": self.scope,
        }


@dataclass(frozen=True, slots=True)
class User:
    """A directory user, kept small."""

    id: str
    name: str
    upn: str
    department: str
    job_title: str
    user_type: str
    enabled: bool

    def render(self) -> Row:
        return {
            "@odata.type": "#microsoft.graph.user",
            "id": self.id,
            "displayName": self.name,
            "userPrincipalName": self.upn,
            "mail": self.upn if self.user_type == "Member" else self.upn.split("#EXT#")[0].replace("_", "@"),
            "department": self.department,
            "jobTitle": self.job_title,
            "userType": self.user_type,
            "accountEnabled": self.enabled,
        }


@dataclass(slots=True)
class Directory:
    """Everything Graph answers from. Lists are by object id, in the order of creation."""

    organization: Row = field(default_factory=dict)
    skus: list[Row] = field(default_factory=list)
    service_principals: dict[str, Row] = field(default_factory=dict)
    applications: dict[str, Row] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    assignments: dict[str, dict[str, Row]] = field(default_factory=dict)  # principal id -> assignment id -> row
    owners: dict[str, list[str]] = field(default_factory=dict)  # service principal or application id -> user ids
    federated: dict[str, list[Row]] = field(default_factory=dict)
    blueprints: dict[str, str] = field(default_factory=dict)  # agent identity -> its blueprint's principal
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Row] = field(default_factory=dict)
    directory_roles: list[Row] = field(default_factory=list)
    role_definitions: list[Row] = field(default_factory=list)
    role_assignments: list[Row] = field(default_factory=list)
    subscriptions: list[Row] = field(default_factory=list)  # of Azure
    azure_assignments: list[Row] = field(default_factory=list)
    policies: dict[str, Any] = field(default_factory=dict)
    consent_requests: list[Row] = field(default_factory=list)
    activities: list[Row] = field(default_factory=list)
    credential_activities: list[Row] = field(default_factory=list)
    audits: list[Row] = field(default_factory=list)  # newest first
    deleted: dict[str, Row] = field(default_factory=dict)
    feed: list[tuple[str, str, bool]] = field(default_factory=list)  # collection, object id, still there
    _all_grants: tuple[tuple[int, int], list[Grant]] = ((-1, -1), [])
    _by_resource: dict[str, list[Row]] | None = None
    _by_client: tuple[tuple[int, int], dict[str, list[Grant]]] = ((-1, -1), {})  # as of the feed's and the grants' length

    # -- reading -------------------------------------------------------------------------------------------------

    def by_app_id(self, app_id: str) -> Row | None:
        """The service principal of an app, or None."""
        return next((row for row in self.service_principals.values() if row["appId"] == app_id), None)

    def grants_of(self, client_id: str) -> list[Grant]:
        """The delegated grants of one client, in the order of all of them."""
        state = (len(self.feed), len(self.grants))
        if self._by_client[0] != state:
            found: dict[str, list[Grant]] = {}
            for grant in self.grants.values():
                found.setdefault(grant.client_id, []).append(grant)
            self._by_client = (state, found)
        return self._by_client[1].get(client_id, [])

    def all_grants(self) -> list[Grant]:
        """Every delegated grant, in order; made once for each state, as a large tenant is read page by page."""
        state = (len(self.feed), len(self.grants))
        if self._all_grants[0] != state:
            self._all_grants = (state, list(self.grants.values()))
        return self._all_grants[1]

    def assigned_to(self, resource_id: str) -> list[Row]:
        """Every assignment to roles of one resource."""
        if self._by_resource is None:
            found: dict[str, list[Row]] = {}
            for rows in self.assignments.values():
                for row in rows.values():
                    found.setdefault(row["resourceId"], []).append(row)
            self._by_resource = found
        return self._by_resource.get(resource_id, [])

    def find(self, object_id: str) -> Row | None:
        """A user, group or service principal with its ``@odata.type``, or None."""
        if user := self.users.get(object_id):
            return user.render()
        if group := self.groups.get(object_id):
            return {"@odata.type": "#microsoft.graph.group", **group}
        if principal := self.service_principals.get(object_id):
            return {"@odata.type": "#microsoft.graph.servicePrincipal", **principal}
        return None

    # -- changing ------------------------------------------------------------------------------------------------

    def touch(self, collection: str, object_id: str, *, present: bool = True) -> None:
        """Enter an object into the change feed."""
        self.feed.append((collection, object_id, present))

    def record(self, event: Row) -> None:
        """Put an event on top of the audit log."""
        self.audits.insert(0, event)

    def grant(self, client_id: str, resource_id: str, scope: str, *, principal_id: str | None = None, by: str | None = None) -> Grant:
        """Consent to scopes, for one user or (without ``principal_id``) for everybody.

        A second consent widens the first and writes the Remove and Add pair of incremental consent.
        """
        kind = "Principal" if principal_id else "AllPrincipals"
        old = next(
            (g for g in self.grants.values() if (g.client_id, g.resource_id, g.principal_id) == (client_id, resource_id, principal_id)),
            None,
        )
        new = Grant(old.id if old else uuid.uuid4().hex + uuid.uuid4().hex[:11], client_id, kind, principal_id, resource_id, scope)
        self.grants[new.id] = new
        self.touch("oauth2PermissionGrants", new.id)
        now = datetime.now(UTC)
        person = self.users.get(by or principal_id or "")
        client, resource = self.service_principals[client_id], self.service_principals[resource_id]
        if old:
            self.record(audit.delegated_grant("Remove", now, client, resource, old, old.scope, scope, person))
        self.record(audit.delegated_grant("Add", now, client, resource, new, old.scope if old else None, scope, person))
        self.record(audit.consent(now, client, new, person))
        return new

    def revoke(self, grant_id: str) -> None:
        """Delete a delegated grant. Raises ``KeyError`` when it is not there."""
        old = self.grants.pop(grant_id)
        self.touch("oauth2PermissionGrants", grant_id, present=False)
        client, resource = self.service_principals.get(old.client_id, {}), self.service_principals.get(old.resource_id, {})
        self.record(audit.delegated_grant("Remove", datetime.now(UTC), client, resource, old, old.scope, None, None))

    def narrow(self, grant_id: str, scope: str) -> None:
        """Set a delegated grant's scopes. Raises ``KeyError`` when it is not there."""
        old = self.grants[grant_id]
        self.grants[grant_id] = Grant(old.id, old.client_id, old.consent_type, old.principal_id, old.resource_id, scope)
        self.touch("oauth2PermissionGrants", grant_id)

    def assign(self, principal_id: str, resource_id: str, role_id: str, *, when: datetime | None = None) -> Row:
        """Give a user, group or service principal an app role of a resource."""
        principal = self.find(principal_id) or {"displayName": None, "@odata.type": "#microsoft.graph.user"}
        kind = {"#microsoft.graph.user": "User", "#microsoft.graph.group": "Group"}.get(principal["@odata.type"], "ServicePrincipal")
        row = {
            "id": uuid.uuid4().hex,
            "deletedDateTime": None,
            "appRoleId": role_id,
            "createdDateTime": stamp(when or datetime.now(UTC)),
            "principalDisplayName": principal["displayName"],
            "principalId": principal_id,
            "principalType": kind,
            "resourceDisplayName": self.service_principals[resource_id]["displayName"],
            "resourceId": resource_id,
        }
        self.assignments.setdefault(principal_id, {})[row["id"]] = row
        self._by_resource = None
        if when is None:
            self.record(audit.app_role(datetime.now(UTC), principal, self.service_principals[resource_id], row))
        return row

    def unassign(self, assignment_id: str) -> None:
        """Delete an app role assignment. Raises ``KeyError`` when it is not there."""
        for rows in self.assignments.values():
            if assignment_id in rows:
                row = rows.pop(assignment_id)
                self._by_resource = None
                principal = self.find(row["principalId"]) or {"displayName": None, "id": row["principalId"]}
                self.record(audit.app_role(datetime.now(UTC), principal, self.service_principals[row["resourceId"]], row, deed="Remove"))
                return
        raise KeyError(assignment_id)

    def add_app(self, row: Row) -> Row:
        """Add a service principal."""
        self.service_principals[row["id"]] = row
        self.touch("servicePrincipals", row["id"])
        self.record(audit.simple("Add service principal", datetime.now(UTC), row))
        return row

    def update_app(self, service_principal_id: str, **properties: Any) -> None:
        """Change properties of a service principal. Raises ``KeyError`` when it is not there."""
        self.service_principals[service_principal_id].update(properties)
        self.touch("servicePrincipals", service_principal_id)
        self.record(audit.simple("Update service principal", datetime.now(UTC), self.service_principals[service_principal_id]))

    def delete_app(self, service_principal_id: str) -> None:
        """Soft-delete a service principal with its grants and assignments. Raises ``KeyError`` when it is not there."""
        row = self.service_principals.pop(service_principal_id)
        self.deleted[service_principal_id] = row
        self.assignments.pop(service_principal_id, None)
        self._by_resource = None
        for grant in [grant for grant in self.grants.values() if grant.client_id == service_principal_id]:
            del self.grants[grant.id]
            self.touch("oauth2PermissionGrants", grant.id, present=False)
        self.touch("servicePrincipals", service_principal_id, present=False)
        self.record(audit.simple("Remove service principal", datetime.now(UTC), row))

    def add_secret(self, service_principal_id: str, name: str, *, days: int = 180) -> Row:
        """Put a password credential on a service principal. Raises ``KeyError`` when it is not there."""
        now = datetime.now(UTC)
        secret = {
            "customKeyIdentifier": None,
            "displayName": name,
            "endDateTime": stamp(now + timedelta(days=days)),
            "hint": "x9Q",
            "keyId": str(uuid.uuid4()),
            "secretText": None,
            "startDateTime": stamp(now),
        }
        row = self.service_principals[service_principal_id]
        row["passwordCredentials"] = [*row["passwordCredentials"], secret]
        self.touch("servicePrincipals", service_principal_id)
        self.record(audit.simple("Add service principal credentials", now, row))
        return secret

    def remove_credential(self, object_id: str, key_id: str) -> None:
        """Remove a secret or certificate from a service principal or application. Raises ``KeyError`` when it is not there."""
        row = self.service_principals.get(object_id) or self.applications[object_id]
        for kind in ("passwordCredentials", "keyCredentials"):
            kept = [credential for credential in row[kind] if credential["keyId"] != key_id]
            if len(kept) < len(row[kind]):
                row[kind] = kept
                self.touch("servicePrincipals" if object_id in self.service_principals else "applications", object_id)
                return
        raise KeyError(key_id)

    def update_user(self, user_id: str, **properties: Any) -> None:
        """Change a user. Raises ``KeyError`` when he is not there."""
        self.users[user_id] = replace(self.users[user_id], **properties)
        self.touch("users", user_id)

    def delete_user(self, user_id: str) -> None:
        """Delete a user with his assignments; grants go on naming him, as they do for a while at Microsoft. Raises ``KeyError``."""
        del self.users[user_id]
        self.assignments.pop(user_id, None)
        self._by_resource = None
        self.touch("users", user_id, present=False)
