"""Names written to be taken for Microsoft, a well-known brand or the organisation itself."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from confusable_homoglyphs import confusables
from rapidfuzz import process
from rapidfuzz.distance import OSA

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_MICROSOFT = ("microsoft", "outlook", "onedrive", "sharepoint", "office365", "office", "windows", "azure", "exchange", "teams", "entra")
BRANDS = (
    "docusign", "dropbox", "salesforce", "servicenow", "atlassian", "grammarly", "calendly", "mailchimp", "zendesk", "hubspot", "github",
    "google", "adobe", "zoom", "slack", "okta", "paypal", "linkedin", "whatsapp", "evernote", "webex", "trello", "asana", "notion",
    "chatgpt", "openai", "anthropic", "workday",
)  # fmt: skip
_LONG = 7  # shorter words are too near to honest ones
_DIGITS = str.maketrans("0135", "oles")
_CLUSTERS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
# The words of a name that claims to be Microsoft's own: "Microsoft Teams Sync", but not "Acme for Microsoft Teams"
_CLAIMS = re.compile(
    r"^(microsoft|office ?365|ms (teams|outlook|office)|outlook (web|mobile|for)|onedrive for business|windows (defender|security|update))\b"
)
_HONEST = re.compile(r"\b(for|with|to|and|by|in|from|connector|integration|add-?in|backup)\b")


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.name:
        return None
    own = tuple(word for name in facts.tenant_names for word in _words(_plain(name)) if len(word) >= _LONG)
    if found := _written_alike(facts.name, own):
        return Observation(7.5, f"The name {facts.name} reads like “{found}”, but is written with look-alike characters or a misspelling.")
    plain = _plain(facts.name)
    # an app without a known owner may be one of Microsoft's own built-ins
    if facts.origin == "third_party" and not facts.vouched and _CLAIMS.match(plain) and not _HONEST.search(plain):
        whose = f" It belongs to {facts.publisher_tenant}." if facts.publisher_tenant else ""
        return Observation(7.0, f"The name {facts.name} claims to be Microsoft's, but the app is not, and no publisher is verified.{whose}")
    if not facts.vouched and any(word in _words(plain) for word in own):
        return Observation(
            2.5, f"The name {facts.name} contains your organisation's name, and the app is somebody else's.", strength="medium"
        )
    return None


@lru_cache(maxsize=50_000)
def _written_alike(name: str, own: tuple[str, ...]) -> str | None:
    """The brand that ``name`` is written to be read as, when it is not written as that brand."""
    targets = (*_MICROSOFT, *BRANDS, *own)
    for word in _words(_plain(name)):
        if word in targets or word.rstrip("s") in targets:
            continue
        skeleton = _skeleton(word)
        forms = {skeleton, skeleton.translate(_DIGITS), word.replace("1", "i").translate(_DIGITS)}
        forms |= {form.replace(old, new) for form in set(forms) for old, new in _CLUSTERS}
        for target in targets:
            if target in forms:
                return target
        long = [one for one in targets if len(one) >= _LONG and not word.startswith(one) and not one.startswith(word)]
        for form in sorted(forms):
            if near := process.extractOne(form, long, scorer=OSA.distance, score_cutoff=1):
                return str(near[0])
    return None


def _plain(name: str) -> str:
    """Lower case without what can't be seen."""
    text = unicodedata.normalize("NFKC", name)
    return "".join(char for char in text if unicodedata.category(char) not in {"Cf", "Mn", "Cc"}).casefold()


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, without what can't be seen."""
    return _words(_plain(name))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _skeleton(word: str) -> str:
    parts = unicodedata.normalize("NFKD", word)
    return "".join(char if char.isascii() else _latin(char) for char in parts if unicodedata.category(char) != "Mn")


@lru_cache(maxsize=10_000)
def _latin(char: str) -> str:
    """The Latin letter that Unicode's table of confusable characters gives for ``char``."""
    for other in confusables.confusables_data.get(char, ()):
        if other["c"].isascii() and other["c"].isalpha():
            return str(other["c"]).casefold()
    return char


SIGNAL = Signal(
    key="impersonation",
    title="The name imitates another",
    why="Consent phishing works by a name that people trust: look-alike letters, a misspelling, or a claim to be Microsoft's.",
    strength="strong",
    remedy="Treat it as phishing until proven otherwise: ask the people who consented how they came to it, then remove it.",
    observe=observe,
    links=("https://learn.microsoft.com/entra/identity/enterprise-apps/protect-against-consent-phishing",),
    technique="T1566.002 Spearphishing Link",
)
