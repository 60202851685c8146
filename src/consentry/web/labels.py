"""Words and signs for states that the rooms below store as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from consentry.connect.models import CapabilityState

COLLECTIONS: dict[str, str] = {
    "service_principals": "Plugins",
    "applications": "App registrations",
    "delegated_grants": "Delegated permissions",
    "app_role_assignments": "Application permissions",
    "assigned_people": "Assigned people and groups",
    "federated_credentials": "Federated credentials",
    "inherited_permissions": "Inherited permissions",
    "permissions": "Permission definitions",
    "principals": "People and groups",
    "owners": "Owners",
    "credentials": "Secrets and certificates",
    "organisation": "Organisation",
    "sign_in_activity": "Last use",
    "audit_events": "Consent events",
    "risky_service_principals": "Microsoft's risk detections",
    "policies": "Consent policies",
    "licences": "Licences",
    "consent_requests": "Consent requests",
    "azure_roles": "Roles in Azure",
    "publisher_tenants": "Publishers' tenants",
    "changed_people": "Changes of people",
    "credential_activity": "Last use of keys",
}
COUNTS: dict[str, str] = {
    "plugins": "Plugins",
    "delegated_grants": "Delegated permissions",
    "application_permissions": "Application permissions",
    "principals": "People and groups",
    "owners": "Owners",
    "credentials": "Secrets and certificates",
}
TRIGGERS: dict[str, str] = {
    "schedule": "by schedule",
    "person": "started by a person",
    "command": "started on the command line",
    "connect": "after connecting",
}
_CAPABILITY_SIGNS: dict[str, tuple[str, str]] = {
    CapabilityState.GRANTED: ("good", "circle-check"),
    CapabilityState.MISSING: ("warn", "alert-triangle"),
    CapabilityState.UNLICENSED: ("wait", "license"),
    CapabilityState.UNAVAILABLE: ("wait", "circle-off"),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """A short result with the tone and icon it is shown with."""

    label: str
    tone: str
    icon: str
    text: str = ""


def collection_label(name: str) -> str:
    """A collection's name as people read it."""
    return COLLECTIONS.get(name, name.replace("_", " ").capitalize())


def capability_sign(state: str) -> Sign:
    """Tone and icon of a capability's state."""
    tone, icon = _CAPABILITY_SIGNS.get(state, ("wait", "help-circle"))
    return Sign(CapabilityState(state).label if state in CapabilityState.values else state, tone, icon)


def licence_sign(licence: dict[str, Any]) -> Sign | None:
    """The result of the Microsoft 365 E3 check; None before it was made."""
    if not licence:
        return None
    found = licence.get("m365_e3")
    if found is True:
        return Sign("Microsoft 365 E3", "good", "circle-check", "The tenant has Microsoft 365 E3: everything can be read.")
    if found is False:
        return Sign(
            "No Microsoft 365 E3",
            "warn",
            "alert-triangle",
            "The tenant lacks Microsoft 365 E3. What only works with it is shown as not licensed; the rest works.",
        )
    return Sign(
        "Licence unknown", "wait", "help-circle", "Microsoft did not say which licences the tenant has. It is asked again at the next sync."
    )
