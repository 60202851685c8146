"""What a permission lets an app do: service, two axes from 0 to 10, a level and one plain sentence. Pure.

Rules read the permission's grammar (subject, verb, reach); a short table of our own judgement stands on top. A permission
that Microsoft invents tomorrow gets a level by rule and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from consentry.risk.permission_words import SENTENCES

EXCHANGE, SHAREPOINT, TEAMS, DIRECTORY = "Exchange Online", "SharePoint and OneDrive", "Teams", "Entra directory"
SIGN_IN, OTHER = "Sign-in", "Other services"
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
AZURE_AD_GRAPH = "00000002-0000-0000-c000-000000000000"  # legacy
_HARMLESS = {"openid": 0.5, "profile": 0.5, "email": 0.5, "offline_access": 1.0, "user.read": 0.5, "user.readbasic.all": 1.5}
# Ways to become a global administrator, by application permission. Our own reading of public attack paths.
_TAKEOVER = re.compile(
    r"^(rolemanagement\.readwrite|approleassignment\.readwrite|application\.(readwrite|readupdate)|directory\.(readwrite|accessasuser)"
    r"|user\.(readwrite\.all|enabledisable|deleterestore)|user-passwordprofile\.readwrite|userauth\S*\.readwrite\.all|group(member)?\.readwrite\.all"
    r"|group-onpremisessync\S*\.readwrite|policy\.readwrite\.(authenticationmethod|conditionalaccess|permissiongrant)|privileged\S*\.readwrite"
    r"|role(assignmentschedule|eligibilityschedule|managementpolicy)\.readwrite|domain\.readwrite|organization\.readwrite|synchronization\.readwrite"
    r"|entitlementmanagement\.readwrite|administrativeunit\.readwrite|delegatedadminrelationship\.readwrite|signinidentifier\.readwrite"
    r"|securityidentitiesactions\.readwrite|devicemanagement(configuration|rbac|scripts)\.readwrite)",
    re.IGNORECASE,
)
# What is nearly as good: the rules of sign-in and consent, trust between tenants, provisioning, and what runs on devices
_NEAR_TAKEOVER = re.compile(
    r"^(policy\.readwrite|identityprovider\.readwrite|trustframeworkkeyset\.readwrite|publickeyinfrastructure\.readwrite|onpremdirectorysync\S*\.readwrite"
    r"|customauthenticationextension\.readwrite|delegatedpermissiongrant\.readwrite|lifecycleworkflows\.readwrite|devicemanagement\S*\.(readwrite|privileged)"
    r"|user\.(manageidentities|revokesessions)|user-onpremises\S*\.readwrite|networkaccess\S*\.readwrite|backuprestore|crosstenant\S*\.readwrite"
    r"|multitenantorganization\.readwrite|customsecattribute\S*\.readwrite|externaluserprofile\.readwrite|accessreview\.readwrite\.all|programcontrol\.readwrite|rolemanagementalert\.readwrite|agentidentity\S*\.(readwrite|create)|agentidentityblueprint"
    r"|(channel|team|chat)member\.readwrite\.all|eduroster\.readwrite|managedtenants\.readwrite|teamsappinstallation\.(manage|readwriteandconsent)\S*(all|team|chat|user))",
    re.IGNORECASE,
)
# How much it hurts when data of this kind is read by a stranger: content and secrets, people and defences, and the rest
_CONTENT = re.compile(
    r"^(mail$|mail\.|mailboxsettings\.readwrite|mailboxitem|mailboxfolder|files|sites|chat|channelmessage|notes|shortnotes|allsites|myfiles|allprofiles|ews|imap|pop\b|full_access|exchange\.manage"
    r"|onlinemeeting(transcript|recording|artifact|aiinsight)|callrecord|calls\.|bitlockerkey|devicelocalcredential|eas\b|ediscovery|aienterprise|copilot"
    r"|list(s|items)\.|filestorage|group-conversation|externalitem|backuprestore|securityanalyzedmessage|user\.export|records|userauthenticationmethod|activityfeed\.readdlp"
    r"|dataset|content|dataflow|report\.|item\.|dashboard|tenant\.read|user_impersonation)",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"^(calendar|contact|mailboxsettings|smtp|mail-|tasks|people|onlinemeeting|user|member|profile|group|directory|auditlog|security|threat|identityrisk|riskprev"
    r"|activityfeed|report|devicemanagement|device\.|dataset|team|channel|application|approle|rolemanagement|role|privileged|policy|bookings|virtual|orgcontact|accessreview"
    r"|entitlement|customsec|attacksimulation|subjectrights|informationprotection|cloudpc|customdetection|edu|place|insights|licenseassignment"
    r"|presence|delegated|onpremis|agreement|approval|externaluser|pendingexternal|service(activity|principal)|consentrequest|synchronization|partner)",
    re.IGNORECASE,
)
# What belongs to nobody in particular: whoever may read or change it does so for the whole organisation, without an "All"
_SETTINGS = re.compile(r"^(policy|role|privileged|accessreview|identityprovider|directory|member\.read\.hidden)", re.IGNORECASE)
_LEGACY = re.compile(r"^(ews|full_access_as_app|imap|pop\b|smtp|eas\b)", re.IGNORECASE)
_NARROW = re.compile(r"selected|appfolder|ownedby|readbasic|createdbyapp|\.shared\.?basic|summary|-anon", re.IGNORECASE)
# Given by the owners of one team, chat or meeting for that alone: learn.microsoft.com/microsoftteams/platform/graph-api/rsc/resource-specific-consent
_ONE_BY_ONE = re.compile(r"\.(chat|group|team|user)$", re.IGNORECASE)
_WRITES = re.compile(
    r"write|manage|fullcontrol|full_access|send|accessas|update|create|delete|upload|invite|enable|revoke|import|restore|control"
    r"|operations|command|submit|migrate|convert",
    re.IGNORECASE,
)
_ANYWHERE = {"", "user_impersonation", "access_as_user", "openid", "profile", "email", "offline_access"}  # mean the same everywhere
_EVERYTHING = {"full_access_as_app", "sites.fullcontrol.all", "exchange.manageasapp", "tenant.readwrite.all"}
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


LEVELS = ("none", "low", "medium", "high", "critical")  # from the lowest


@dataclass(frozen=True, slots=True)
class Judged:
    """One permission as the catalogue sees it. Axes run from 0 to 10."""

    service: str
    takeover: float
    data: float
    level: str
    sentence: str
    inferred: bool  # by rule, not by our own table
    legacy: bool = False  # an old mail protocol: EWS, IMAP, POP, SMTP, EAS
    changes: bool = False  # more than reading


def judge(value: str, *, kind: str, resource_app_id: str = GRAPH) -> Judged:
    """Judge a permission by its value. ``kind`` is ``delegated`` or ``application``."""
    name, resource = value.lower(), resource_app_id.lower()
    application = kind == "application"
    service = _service(name, resource)
    if name in _HARMLESS:
        where = service if name == "user.readbasic.all" else SIGN_IN
        return Judged(
            where, 0.0, _HARMLESS[name] + application, "low", _sentence(value, application, resource), _written(name, resource) is None
        )
    changes = _changes(name)
    takeover = _takeover(name, application) if resource in {GRAPH, AZURE_AD_GRAPH, ""} else 0.0
    data = _data(name, application, changes)
    level = level_of(max(takeover, data))
    return Judged(
        service,
        takeover,
        data,
        level,
        _sentence(value, application, resource),
        _written(name, resource) is None,
        bool(_LEGACY.match(name)),
        changes,
    )


def _service(name: str, resource: str) -> str:
    if resource in _RESOURCES:
        return _RESOURCES[resource]
    if resource not in {GRAPH, ""}:
        return OTHER
    return next((label for pattern, label in _SERVICES if re.match(pattern, name)), DIRECTORY)


def _changes(name: str) -> bool:
    """Whether it does more than read, by the verb: what stands before the first dot is a thing, such as RoleManagement."""
    return bool(_WRITES.search(name.partition(".")[2] or name))


def _takeover(name: str, application: bool) -> float:
    if _TAKEOVER.match(name):
        return 10.0 if application else 8.5
    if _NEAR_TAKEOVER.match(name) and (_changes(name) or "privileged" in name):
        return 7.5
    return 0.0


def _data(name: str, application: bool, changes: bool) -> float:
    """The axis of data: what kind, read or changed, and whose: the whole organisation's, what a person reaches, or the person's own."""
    if name in _EVERYTHING:
        return 10.0 if application else 8.5
    parts = name.split(".")
    wide = "all" in parts or parts[0] == "allsites" or bool(_SETTINGS.match(name)) or (application and changes)
    data = 7.5 if _CONTENT.match(name) else 4.6 if _PERSONAL.match(name) else 4.4 if wide else 2.5
    data += 0.0 if not changes else 1.5 if data > 4 else 0.6
    if not application and not wide:
        data *= 0.75 if "shared" in parts else 0.55
    elif not application and data >= 7.5:
        data *= 0.8
    if _ONE_BY_ONE.search(name):
        data = min(data - 2.0, 3.4)
    elif _NARROW.search(name):
        data = min(data - 2.0, 4.5)
    return round(max(1.0, min(10.0, data)), 1)


def level_of(score: float) -> str:
    """The level of a number from 0 to 10."""
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low" if score > 0 else "none"


def _written(name: str, resource: str) -> str | tuple[str, str] | None:
    """Our own words for a permission. Another resource may mean something else by the same name."""
    ours = resource in {GRAPH, "", *_RESOURCES} or name in _ANYWHERE
    return SENTENCES.get(name) if ours else None


def _sentence(value: str, application: bool, resource: str) -> str:
    if words := _written(value.lower(), resource):
        return words if isinstance(words, str) else words[application]
    parts = value.split(".")
    subject = _OBJECTS.get(parts[0].lower()) or _plural(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[_-]+", " ", parts[0])).lower())
    verb = next((word for part in parts[1:] for key, word in _VERBS.items() if part.lower().startswith(key)), "Use")
    if application:
        return f"{verb} {subject} of the whole organisation, by itself, without anybody signed in."
    reach = "that the person can reach" if "All" in parts or "Shared" in parts else "of the person"
    return f"{verb} {subject} {reach}, acting as that person."


def _plural(subject: str) -> str:
    if subject.endswith(("s", "data", "information", "mail", "access", "management")) or not subject:
        return subject or "it"
    return f"{subject[:-1]}ies" if subject.endswith("y") and subject[-2:-1] not in "aeiou" else f"{subject}s"


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
