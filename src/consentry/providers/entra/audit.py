"""Events of Microsoft's audit log, with the traps of real ones (reference, section 7). Pure."""

from __future__ import annotations

import json
import re

from consentry.providers.entra import structs
from consentry.providers.entra.values import document, guid, stamp

Row = tuple[str | None, ...]
CONSENT = "consent to application"
_RESOURCE_FIRST = (
    "delegated permission grant",
    "oauth2permissiongrant",
    "app role assignment to service principal",
    "app role assignment from service principal",
)
_GRANT = re.compile(r"\[(Id: [^\[\]]*)\]")
_PART = re.compile(r"(\w+): (.*?)(?=, \w+: |, LastModifiedDateTime|$)")


def normalise(activity: str) -> str:
    """An activity's name for matching: case, dashes, spaces and a trailing full stop differ between sources."""
    return re.sub(r"[\u2010-\u2015\u2212]", "-", activity).strip().rstrip(".").strip().casefold()


def audit_event(row: structs.AuditEvent) -> Row | None:
    """A row of ``event``; None without a date.

    New values are JSON inside a string or plain text, in any order; ``ConsentAction.Permissions`` is neither; where a grant or
    assignment was made the first target is the resource and not the app.
    """
    at = stamp(row.activityDateTime)
    if at is None:
        return None
    name = normalise(row.activityDisplayName or "")
    targets = row.targetResources or []
    new = {change.displayName or "": _unquote(change.newValue) for target in targets for change in target.modifiedProperties or []}
    old = {change.displayName or "": _unquote(change.oldValue) for target in targets for change in target.modifiedProperties or []}
    client, resource = guid(targets[0].id) if targets else None, None
    if any(part in name for part in _RESOURCE_FIRST):
        second = guid(targets[1].id) if len(targets) > 1 else None
        client, resource = guid(new.get("ServicePrincipal.ObjectID")) or guid(old.get("ServicePrincipal.ObjectID")) or second, client
    granted = consented_grants(new.get("ConsentAction.Permissions", ""))
    first = granted[0] if granted else {}
    scope = (
        " ".join(part["scope"] for part in granted if part["scope"])
        or new.get("DelegatedPermissionGrant.Scope")
        or new.get("AppRole.Value")
    )
    consent_type = new.get("DelegatedPermissionGrant.ConsentType") or old.get("DelegatedPermissionGrant.ConsentType")
    admin = {"true": True, "false": False}.get(new.get("ConsentContext.IsAdminConsent", "").lower())
    if admin is None and consent_type:
        admin = consent_type == "AllPrincipals"
    by = row.initiatedBy or structs.InitiatedBy()
    actor = by.user or by.app or structs.Actor()
    facts = {"grants": [part["id"] for part in granted if part["id"]], "role": new.get("AppRole.Id"), "result": row.result}
    return (
        row.id,
        at,
        name,
        client,
        resource or guid(first.get("resource")),
        guid(first.get("principal")),
        actor.userPrincipalName or actor.displayName,
        guid(actor.id or actor.servicePrincipalId),
        None if admin is None else "t" if admin else "f",
        " ".join((scope or "").split()) or None,
        document({name: value for name, value in facts.items() if value}),
    )


def consented_grants(text: str) -> list[dict[str, str]]:
    """The grants after ``=>`` in ``ConsentAction.Permissions``: ``[] => [[Id: …, ClientId: …, Scope: User.Read Mail.Read, …]]; ``."""
    found = []
    for body in _GRANT.findall(text.split("=>")[-1]):
        parts = {key: value.strip() for key, value in _PART.findall(body)}
        found.append(
            {
                "id": parts.get("Id", ""),
                "resource": parts.get("ResourceId", ""),
                "principal": parts.get("PrincipalId", ""),
                "scope": parts.get("Scope", ""),
            }
        )
    return found


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
