"""Where Microsoft sends people and codes after sign-in."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal
from consentry.risk.signals.impersonation import imitates_microsoft, skeleton

_FREE_HOSTS = (
    ".github.io", ".gitlab.io", ".surge.sh", ".powerappsportals.com", ".ngrok.io", ".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev",
    ".herokuapp.com", ".web.app", ".firebaseapp.com", ".netlify.app", ".vercel.app", ".pages.dev", ".workers.dev", ".r2.dev", ".glitch.me",
    ".repl.co", ".replit.app", ".trycloudflare.com", ".000webhostapp.com", ".weebly.com", ".wixsite.com", ".webflow.io", ".framer.app",
    ".blogspot.com", ".sites.google.com", ".onrender.com", ".duckdns.org", ".ddns.net", ".loca.lt",
)  # fmt: skip
# Honest vendors are there too
_CLOUDS = (
    ".web.core.windows.net", ".azurestaticapps.net", ".cloudapp.net", ".azurefd.net", ".s3.amazonaws.com", ".cloudfront.net", ".appspot.com",
    ".run.app", ".fly.dev", ".up.railway.app", ".storage.googleapis.com", ".microsoftcrmportals.com",
)  # fmt: skip
_BUCKET = re.compile(r"(^|\.)s3[.-]([a-z0-9-]+\.)*amazonaws\.com$")
_SHARED_HOSTS = (
    ".azurewebsites.net",
    ".cloudapp.azure.com",
    ".blob.core.windows.net",
    ".trafficmanager.net",
    ".azureedge.net",
)  # may dangle
_ODD_ENDINGS = (".events", ".top", ".xyz", ".tk", ".ml", ".ga", ".cf", ".gq", ".buzz", ".zip", ".mov", ".rest")
_CHEAP_ENDINGS = (".cyou", ".sbs", ".pw", ".online", ".icu", ".click")
_MICROSOFTS = (
    ".microsoft.com", ".microsoft", ".microsoftonline.com", ".microsoftonline.us", ".microsoftonline.cn", ".microsoftonline.de", ".microsoftonline-p.com", ".windows.net",
    ".microsoft.us", ".microsoft.net", ".onmicrosoft.com", ".microsoft365.com", ".microsoftstream.com", ".microsoftazuread-sso.com",
)  # fmt: skip
_BORROWED = re.compile(
    r"microsoftonline|(^|\.)(microsoft\.com|login\.live\.com|login\.windows\.net|office365\.com|sharepoint\.com|outlook\.office\.com)\."
)
_NO_WEB = {"javascript", "data", "vbscript", "file", "blob"}
_NUMBER = re.compile(r"^(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}$")
_LITTLE = 2.0  # power below which an address can't do much harm
_DECEIT = 4.0  # from here on the address was made to deceive, whatever the app may do
_WEAK = 2.0


def observe(facts: Facts) -> Observation | None:
    if facts.origin == "own":
        return _dangling(facts.reply_urls)
    if not facts.foreign:
        return None
    found = [(weight, url, words) for url in facts.reply_urls for weight, words in [judge(url)] if weight]
    if not found:
        return None
    weight, url, words = max(found)
    harm = weight if facts.power >= _LITTLE or weight >= _DECEIT else weight * 0.4
    return Observation(harm, f"{url}: {words}", strength="weak" if weight < _WEAK else "")


@lru_cache(maxsize=50_000)
def judge(url: str) -> tuple[float, str]:
    """How doubtful a reply address is, 0 to 10, and why. Never fetches it and never looks its name up."""
    try:
        parts = urlsplit(url.strip().lower())
        host = _host(parts)
    except ValueError:
        return 1.5, "it is no proper address."
    if parts.scheme in _NO_WEB:
        return 4.0, f"{parts.scheme}: is no place to send a code to, but a way to run or read something."
    if _is_local(host):  # plain localhost is normal for programs on a person's machine
        return (3.0, "a mark of known campaigns.") if parts.path.rstrip("/") == "/access" else (0.0, "")
    if parts.scheme not in {"http", "https"}:  # what follows is the name of a program
        return _judged_form(parts) if "*" in host else (0.0, "")
    return max(_disguise(host), _judged_host(host), _judged_form(parts), key=lambda one: one[0])


def _judged_host(host: str) -> tuple[float, str]:
    if f".{host}".endswith(_FREE_HOSTS):
        return 3.0, "anybody can have an address there for nothing; a vendor has one of its own."
    if _is_address(host):
        return 2.5, "a bare network address belongs to whoever has it today."
    if host.endswith(_ODD_ENDINGS):
        return 2.0, "the ending is cheap and often used for deceit."
    if f".{host}".endswith(_CLOUDS) or _BUCKET.search(host):
        return 1.5, "anybody can rent an address there within minutes; many honest vendors do too."
    if host.endswith(_CHEAP_ENDINGS):
        return 1.5, "the ending is cheap and often used for deceit."
    if f".{host}".endswith(_SHARED_HOSTS):
        return 1.0, "names there are free again when the vendor lets go of them."
    return 0.0, ""


def _judged_form(parts: SplitResult) -> tuple[float, str]:
    if "@" in parts.netloc:
        return 4.0, f"what stands before the @ only looks like the host, which is {parts.hostname}."
    if "*" in parts.netloc:
        return 2.5, "any name under it gets the codes, also one that somebody else may take."
    if parts.scheme == "http":
        return 2.5, "codes travel without encryption."
    if "*" in parts.path or "*" in parts.query:
        return 1.5, "any page under it gets the codes."
    return 0.0, ""


def _disguise(host: str) -> tuple[float, str]:
    """What a host that is written to be taken for another weighs, above all for Microsoft's sign-in."""
    if f".{host}".endswith(_MICROSOFTS):
        return 0.0, ""
    labels = [_decoded(label) for label in host.split(".")]
    for label in labels[:-1] or labels:
        if found := imitates_microsoft(label):
            return 5.0, f"the host reads like “{found}”, but is written differently."
    if _BORROWED.search(host):
        return 5.0, "the host carries an address of Microsoft's, but belongs to somebody else."
    if "microsoft" in ".".join(labels[-2:]) and not f".{host}".endswith(_CLOUDS):
        return 3.0, "the host has Microsoft's name, but is not Microsoft's."
    if any(_mixes(label) for label in labels):
        return 3.0, "the host mixes letters of several alphabets that look alike."
    if any(not label.isascii() for label in labels):
        return 1.0, "the host has letters that others look like."
    return 0.0, ""


def _mixes(label: str) -> bool:
    """True when Cyrillic or Greek letters stand among Latin ones, or all of them could be taken for Latin ones."""
    alphabets = {unicodedata.name(char, "").split(" ")[0] for char in label if char.isalpha()}
    return bool(alphabets & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}) and ("LATIN" in alphabets or skeleton(label).isascii())


def _decoded(label: str) -> str:
    """The label as a browser would show it at its most trusting."""
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _host(parts: SplitResult) -> str:
    return unicodedata.normalize("NFKC", parts.hostname or "").replace("。", ".").rstrip(".")


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    """True for an address of version 4 or 6, also one written as hexadecimal or as a single number."""
    try:
        return bool(ip_address(host))
    except ValueError:
        return bool(_NUMBER.match(host))


def _dangling(urls: tuple[str, ...]) -> Observation | None:
    """A note where an own app sends codes to a name in Azure that others could take once it is let go of."""
    for url in urls:
        try:
            host = _host(urlsplit(url.strip().lower()))
        except ValueError:
            continue
        if f".{host}".endswith(_SHARED_HOSTS):
            return Observation(
                1.0,
                f"{url}: names there are free again when their resource is deleted.",
                remedy="Check in Azure that the name is still yours; if not, take the reply address off the registration.",
                strength="note",
            )
    return None


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
