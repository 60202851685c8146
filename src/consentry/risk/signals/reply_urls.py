"""Where Microsoft sends people and codes after sign-in."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_FREE_HOSTS = (
    ".github.io", ".gitlab.io", ".surge.sh", ".powerappsportals.com", ".ngrok.io", ".ngrok-free.app", ".ngrok.app", ".herokuapp.com", ".web.app",
    ".firebaseapp.com", ".netlify.app", ".vercel.app", ".pages.dev", ".workers.dev", ".glitch.me", ".repl.co", ".replit.app", ".trycloudflare.com",
    ".000webhostapp.com", ".weebly.com", ".wixsite.com", ".blogspot.com", ".onrender.com", ".duckdns.org", ".loca.lt",
)  # fmt: skip
_SHARED_HOSTS = (
    ".azurewebsites.net",
    ".cloudapp.azure.com",
    ".blob.core.windows.net",
    ".trafficmanager.net",
    ".azureedge.net",
)  # may dangle
_ODD_ENDINGS = (".events", ".top", ".xyz", ".tk", ".ml", ".ga", ".cf", ".gq", ".buzz", ".click", ".zip", ".mov", ".rest", ".icu")
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_ADDRESS = re.compile(r"^\d{1,3}(\.\d{1,3}){3}$")
_LITTLE = 2.0  # power below which an address can't do much harm


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign:
        return None
    found = [(weight, url, words) for url in facts.reply_urls for weight, words in [judge(url)] if weight]
    if not found:
        return None
    weight, url, words = max(found)
    return Observation(weight if facts.power >= _LITTLE else weight * 0.4, f"{url}: {words}")


@lru_cache(maxsize=50_000)
def judge(url: str) -> tuple[float, str]:
    """How doubtful a reply address is, 0 to 10, and why. Never fetches it."""
    try:
        parts = urlsplit(url.strip().lower())
        host = parts.hostname or ""
    except ValueError:
        return 1.5, "it is no proper address."
    if host in _LOCAL:  # plain localhost is normal for programs on a person's machine
        return (3.0, "a mark of known campaigns.") if parts.path.rstrip("/") == "/access" else (0.0, "")
    if "*" in host:
        return 2.5, "any name under it gets the codes, also one that somebody else may take."
    if f".{host}".endswith(_FREE_HOSTS):
        return 3.0, "anybody can have an address there for nothing; a vendor has one of its own."
    if host.endswith(_ODD_ENDINGS):
        return 2.0, "the ending is cheap and often used for deceit."
    if _ADDRESS.match(host):
        return 2.5, "a bare network address belongs to whoever has it today."
    if parts.scheme == "http":
        return 2.5, "codes travel without encryption."
    if f".{host}".endswith(_SHARED_HOSTS):
        return 1.0, "names there are free again when the vendor lets go of them."
    return 0.0, ""


SIGNAL = Signal(
    key="reply_urls",
    title="A doubtful reply address",
    why="Sign-in codes and tokens go to these addresses. Whoever holds one of them gets what was meant for the vendor.",
    strength="medium",
    remedy="Ask the vendor whether the address is theirs; look at who consented and how they came to it.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity-platform/reply-url",),
    technique="T1550.001 Application Access Token",
)
