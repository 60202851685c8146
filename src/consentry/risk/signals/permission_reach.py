"""What the plugin could do, times how far where it comes from can be trusted."""

from __future__ import annotations

from consentry.risk.facts import Facts, Held
from consentry.risk.signal import Observation, Signal

# The share of its power that counts: nobody else vouches for a stranger, and even an own app may be taken over
_SHARES = {"microsoft": 0.2, "managed_identity": 0.5, "own": 0.65, "agent_identity": 0.75, "third_party": 0.9, "unknown": 0.9}
_VERIFIED = 0.78
_WORDS = {
    "third_party": "a third party",
    "own": "your own tenant",
    "microsoft": "Microsoft",
    "managed_identity": "a managed identity",
    "agent_identity": "an agent identity",
    "unknown": "an unknown tenant",
}


def observe(facts: Facts) -> Observation | None:
    if not facts.permissions or facts.power <= 0:
        return None
    takes_over = facts.takeover >= facts.data
    axis = "takeover" if takes_over else "data"
    strongest = max((held for held in facts.permissions if _reach(held, axis) == facts.power), key=lambda held: held.value)
    share = _VERIFIED if facts.origin == "third_party" and facts.vouched else _SHARES.get(facts.origin, 0.9)
    verified = ""
    if facts.origin == "third_party" and facts.publisher_verified is not None:
        verified = " with a verified publisher" if facts.vouched else " without a verified publisher"
    could = "take over the tenant" if takes_over else "reach data"
    return Observation(
        facts.power * share,
        f"It could {could}: {strongest.value or 'default access'} on {strongest.resource} for {strongest.who}. "
        f"The app comes from {_WORDS.get(facts.origin, 'elsewhere')}{verified}.",
    )


def _reach(held: Held, axis: str) -> float:
    return held.reach(held.judged.takeover if axis == "takeover" else held.judged.data)


SIGNAL = Signal(
    key="permission_reach",
    title="What it could do",
    why="Its strongest permission, how many people it reaches, and where the app comes from.",
    strength="power",
    remedy="Remove the permission if it is not needed, or limit it to the people who need it.",
    observe=observe,
    unknown="An app without a known owner tenant counts like a third party's.",
    links=("https://learn.microsoft.com/graph/permissions-reference",),
)
