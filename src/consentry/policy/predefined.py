"""The policies that are there from the first day. Data: the same rules that people build (``policy.conditions``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from consentry.policy.conditions import SERIOUS

_FOREIGN = ["third_party", "unknown"]


@dataclass(frozen=True, slots=True)
class Predefined:
    """``technique`` is the MITRE ATT&CK technique that fits, where one does."""

    key: str
    title: str
    why: str
    severity: str
    rule: list[list[dict[str, Any]]]
    remedy: str
    technique: str = ""


def _is(field: str, *values: str) -> dict[str, Any]:
    return {"field": field, "value": list(values)}


def _not(field: str, *values: str) -> dict[str, Any]:
    return {"field": field, "value": list(values), "not": True}


_RISKY = [_is("risk", *SERIOUS)]
PREDEFINED = (
    Predefined(
        "rogue_app",
        "A known rogue app is in the tenant",
        "Its app id is one that attackers have used against other organisations.",
        "critical",
        [[_is("grave_signal", "rogue_app")]],
        "Find out who uses it and why, remove it, and look at what those mailboxes did since.",
        technique="T1528 Steal Application Access Token",
    ),
    Predefined(
        "impersonation",
        "An app imitates another name",
        "Its name is written to be taken for Microsoft's, a well-known brand's or your own.",
        "critical",
        [[_is("grave_signal", "impersonation")]],
        "Treat it as phishing: remove it and tell the people who consented.",
        technique="T1566.002 Spearphishing Link",
    ),
    Predefined(
        "disabled_by_microsoft",
        "Microsoft disabled an app that is still here",
        "Microsoft switched it off for breaking its terms.",
        "critical",
        [[_is("grave_signal", "disabled_by_microsoft")]],
        "Remove it and look at what it did.",
    ),
    Predefined(
        "risky_by_microsoft",
        "Microsoft sees an app at risk",
        "Entra ID Protection found it compromised, or its credentials leaked.",
        "critical",
        [[_is("grave_signal", "risky_by_microsoft")], [_is("origin", *_FOREIGN, "own", "microsoft", "managed_identity", "agent_identity")]],
        "Read the detection in Entra ID Protection, replace its credentials, and look at what it did.",
        technique="T1078.004 Cloud Accounts",
    ),
    Predefined(
        "consent_burst",
        "Many people let in a risky app within a day",
        "A phishing message reaches many people at once.",
        "critical",
        [[_is("signal", "consent_burst")], _RISKY, [_not("decision", "sanctioned")]],
        "Ask two of them how they came to it. If it was a message, disable the app and remove the consents.",
        technique="T1566.002 Spearphishing Link",
    ),
    Predefined(
        "dormant_credential",
        "An app that slept has a new key",
        "Attackers wake old powerful apps with a key of their own.",
        "critical",
        [[_is("signal", "dormant_credential")], _RISKY],
        "Ask the person who added the key; remove it if nobody needs the app.",
        technique="T1098.001 Additional Cloud Credentials",
    ),
    Predefined(
        "credential_added",
        "A secret or certificate is on another firm's app",
        "Whoever holds it can act as the app; vendors keep theirs in their own tenant.",
        "high",
        [
            [_is("origin", *_FOREIGN, "microsoft")],
            [_is("permission_level", "medium", *SERIOUS), _is("origin", "microsoft")],
            [_is("change", "credential_added"), _is("change", "plugin_first_seen")],
            [_is("change", "credential_added"), _is("grave_signal", "own_credentials")],
        ],
        "Remove it unless you know who added it.",
        technique="T1098.001 Additional Cloud Credentials",
    ),
    Predefined(
        "drift",
        "A sanctioned plugin is no longer what was approved",
        "It gained permissions or keys, or changed hands, since the decision.",
        "high",
        [[_is("signal", "drift")], _RISKY, [_is("decision", "sanctioned", "risk_accepted")]],
        "Look at what is new and decide again.",
        technique="T1199 Trusted Relationship",
    ),
    Predefined(
        "new_risky",
        "A risky plugin appeared",
        "It was not there at the last sync and scores high.",
        "high",
        [[_is("change", "plugin_added", "plugin_returned")], _RISKY, [_not("decision", "sanctioned")]],
        "Decide on it while few people use it.",
        technique="T1528 Steal Application Access Token",
    ),
    Predefined(
        "gained_power",
        "A plugin gained permissions and became risky",
        "It was granted more than before, and its score rose to high or critical.",
        "high",
        [
            [_is("change", "gained_permission")],
            [{"field": "score_rose", "value": 7.0}, {"field": "score_rose", "value": 9.0}],
            [_not("change", "plugin_added")],
        ],
        "Ask who granted it and why; take back what is not needed.",
        technique="T1098.003 Additional Cloud Roles",
    ),
    Predefined(
        "role_added",
        "An app's administrator roles changed",
        "A role in the directory or in Azure gives an app what its permissions do not show.",
        "high",
        [[_is("change", "roles_changed")], [_is("signal", "directory_roles"), _is("grave_signal", "azure_roles")]],
        "Take the role away unless the app was bought to administer the tenant.",
        technique="T1098.003 Additional Cloud Roles",
    ),
    Predefined(
        "woke_up",
        "A powerful plugin woke up",
        "Nobody had used it for months; it may be in other hands.",
        "medium",
        [[_is("change", "plugin_woke_up")], [_is("permission_level", *SERIOUS)]],
        "Ask its users or owner; look at where it signs in from.",
        technique="T1078.004 Cloud Accounts",
    ),
    Predefined(
        "publisher_changed",
        "A plugin's publisher changed",
        "The app may have been sold, or taken over.",
        "medium",
        [[_is("change", "publisher_changed")], [_is("origin", "third_party")], [_is("permission_level", *SERIOUS)]],
        "Ask the vendor, and review the decision.",
    ),
    Predefined(
        "unsanctioned_in_use",
        "An unsanctioned plugin is in use",
        "It was decided against, is enabled, and somebody used it in the last seven days.",
        "medium",
        [[_is("decision", "unsanctioned", "needs_removal")], [{"field": "used", "value": 7.0}], [{"field": "enabled", "value": True}]],
        "Reach its users, then have it removed.",
    ),
    Predefined(
        "risk_expired",
        "An accepted risk has ended",
        "The day until which somebody accepted the risk has passed.",
        "low",
        [[{"field": "risk_expired", "value": True}]],
        "Decide again.",
    ),
)
BY_KEY = {one.key: one for one in PREDEFINED}
