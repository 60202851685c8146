"""A tenant from a seed: people, Microsoft's apps, third-party apps, line of business, grants and assignments."""

from __future__ import annotations

import itertools
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from consentry.simulator import activities, audit, azure, names, policies, stories
from consentry.simulator.directory import NO_ROLE, Directory, Grant, Row, User, stamp
from consentry.simulator.permissions import (
    GRAPH_APP_ROLES,
    GRAPH_SCOPES,
    MICROSOFT_CLIENTS,
    MICROSOFT_TENANT,
    OTHER_RESOURCES,
    phrase,
)
from consentry.simulator.state import GRAPH_APP_ID, Person, Tenant

PASSWORD = "Consentry-demo-1"

_SIGN_IN = ("openid", "profile", "User.Read")
# Sets of delegated scopes as apps ask for them, most harmless and most common first
_PROFILES: tuple[tuple[str, ...], ...] = (
    _SIGN_IN,
    (*_SIGN_IN, "email"),
    (*_SIGN_IN, "offline_access"),
    (*_SIGN_IN, "Calendars.Read", "offline_access"),
    (*_SIGN_IN, "Calendars.ReadWrite", "Contacts.Read", "offline_access"),
    (*_SIGN_IN, "Files.ReadWrite.AppFolder", "offline_access"),
    (*_SIGN_IN, "Files.Read.All", "offline_access"),
    (*_SIGN_IN, "Mail.Read", "offline_access"),
    (*_SIGN_IN, "OnlineMeetings.ReadWrite", "Calendars.ReadWrite", "offline_access"),
    (*_SIGN_IN, "Chat.Read", "Team.ReadBasic.All"),
    (*_SIGN_IN, "Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "offline_access"),
    (*_SIGN_IN, "Files.ReadWrite.All", "Sites.Read.All", "offline_access"),
    (*_SIGN_IN, "User.Read.All", "Group.Read.All"),
    (*_SIGN_IN, "Directory.Read.All"),
    (*_SIGN_IN, "IMAP.AccessAsUser.All", "SMTP.Send", "offline_access"),
)
_APP_ROLES_ASKED = (
    ("User.Read.All",),
    ("User.Read.All", "Group.Read.All"),
    ("Mail.Read",),
    ("Files.Read.All", "Sites.Read.All"),
    ("Calendars.ReadWrite",),
    ("Directory.Read.All", "AuditLog.Read.All"),
    ("Mail.ReadWrite", "Mail.Send"),
    ("Sites.FullControl.All",),
    ("Application.ReadWrite.All",),
)


def make_tenant(
    *,
    seed: int,
    plugins: int,
    users: int,
    grants: int | None = None,
    assignments: int | None = None,
    tenant_id: str | None = None,
    healthy: bool = False,
) -> Tenant:
    """The same tenant for the same arguments, but for dates, which are relative to now.

    ``plugins`` counts the service principals that are not Microsoft's, ``grants`` the delegated grants and
    ``assignments`` the application permissions, of which there are at least as many as the tenant's stories need. A ``healthy`` tenant
    has no stories of attacks.
    """
    wanted = grants if grants is not None else plugins * 8 + users // 2
    return _Builder(seed, tenant_id).build(plugins, users, wanted, assignments or 0, healthy=healthy)


class _Builder:
    def __init__(self, seed: int, tenant_id: str | None) -> None:
        self.rng = random.Random(seed)
        self.now = datetime.now(UTC)
        self.tenant_id = tenant_id or self.new_id()
        self.directory = Directory()
        self.domain = f"{self.rng.choice(('northfold', 'brightwater', 'hollowmere', 'stonebridge'))}.example"
        self.roles: dict[str, str] = {}
        self.blueprint: Row | None = None

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def days_ago(self, low: float, high: float) -> datetime:
        return self.now - timedelta(days=self.rng.uniform(low, high))

    def build(self, plugins: int, users: int, grants: int, assignments: int, *, healthy: bool) -> Tenant:
        name = self.domain.split(".")[0].capitalize()
        directory = self.directory
        directory.organization = policies.organization(self.tenant_id, name, self.domain)
        directory.skus = policies.skus(self.tenant_id)
        people = self.add_users(users)
        self.add_microsoft()
        others = self.add_plugins(plugins)
        directory.policies = policies.policies()
        directory.subscriptions = azure.subscriptions(self.tenant_id)
        self.add_application_permissions(others)
        self.add_groups_and_roles(others)
        made = stories.add_stories(self, others) if plugins >= 40 and not healthy else 0
        self.add_grants(others, grants - made)
        self.add_assignments(others, assignments)
        activities.of_apps(self)
        self.add_audits()
        activities.of_credentials(self)
        return Tenant(self.tenant_id, name, [self.domain, f"{name.lower()}.onmicrosoft.example"], people, directory)

    def add_users(self, count: int) -> list[Person]:
        people = []
        for number in range(count):
            first, last = names.person(self.rng)
            local = {0: "admin", 1: "user"}.get(number, f"{first}.{last}{number}".lower())
            guest = number > 1 and self.rng.random() < 0.04
            upn = f"{local}_partner.example#EXT#@{self.domain}" if guest else f"{local}@{self.domain}"
            department = self.rng.choice(names.DEPARTMENTS)
            user = User(
                self.new_id(),
                f"{first} {last}",
                upn,
                department,
                self.rng.choice(names.TITLES),
                "Guest" if guest else "Member",
                self.rng.random() > 0.03,
            )
            self.directory.users[user.id] = user
            if number < 2:
                people.append(Person(user.id, upn, user.name, PASSWORD, number == 0, self.tenant_id))
        return people

    def service_principal(self, name: str, **properties: Any) -> Row:
        """A service principal with Graph's defaults, put into the directory."""
        created = properties.pop("created", None) or self.days_ago(20, 1500)
        app_id = properties.pop("appId", None) or self.new_id()
        row: Row = {
            "id": self.new_id(),
            "deletedDateTime": None,
            "accountEnabled": True,
            "alternativeNames": [],
            "appDescription": None,
            "appDisplayName": name,
            "appId": app_id,
            "appOwnerOrganizationId": self.new_id(),
            "appRoleAssignmentRequired": False,
            "applicationTemplateId": None,
            "createdDateTime": stamp(created),
            "description": None,
            "disabledByMicrosoftStatus": None,
            "displayName": name,
            "homepage": None,
            "isDisabled": None,
            "loginUrl": None,
            "logoutUrl": None,
            "notes": None,
            "notificationEmailAddresses": [],
            "preferredSingleSignOnMode": None,
            "replyUrls": [],
            "servicePrincipalNames": [app_id],
            "servicePrincipalType": "Application",
            "signInAudience": "AzureADMultipleOrgs",
            "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
            "tokenEncryptionKeyId": None,
            "info": {"logoUrl": None, "marketingUrl": None, "privacyStatementUrl": None, "supportUrl": None, "termsOfServiceUrl": None},
            "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
            "appRoles": [],
            "oauth2PermissionScopes": [],
            "keyCredentials": [],
            "passwordCredentials": [],
            "resourceSpecificApplicationPermissions": [],
        }
        row.update(properties)
        self.directory.service_principals[row["id"]] = row
        return row

    def add_microsoft(self) -> None:
        def microsoft(app_id: str, name: str, **more: Any) -> Row:
            return self.service_principal(
                name,
                appId=app_id,
                appOwnerOrganizationId=MICROSOFT_TENANT,
                created=self.days_ago(1500, 2500),
                tags=[],
                publisherName="Microsoft Services",
                **more,
            )

        def role(value: str, role_id: str) -> Row:
            return {
                "allowedMemberTypes": ["Application"],
                "description": f"Allows the app to: {phrase(value).lower()}, without a signed-in user.",
                "displayName": phrase(value),
                "id": role_id,
                "isEnabled": True,
                "origin": "Application",
                "value": value,
            }

        def scope(value: str, scope_id: str, kind: str) -> Row:
            return {
                "adminConsentDescription": f"Allows the app to: {phrase(value).lower()}, on behalf of the signed-in user.",
                "adminConsentDisplayName": phrase(value),
                "id": scope_id,
                "isEnabled": True,
                "type": kind,
                "userConsentDescription": f"Allows the app to: {phrase(value).lower()}, on your behalf.",
                "userConsentDisplayName": phrase(value),
                "value": value,
            }

        graph = microsoft(
            GRAPH_APP_ID,
            "Microsoft Graph",
            appRoles=[role(value, role_id) for value, role_id in GRAPH_APP_ROLES],
            oauth2PermissionScopes=[scope(*row) for row in GRAPH_SCOPES],
        )
        self.graph, self.roles = graph, dict(GRAPH_APP_ROLES)
        self.resources = [graph]
        for app_id, name, roles, scopes in OTHER_RESOURCES:
            row = microsoft(
                app_id,
                name,
                appRoles=[role(value, str(uuid.uuid5(uuid.UUID(app_id), f"role {value}"))) for value in roles],
                oauth2PermissionScopes=[scope(value, str(uuid.uuid5(uuid.UUID(app_id), f"scope {value}")), "Admin") for value in scopes],
            )
            self.resources.append(row)
        for app_id, name in MICROSOFT_CLIENTS:
            microsoft(app_id, name)

    def add_plugins(self, count: int) -> list[Row]:
        third_party = []
        for number in range(count):
            draw = self.rng.random()
            if draw < 0.14:
                self.own_app(number)
            elif draw < 0.22:
                self.managed_identity(number)
            elif draw < 0.24:
                self.agent_identity(number)
            else:
                third_party.append(self.third_party(number))
        return third_party

    def third_party(self, number: int) -> Row:
        name, publisher, domain = names.app(self.rng)
        verified = self.rng.random() < 0.55
        gallery = self.rng.random() < 0.2
        row = self.service_principal(
            name,
            publisherName=publisher,
            homepage=f"https://www.{domain}",
            replyUrls=[f"https://app.{domain}/auth/callback"] + (["http://localhost"] if self.rng.random() < 0.1 else []),
            created=self.days_ago(0.2, 12) if number % 31 == 0 else None,
        )
        row["info"] |= {"privacyStatementUrl": f"https://www.{domain}/privacy", "termsOfServiceUrl": f"https://www.{domain}/terms"}
        if verified:
            row["verifiedPublisher"] = {
                "displayName": publisher,
                "verifiedPublisherId": str(10_000_000 + number),
                "addedDateTime": stamp(self.days_ago(100, 900)),
            }
        if gallery:
            row |= {"applicationTemplateId": self.new_id(), "preferredSingleSignOnMode": "saml", "appRoleAssignmentRequired": True}
            row["tags"] = [*row["tags"], "WindowsAzureActiveDirectoryGalleryApplicationNonPrimaryV1"]
            row["keyCredentials"] = [self.certificate("CN=Microsoft Azure Federated SSO Certificate", usage="Sign")]
        if number % 47 == 0:
            row["appOwnerOrganizationId"] = None
        row["accountEnabled"] = self.rng.random() > 0.03
        if self.rng.random() < 0.15:
            self.directory.owners[row["id"]] = [self.rng.choice(self.user_ids())]
        return row

    def own_app(self, number: int) -> None:
        name = f"{names.internal_app(self.rng)} {number}"
        row = self.service_principal(
            name,
            appOwnerOrganizationId=self.tenant_id,
            signInAudience="AzureADMyOrg",
            replyUrls=[f"https://{name.split()[0].lower()}.{self.domain}/signin-oidc"],
            publisherName=self.domain.split(".")[0].capitalize(),
        )
        application = {
            "id": self.new_id(),
            "deletedDateTime": None,
            "appId": row["appId"],
            "displayName": name,
            "createdDateTime": row["createdDateTime"],
            "publisherDomain": self.domain,
            "signInAudience": "AzureADMyOrg",
            "identifierUris": [],
            "isDisabled": None,
            "verifiedPublisher": row["verifiedPublisher"],
            "passwordCredentials": [self.secret() for _ in range(self.rng.randint(0, 2))],
            "keyCredentials": [self.certificate(f"CN={name}")] if self.rng.random() < 0.3 else [],
            "requiredResourceAccess": [],
            "tags": [],
            "web": {"redirectUris": row["replyUrls"], "homePageUrl": None, "logoutUrl": None},
        }
        self.directory.applications[application["id"]] = application
        self.directory.owners[application["id"]] = self.rng.sample(self.user_ids(), k=24 if number % 60 == 7 else self.rng.randint(0, 3))
        self.directory.owners[row["id"]] = self.directory.owners[application["id"]][:1]
        if self.rng.random() < 0.1:
            self.directory.federated[application["id"]] = [
                {
                    "id": self.new_id(),
                    "name": "pipeline",
                    "issuer": "https://token.ci.example",
                    "subject": "repo:main",
                    "audiences": ["api://AzureADTokenExchange"],
                    "description": None,
                }
            ]
        if self.rng.random() < 0.4:
            for value in self.rng.choice(_APP_ROLES_ASKED[:6]):
                self.assign(row, self.graph, self.roles[value])

    def managed_identity(self, number: int) -> None:
        row = self.service_principal(
            f"vm-{self.rng.choice(('build', 'web', 'data'))}-{number}",
            appOwnerOrganizationId=None,
            servicePrincipalType="ManagedIdentity",
            tags=[],
        )
        row["alternativeNames"] = [
            "isExplicit=False",
            f"/subscriptions/{self.new_id()}/resourcegroups/rg/providers/Microsoft.Compute/virtualMachines/{number}",
        ]
        row["keyCredentials"] = [self.certificate("CN=managed")]
        if self.rng.random() < 0.3:
            self.assign(row, self.graph, self.roles["User.Read.All"])

    def agent_identity(self, number: int) -> None:
        if self.blueprint is None or number % 5 == 0:
            self.blueprint = self.agent_blueprint(number)
            return
        row = self.service_principal(
            f"Agent {names.internal_app(self.rng)} {number}", appOwnerOrganizationId=self.tenant_id, servicePrincipalType="ServiceIdentity"
        )
        row |= {"@odata.type": "#microsoft.graph.agentIdentity", "agentIdentityBlueprintId": self.blueprint["appId"]}
        self.directory.blueprints[row["id"]] = self.blueprint["id"]

    def agent_blueprint(self, number: int) -> Row:
        """The principal that agents inherit from."""
        row = self.service_principal(f"Agent blueprint {number}", appOwnerOrganizationId=self.tenant_id)
        row["@odata.type"] = "#microsoft.graph.agentIdentityBlueprintPrincipal"
        self.assign(row, self.graph, self.roles["Sites.Read.All"])
        return row

    def secret(self, *, days: int | None = None) -> Row:
        starts = self.days_ago(10, 500)
        return {
            "customKeyIdentifier": None,
            "displayName": self.rng.choice(("prod", "key", "rotated", None)),
            "endDateTime": stamp(starts + timedelta(days=days or self.rng.choice((90, 180, 365, 730)))),
            "hint": "Ab1",
            "keyId": self.new_id(),
            "secretText": None,
            "startDateTime": stamp(starts),
        }

    def certificate(self, name: str, usage: str = "Verify") -> Row:
        starts = self.days_ago(10, 300)
        return {
            "customKeyIdentifier": "MTIzNDU2Nzg5MA==",
            "displayName": name,
            "endDateTime": stamp(starts + timedelta(days=365)),
            "key": None,
            "keyId": self.new_id(),
            "startDateTime": stamp(starts),
            "type": "AsymmetricX509Cert",
            "usage": usage,
        }

    def user_ids(self) -> list[str]:
        if not hasattr(self, "_user_ids"):
            self._user_ids = list(self.directory.users)
        return self._user_ids

    def assign(self, principal: Row, resource: Row, role_id: str, kind: str = "ServicePrincipal") -> None:
        row = {
            "id": f"{self.rng.getrandbits(200):050x}",
            "deletedDateTime": None,
            "appRoleId": role_id,
            "createdDateTime": stamp(self.days_ago(1, 900)),
            "principalDisplayName": principal["displayName"],
            "principalId": principal["id"],
            "principalType": kind,
            "resourceDisplayName": resource["displayName"],
            "resourceId": resource["id"],
        }
        self.directory.assignments.setdefault(principal["id"], {})[row["id"]] = row

    def add_application_permissions(self, others: list[Row]) -> None:
        for row in others:
            if self.rng.random() < 0.25:
                for value in self.rng.choice(_APP_ROLES_ASKED):
                    self.assign(row, self.graph, self.roles[value])
        for row in others[: max(1, len(others) // 100)]:  # more than one $expand shows
            held = {assignment["appRoleId"] for assignment in self.directory.assignments.get(row["id"], {}).values()}
            for role_id in [role_id for role_id in self.roles.values() if role_id not in held][: 21 + self.rng.randint(0, 10)]:
                self.assign(row, self.graph, role_id)
        exchange = self.resources[1]
        if len(others) > 5:
            self.assign(others[3], exchange, exchange["appRoles"][0]["id"])

    def add_assignments(self, others: list[Row], wanted: int) -> None:
        roles = list(self.roles.values())
        held = sum(len(self.directory.assignments.get(row["id"], {})) for row in others)
        for row in itertools.cycle(others):
            if held >= wanted:
                return
            have = {assignment["appRoleId"] for assignment in self.directory.assignments.get(row["id"], {}).values()}
            for role_id in self.rng.sample(roles, k=min(self.rng.randint(1, 8), wanted - held)):
                if role_id not in have:
                    self.assign(row, self.graph, role_id)
                    held += 1

    def add_groups_and_roles(self, others: list[Row]) -> None:
        for department in names.DEPARTMENTS:
            group: Row = {
                "id": self.new_id(),
                "displayName": department,
                "mail": None,
                "securityEnabled": True,
                "groupTypes": [],
                "description": None,
            }
            self.directory.groups[group["id"]] = group
            for row in self.rng.sample(others, k=min(3, len(others))):
                self.assign(group, row, NO_ROLE, "Group")
        for row in others:
            if row["appRoleAssignmentRequired"]:
                for user_id in self.rng.sample(self.user_ids(), k=min(len(self.user_ids()), self.rng.randint(1, 30))):
                    self.assign({"id": user_id, "displayName": self.directory.users[user_id].name}, row, NO_ROLE, "User")
        people = self.user_ids()
        holders = {policies.GLOBAL_ADMINISTRATOR: people[:1], policies.EXCHANGE_ADMINISTRATOR: people[6:7], policies.DIRECTORY_READERS: []}
        reader = next((row["id"] for row in others if row["servicePrincipalType"] == "ManagedIdentity"), None)
        holders[policies.DIRECTORY_READERS] += [reader] if reader else []
        self.directory.directory_roles, self.directory.role_definitions, self.directory.role_assignments = policies.roles(holders)
        if reader:  # as a deployment's identity has
            scope = f"{self.directory.subscriptions[0]['id']}/resourceGroups/web"
            azure.assignment(self.directory, reader, azure.CONTRIBUTOR, scope)

    def add_grants(self, others: list[Row], count: int) -> None:
        """A long tail: the most popular apps reach everybody, most have a handful of users."""
        if not others:
            return
        grants, users = self.directory.grants, self.user_ids()
        weights = [1 / (rank + 1) ** 1.05 for rank in range(len(others))]
        total = sum(weights)
        made = 0
        for rank, row in enumerate(others):
            scopes = self.rng.choices(_PROFILES, weights=[len(_PROFILES) - index for index in range(len(_PROFILES))])[0]
            if rank % 9 == 4 and made < count:
                self.new_grant(row, " ".join(scopes), None)
                made += 1
            wanted = min(len(users), max(1, round(count * weights[rank] / total)), count - made)
            for user_id in self.rng.sample(users, k=max(0, wanted)):
                kept = scopes if self.rng.random() < 0.8 else scopes[: self.rng.randint(3, len(scopes))]
                self.new_grant(row, (" " if made % 5 == 0 else "") + " ".join(kept), user_id)
                made += 1
        popular = [row for row in others[:200]]
        taken = {(grant.client_id, grant.principal_id) for grant in grants.values()}
        for row in popular:
            for user_id in users:
                if made >= count:
                    break
                if (row["id"], user_id) not in taken:
                    self.new_grant(row, "openid profile User.Read", user_id)
                    made += 1
        for row in others[5:8]:  # a grant goes on naming a principal that is gone
            self.new_grant(row, "User.Read", self.new_id())

    def new_grant(self, row: Row, scope: str, user_id: str | None, resource: Row | None = None) -> Grant:
        grant = Grant(
            f"{self.rng.getrandbits(258):043x}"[:43],
            row["id"],
            "Principal" if user_id else "AllPrincipals",
            user_id,
            (resource or self.graph)["id"],
            scope,
        )
        self.directory.grants[grant.id] = grant
        return grant

    def add_audits(self) -> None:
        events = []
        for number, grant in enumerate(self.directory.grants.values()):
            if number % 40 and number > 50:
                continue
            user = self.directory.users.get(grant.principal_id or self.user_ids()[0])
            when = self.days_ago(0.1, 29)
            client = self.directory.service_principals[grant.client_id]
            if str(client.get("createdDateTime") or "") > stamp(when):
                continue  # nobody consents to an app before it is there; the stories have events of their own
            events.append((when, audit.consent(when, client, grant, user)))
            events.append((when, audit.delegated_grant("Add", when, client, self.graph, grant, None, grant.scope, user)))
        for application in list(self.directory.applications.values())[:5]:
            when = self.days_ago(1, 25)
            events.append((when, audit.simple(audit.CREDENTIALS_OF_APP, when, application, self.directory.users[self.user_ids()[0]])))
        events.sort(key=lambda pair: pair[0], reverse=True)
        self.directory.audits = [event for _, event in events] + self.directory.audits
        self.directory.audits.sort(key=lambda event: str(event["activityDateTime"]), reverse=True)
