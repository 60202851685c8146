"""The score: two axes of what a plugin could do, times how far it can be trusted. Pure; the same facts give the same score.

Every point is a listed reason, the points add up to the score, and a further permission can only raise it.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from consentry.risk.catalogue import Judged, level_of

VERSION = 1
# Source: huntresslabs/rogueapps, October 2024
ROGUE_APPS = {
    "e9a7fea1-1cc0-4cd9-a31b-9137ca5deedd": "eM Client",
    "ff8d92dc-3d82-41d6-bcbd-b9174d163620": "PerfectData",
    "a245e8c0-b53c-4b67-9b45-751d1dff8e6b": "Supermailer",
    "b15665d9-eda6-4092-8539-0eec376afd59": "rclone",
    "a43e5392-f48b-46a4-a0f1-098b5eeb4757": "CloudSponge",
}
_LOOKALIKES = str.maketrans("аеіорсухѕԁոһ", "aeiopcyxsdnh")
_BRANDS = ("microsoft", "outlook", "office 365", "onedrive", "sharepoint")
_FREE_HOSTS = (
    "github.io",
    "surge.sh",
    "gitlab.io",
    "powerappsportals.com",
    "ngrok.io",
    "ngrok-free.app",
    "azurewebsites.net",
    "herokuapp.com",
)


@dataclass(frozen=True, slots=True)
class Held:
    """One permission a plugin holds."""

    value: str
    resource: str
    kind: str
    everybody: bool
    users: int
    judged: Judged


@dataclass(frozen=True, slots=True)
class Facts:
    """What the score looks at. None means unknown."""

    name: str
    app_id: str
    origin: str
    publisher_verified: bool | None
    permissions: tuple[Held, ...]
    users: int
    all_users: bool
    own_credentials: int
    reply_urls: tuple[str, ...]
    disabled_by_microsoft: bool
    enabled: bool | None


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal's contribution."""

    signal: str
    title: str
    points: float
    severity: str
    evidence: str
    remedy: str

    def as_dict(self) -> dict[str, str | float]:
        return {
            "signal": self.signal,
            "title": self.title,
            "points": self.points,
            "severity": self.severity,
            "evidence": self.evidence,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The result. ``trust`` is 0 (none) to 10 (full)."""

    score: float
    level: str
    takeover: float
    data: float
    trust: float
    reasons: tuple[Reason, ...]


def score(facts: Facts) -> Score:
    """The plugin's risk."""
    takeover = max((_reach(held, held.judged.takeover) for held in facts.permissions), default=0.0)
    data = max((_reach(held, held.judged.data) for held in facts.permissions), default=0.0)
    strong = _strong_signals(facts)
    trust = _trust(facts)
    power = max(takeover, data)
    doubt = (10 - trust) / 10
    weight = 0.35 + 0.65 * doubt  # a fully trusted app keeps a third of what it could do
    base = round(power * weight, 1)
    reasons = _power_reasons(facts, base, takeover >= data)
    total = base
    for reason in strong:
        added = round(min(reason.points, 10 - total), 1)
        total = round(total + added, 1)
        reasons.append(Reason(reason.signal, reason.title, added, reason.severity, reason.evidence, reason.remedy))
    reasons.sort(key=lambda reason: -reason.points)
    total = max(0.0, min(10.0, total))
    return Score(total, level_of(total), round(takeover, 1), round(data, 1), round(trust, 1), tuple(reasons))


def _reach(held: Held, axis: float) -> float:
    """An axis value by how many people it reaches: one user's grant counts three quarters, everybody's or the app's own counts full."""
    if held.kind == "application" or held.everybody:
        return axis
    return axis * min(1.0, 0.75 + 0.05 * math.log2(max(held.users, 1) + 1))


def _trust(facts: Facts) -> float:
    if facts.origin == "microsoft" and not facts.own_credentials:
        return 10.0
    base = {"own": 8.0, "managed_identity": 9.0, "agent_identity": 7.0, "microsoft": 7.0, "third_party": 3.0}.get(facts.origin, 2.0)
    if facts.origin == "third_party" and facts.publisher_verified:
        base += 2.5
    return base


def _power_reasons(facts: Facts, base: float, takeover_leads: bool) -> list[Reason]:
    if not facts.permissions or base <= 0:
        return []
    axis = "takeover" if takeover_leads else "data"
    strongest = max(facts.permissions, key=lambda held: (_reach(held, getattr(held.judged, axis)), held.value))
    who = (
        "the whole organisation"
        if strongest.kind == "application" or strongest.everybody
        else f"{strongest.users} {'person' if strongest.users == 1 else 'people'}"
    )
    origin = {"third_party": "a third party", "own": "your own tenant", "microsoft": "Microsoft"}.get(
        facts.origin, facts.origin.replace("_", " ")
    )
    verified = ""
    if facts.origin == "third_party" and facts.publisher_verified is not None:
        verified = " with a verified publisher" if facts.publisher_verified else " without a verified publisher"
    title = "It could take over the tenant" if takeover_leads else "It could reach data"
    evidence = f"{strongest.value or 'Default access'} on {strongest.resource} for {who}; the app comes from {origin}{verified}."
    return [
        Reason(
            "permission_reach",
            title,
            base,
            level_of(base),
            evidence,
            "Remove the permission if it is not needed, or limit it to the people who need it.",
        )
    ]


def _strong_signals(facts: Facts) -> list[Reason]:
    found = []
    if name := ROGUE_APPS.get(facts.app_id.lower()):
        found.append(
            Reason(
                "rogue_app",
                "A known rogue app",
                6.0,
                "critical",
                f"The app id is that of {name}, which attackers use.",
                "Find out who uses it and why, then remove it.",
            )
        )
    if facts.disabled_by_microsoft:
        found.append(
            Reason(
                "disabled_by_microsoft",
                "Microsoft disabled it",
                5.0,
                "critical",
                "Microsoft switched the app off for violating its terms.",
                "Remove it and look at what it did.",
            )
        )
    if facts.origin in {"third_party", "unknown"} and _imitates(facts.name):
        found.append(
            Reason(
                "impersonation",
                "The name imitates Microsoft",
                4.0,
                "critical",
                f"The name reads like a Microsoft product: {facts.name}",
                "Treat it as phishing until proven otherwise.",
            )
        )
    if facts.origin == "third_party" and facts.own_credentials:
        found.append(
            Reason(
                "own_credentials",
                "Keys on another firm's app",
                3.0,
                "high",
                f"{facts.own_credentials} secrets or certificates were added in this tenant.",
                "Remove them unless you know who added them.",
            )
        )
    bad = [url for url in facts.reply_urls if _doubtful(url)] if facts.origin in {"third_party", "unknown"} else []
    if bad:
        found.append(
            Reason(
                "reply_urls",
                "Doubtful reply address",
                1.5,
                "medium",
                f"{bad[0]} is not the address of a vendor.",
                "Ask the vendor; look at who consented.",
            )
        )
    return found


def _imitates(name: str) -> bool:
    plain = unicodedata.normalize("NFKC", name).casefold()
    folded = plain.translate(_LOOKALIKES)
    return folded != plain and any(brand in folded for brand in _BRANDS)


def _doubtful(url: str) -> bool:
    lowered = url.lower()
    local = lowered.startswith(("http://localhost", "http://127.0.0.1"))
    if local:
        return lowered.rstrip("/").endswith("/access")  # a mark of known campaigns; plain localhost is normal
    return (
        lowered.startswith("http://")
        or "*" in lowered
        or any(lowered.split("/")[2:3] and lowered.split("/")[2].endswith(host) for host in _FREE_HOSTS)
    )
