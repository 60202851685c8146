"""What a permission lets an app do: service, two axes from 0 to 10, a level and one plain sentence. Pure.

Rules read the permission's grammar (subject, verb, reach); a short table of our own judgement stands on top. A permission
that Microsoft invents tomorrow gets a level by rule and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXCHANGE, SHAREPOINT, TEAMS, DIRECTORY = "Exchange Online", "SharePoint and OneDrive", "Teams", "Entra directory"
SIGN_IN = "Sign-in"
_SERVICES: tuple[tuple[str, str], ...] = (
    (r"^(mail|calendar|contact|mailbox|ews|imap|pop|smtp|eas|exchange|full_access_as_app|place|bookings|outlook)", EXCHANGE),
    (r"^(file|site|sharepoint|allsites|myfiles|notes|termstore|list|onedrive)", SHAREPOINT),
    (r"^(chat|channel|team|call|onlinemeeting|presence|virtualappointment|shifts|schedule)", TEAMS),
    (r"^(devicemanagement|cloudpc|bitlocker)", "Intune"),
    (r"^(security|threat|identityrisk|auditlog|attacksimulation|activityfeed|servicehealth)", "Security and audit"),
    (r"^(tasks|planner)", "Planner and To Do"),
    (r"^(report|dataset|workspace|tenant\.read|capacity)", "Power BI"),
    (r"^(print)", "Universal Print"),
)
_RESOURCES = {
    "00000002-0000-0ff1-ce00-000000000000": EXCHANGE,
    "00000003-0000-0ff1-ce00-000000000000": SHAREPOINT,
    "c5393580-f805-4401-95e8-94b7a6ef2fc2": "Security and audit",
    "00000009-0000-0000-c000-000000000000": "Power BI",
    "00000007-0000-0000-c000-000000000000": "Dynamics 365",
    "00000002-0000-0000-c000-000000000000": DIRECTORY,
}
GRAPH = "00000003-0000-0000-c000-000000000000"
_HARMLESS = {"openid", "profile", "email", "offline_access", "user.read", "user.readbasic.all", "user_impersonation"}
# Ways to become a global administrator, by application permission. Our own reading of public attack paths.
_TAKEOVER = re.compile(
    r"^(rolemanagement\.readwrite|approleassignment\.readwrite|application\.(readwrite|readupdate)|directory\.readwrite|directory\.accessasuser"
    r"|user\.(readwrite|enabledisable|deleterestore)|user-passwordprofile\.readwrite|userauth\S*\.readwrite|group(member)?\.readwrite"
    r"|group-onpremisessync\S*\.readwrite|policy\.readwrite\.(authenticationmethod|conditionalaccess|permissiongrant)|privileged\S*\.readwrite"
    r"|role(assignmentschedule|eligibilityschedule|managementpolicy)\.readwrite|domain\.readwrite|organization\.readwrite|synchronization\.readwrite"
    r"|entitlementmanagement\.readwrite|administrativeunit\.readwrite|delegatedadminrelationship\.readwrite|signinidentifier\.readwrite"
    r"|securityidentitiesactions\.readwrite|devicemanagement(configuration|rbac|scripts)\.readwrite)",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"^(mail\b|mail\.|files|sites|chat|channelmessage|notes|allsites|myfiles|ews|imap|pop|full_access|exchange\.manage|onlinemeetingtranscript|callrecord|calls\.accessmedia|bitlockerkey|eas)",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"^(calendar|contact|mailboxsettings|smtp|tasks|people|onlinemeeting|user|group|directory|auditlog|security|report|devicemanagement|dataset)",
    re.IGNORECASE,
)
_OBJECTS = {
    "mail": "mail",
    "files": "files",
    "sites": "sites and their documents",
    "allsites": "sites and their documents",
    "myfiles": "files",
    "calendars": "calendars",
    "contacts": "contacts",
    "mailboxsettings": "mailbox settings such as forwarding",
    "chat": "chats",
    "channelmessage": "channel messages",
    "user": "people's profiles",
    "group": "groups",
    "directory": "the directory",
    "application": "app registrations",
    "auditlog": "audit and sign-in logs",
    "notes": "notebooks",
    "tasks": "tasks",
    "onlinemeetings": "online meetings",
}
_SENTENCES = {
    "openid": "Sign people in.",
    "profile": "See a person's name and picture at sign-in.",
    "email": "See a person's mail address at sign-in.",
    "offline_access": "Keep its access while the person is away, also after a password change.",
    "user.read": "Sign a person in and read that person's own profile.",
    "full_access_as_app": "Read, change and send everything in every mailbox.",
    "ews.accessasuser.all": "Read, change and send everything in the person's mailbox over the old Exchange interface.",
    "imap.accessasuser.all": "Read and delete the person's mail over IMAP.",
    "pop.accessasuser.all": "Read and delete the person's mail over POP.",
    "smtp.send": "Send mail as the person over SMTP.",
    "rolemanagement.readwrite.directory": "Give anybody, itself included, any administrator role.",
    "approleassignment.readwrite.all": "Give any app, itself included, any permission.",
    "application.readwrite.all": "Change every app and add keys to it, so act as the most powerful one.",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One permission as the catalogue sees it. Axes run from 0 to 10."""

    service: str
    takeover: float
    data: float
    level: str
    sentence: str
    inferred: bool


def judge(value: str, *, kind: str, resource_app_id: str = GRAPH) -> Judged:
    """Judge a permission by its value. ``kind`` is ``delegated`` or ``application``."""
    name = value.lower()
    application = kind == "application"
    parts = name.split(".")
    service = _RESOURCES.get(resource_app_id.lower()) or next((label for pattern, label in _SERVICES if re.match(pattern, name)), DIRECTORY)
    if name in _HARMLESS:
        data = {"offline_access": 1.0, "user.readbasic.all": 1.5}.get(name, 0.5)
        return Judged(
            SIGN_IN if name not in {"user.readbasic.all", "user_impersonation"} else service,
            0.0,
            data,
            "low",
            _sentence(value, application),
            False,
        )
    writes = bool(re.search(r"write|manage|fullcontrol|full_access|send|accessasuser|update|create|delete", name))
    everywhere = "all" in parts or application
    takeover = (10.0 if application else 6.5) if _TAKEOVER.match(name) else 0.0
    if parts[-1] == "ownedby":
        takeover = min(takeover, 9.0)
    if _CONTENT.match(name):
        data = 7.0 if application else 4.5
        data += 1.0 * writes + (1.0 if everywhere else 0.0)
        if name in {"full_access_as_app", "sites.fullcontrol.all", "exchange.manageasapp"}:
            data = 10.0
        if "selected" in parts or "appfolder" in parts or "readbasic" in name:
            data = 2.5
    elif _PERSONAL.match(name):
        data = (4.0 if application else 3.0) + 1.0 * writes + (1.0 if everywhere and not application else 0.0)
    else:
        data = (3.0 if application else 2.0) + 1.0 * writes
    data = min(10.0, data)
    return Judged(service, takeover, data, level_of(max(takeover, data)), _sentence(value, application), name not in _SENTENCES)


def level_of(score: float) -> str:
    """The level of a number from 0 to 10."""
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low" if score > 0 else "none"


def _sentence(value: str, application: bool) -> str:
    if value.lower() in _SENTENCES:
        return _SENTENCES[value.lower()]
    parts = value.split(".")
    subject = _OBJECTS.get(parts[0].lower(), re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[0].replace("_", " ")).lower())
    verb = next((word for part in parts[1:] for key, word in _VERBS.items() if part.lower().startswith(key)), "Use")
    if application:
        return f"{verb} {subject} of the whole organisation, by itself, without anybody signed in."
    reach = "that the person can reach" if "All" in parts or "Shared" in parts else "of the person"
    return f"{verb} {subject} {reach}, acting as that person."


_VERBS = {
    "readwrite": "Read and change",
    "readbasic": "Read the outline of",
    "read": "Read",
    "send": "Send",
    "fullcontrol": "Do everything with",
    "manage": "Manage",
    "write": "Change",
    "create": "Create",
    "accessasuser": "Use",
}
