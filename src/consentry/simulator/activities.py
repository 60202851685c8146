"""The reports of when apps and their keys were last used (beta), with the odd dates that Microsoft documents.

Sources: learn.microsoft.com/graph/api/reportroot-list-serviceprincipalsigninactivities and -appcredentialsigninactivities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentry.simulator.permissions import MICROSOFT_TENANT

if TYPE_CHECKING:
    from consentry.simulator.tenant import _Builder


def of_apps(build: _Builder) -> None:
    """A record for most apps that are not Microsoft's."""
    for number, row in enumerate(build.directory.service_principals.values()):
        if row["appOwnerOrganizationId"] == MICROSOFT_TENANT or number % 7 == 3:
            continue  # no record at all
        when = build.days_ago(0, 5) if number % 5 else build.days_ago(100, 400)
        seen = when.strftime("%Y-%m-%dT%H:%M:%S") + ("-8:00" if number % 11 == 0 else "Z")
        never = {"lastSignInDateTime": None, "lastSignInRequestId": None}
        last = {"lastSignInDateTime": seen, "lastSignInRequestId": build.new_id()}
        build.directory.activities.append(
            {
                "id": build.new_id(),
                "appId": row["appId"],
                "delegatedClientSignInActivity": last,
                "delegatedResourceSignInActivity": never,
                "applicationAuthenticationClientSignInActivity": never,
                "applicationAuthenticationResourceSignInActivity": never,
                "lastSignInActivity": last,
            }
        )


def of_credentials(build: _Builder) -> None:
    """A record for every other key, of applications and of service principals."""
    principals = build.directory.service_principals
    ids = {row["appId"]: row["id"] for row in principals.values()}
    owners = [("application", row) for row in build.directory.applications.values()]
    owners += [("servicePrincipal", row) for row in principals.values()]
    for origin, owner in owners:
        keys = [("certificate", key) for key in owner["keyCredentials"]] + [("clientSecret", key) for key in owner["passwordCredentials"]]
        for number, (kind, key) in enumerate(keys):
            if number % 2:
                continue
            build.directory.credential_activities.append(
                {
                    "id": build.new_id(),
                    "appId": owner["appId"],
                    "appObjectId": owner["id"] if origin == "application" else None,
                    "servicePrincipalObjectId": ids.get(owner["appId"]),
                    "credentialOrigin": origin,
                    "keyId": key["keyId"],
                    "keyType": kind,
                    "keyUsage": "sign" if key.get("usage") == "Sign" else "verify",
                    "expirationDate" if number else "expirationDateTime": key["endDateTime"],
                    "resourceId": build.graph["id"],
                    "signInActivity": {
                        "lastSignInDateTime": build.days_ago(0, 60).strftime("%Y-%m-%dT%H:%M:%S-8:00"),
                        "lastSignInRequestId": build.new_id(),
                    },
                }
            )
