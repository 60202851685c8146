"""What happened in this tenant: what attackers did, the names that they wrote, and what people wait for."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from consentry.simulator import audit, azure

if TYPE_CHECKING:  # tenant.py calls this module
    from consentry.simulator.tenant import _Builder

ROGUE_MAIL_COPIER = "ff8d92dc-3d82-41d6-bcbd-b9174d163620"  # PerfectData; huntresslabs/rogueapps


def add_stories(build: _Builder, others: list[dict[str, Any]]) -> int:
    """Add each story to the tenant and return how many delegated grants that made."""
    before = len(build.directory.grants)
    _consent_phishing_burst(build)
    _rogue_mail_client(build)
    _credential_on_dormant_app(build, others)
    _impersonation(build)
    _hostile_names(build)
    _waiting_requests(build)
    _contributor_in_azure(build, others)
    return len(build.directory.grants) - before


def _consent_phishing_burst(build: _Builder) -> None:
    start = build.now - timedelta(days=2)
    app = build.service_principal(
        "Document Share Viewer", created=start, replyUrls=["https://docs-share-viewer.surge.sh/cb"], publisherName=None
    )
    scope = "openid profile offline_access User.Read Mail.Read Files.Read.All"
    users = build.user_ids()
    for number, user_id in enumerate(build.rng.sample(users, k=min(30, len(users)))):
        when = start + timedelta(minutes=4 * number)
        grant = build.new_grant(app, scope, user_id)
        build.directory.record(audit.consent(when, app, grant, build.directory.users[user_id]))


def _rogue_mail_client(build: _Builder) -> None:
    app = build.service_principal(
        "PERFECTDATA SOFTWARE", appId=ROGUE_MAIL_COPIER, created=build.now - timedelta(days=9), replyUrls=["http://localhost:7823/access/"]
    )
    exchange = build.resources[1]
    build.new_grant(app, "EWS.AccessAsUser.All", build.user_ids()[2], exchange)
    build.new_grant(app, "openid offline_access User.Read", build.user_ids()[2])


def _credential_on_dormant_app(build: _Builder, others: list[dict[str, Any]]) -> None:
    app = others[len(others) // 2]
    app["createdDateTime"] = (build.now - timedelta(days=1400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for value in ("Mail.ReadWrite", "Files.ReadWrite.All", "Application.ReadWrite.All"):
        build.assign(app, build.graph, build.roles[value])
    secret = build.secret(days=730)
    secret["startDateTime"] = (build.now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    app["passwordCredentials"] = [secret]
    build.directory.record(audit.simple("Add service principal credentials", build.now - timedelta(days=1), app))


def _impersonation(build: _Builder) -> None:
    app = build.service_principal(
        "Micr\u043esoft Outl\u043eok Sync", created=build.now - timedelta(days=5), replyUrls=["https://outlook-sync.github.io/login"]
    )
    for user_id in build.user_ids()[5:9]:
        build.new_grant(app, "openid profile offline_access Mail.ReadWrite Mail.Send MailboxSettings.ReadWrite", user_id)


def _hostile_names(build: _Builder) -> None:
    for name in (
        "<script>alert(1)</script><b>Notes</b>",
        '=HYPERLINK("https://evil.example","Open")',
        "Invoice\u202egnp.exe",
        "Very long name " * 12,
        "Team 🎉 Party Planner",
    ):
        app = build.service_principal(name, publisherName="Publisher & <Sons>")
        build.new_grant(app, "User.Read", build.user_ids()[3])


def _contributor_in_azure(build: _Builder, others: list[dict[str, Any]]) -> None:
    """A third party's app may make machines in a subscription, as those who mine coins wish for."""
    app = others[len(others) // 3]
    azure.assignment(build.directory, app["id"], azure.CONTRIBUTOR, build.directory.subscriptions[0]["id"])


def _waiting_requests(build: _Builder) -> None:
    """People asked an administrator for two apps; a third was answered long ago."""
    for number, (name, scopes, states) in enumerate(
        (
            ("Diagram Studio", ["Files.Read", "User.Read"], ["InProgress", "InProgress"]),
            ("Inbox <b>Zero</b> Helper", ["Mail.ReadWrite", "offline_access"], ["InProgress"]),
            ("Old Survey Tool", ["User.Read"], ["Completed"]),
        )
    ):
        people = [build.directory.users[one] for one in build.user_ids()[10:]]
        asked = [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {place}")),
                "createdDateTime": (build.now - timedelta(days=1 + number, hours=place)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "status": state,
                "reason": "I need it for the project." if place == 0 else "",
                "createdBy": {"user": {"id": person.id, "displayName": person.name}},
            }
            for place, (state, person) in enumerate(zip(states, people, strict=False))
        ]
        build.directory.consent_requests.append(
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
                "appId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"app {name}")),
                "appDisplayName": name,
                "pendingScopes": [{"displayName": scope} for scope in scopes],
                "userConsentRequests": asked,
            }
        )
