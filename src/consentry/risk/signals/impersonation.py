"""Names written to be taken for Microsoft, a well-known brand or the organisation itself."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from confusable_homoglyphs import confusables
from rapidfuzz import process
from rapidfuzz.distance import OSA

from consentry.risk.facts import Facts
from consentry.risk.signal import Observation, Signal

_MICROSOFT = (
    "microsoft", "outlook", "onedrive", "sharepoint", "office365", "office", "windows", "azure", "exchange", "teams", "entra",
    "microsoftonline", "microsoft365", "sharepointonline", "exchangeonline",
)  # fmt: skip
BRANDS = (
    "docusign", "dropbox", "salesforce", "servicenow", "atlassian", "grammarly", "calendly", "mailchimp", "zendesk", "hubspot", "github",
    "google", "adobe", "zoom", "slack", "okta", "paypal", "linkedin", "whatsapp", "evernote", "webex", "trello", "asana", "notion",
    "chatgpt", "openai", "anthropic", "workday",
)  # fmt: skip
_KNOWN = (*_MICROSOFT, *BRANDS)
_STROKED = {one.replace("i", "l"): one for one in _KNOWN}
_DISTINCT = tuple(one for one in _KNOWN if len(one) > 7)
# One letter away from these, honest names are found too: Everynote, Workaday, Salesforge, Exchanger
_EVERYDAY = {
    "outlook", "onedrive", "windows", "exchange", "salesforce", "servicenow", "grammarly", "calendly", "hubspot", "linkedin", "evernote",
    "anthropic", "workday",
}  # fmt: skip
# Words of a company's name that say nothing about whose it is
_GENERIC_WORDS = """
    academy advisory advisors agency aktiengesellschaft alliance america american and app apps architects asia associates australia automotive bank
    banking bros brothers business capital care central centre center city cloud club college communications community company computer
    computing concept concepts construction consult consultancy consultants consulting control controls cooperative corp corporate corporation
    council data demo department design development digital direct distribution division east education electric electronics energy engineering
    enterprise enterprises estate europe european express federal finance financial first food foods for foundation germany global gmbh group
    gruppe health healthcare holding holdings home hospital hotel hotels inc incorporated industrial industries industry information
    infrastructure innovation innovations institute insurance integrated international invest investment investments labs laboratories
    laboratory law legal limited llc llp logistics ltd machine mail management manufacturing marine market marketing markets materials media
    medical ministry mobile motor motors municipality national network networks new north office online operations org organisation
    organization partner partners partnership performance pharma platform power precision production productions products professional
    project projects properties property public real research resource resources retail sandbox school schools security service services shop
    society software solution solutions south state states store stores strategic strategies studio studios supply support system systems team
    tech technical technologies technology telecom tenant test the trade trader traders trading training transport travel trust union united
    university ventures west work works world worldwide
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
_LONG = 7  # shorter words are too near to honest ones for a misspelling
_FIRM = 9  # from here on no other word is one letter away
_ROMAN = 4  # and below this for look-alikes within Latin letters
_FOREIGN = 3
_DIGITS = str.maketrans("013", "ole")
_CLUSTERS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_STROKES = str.maketrans("I1|", "lll")  # what a font draws as one stroke; a capital L is not
# The words of a name that claims to be Microsoft's own: "Microsoft Teams Sync", but not "Acme for Microsoft Teams"
_CLAIMS = re.compile(
    r"^(microsoft|office ?365|ms (teams|outlook|office)|outlook (web|mobile|for)|onedrive for business|windows (defender|security|update))\b"
)
_ITS = r"(online|web|web app|web access|mobile|desktop|365|for (business|ios|android|mac|windows|web))"
_PRODUCTS = re.compile(
    rf"^(teams|office|windows 365|azure (ad|active directory|portal|devops))( {_ITS})*$|"
    r"^(outlook|onedrive|one drive|sharepoint|share point|onenote|powerpoint|power (bi|automate|apps)|intune|entra|entra id|exchange online|[mo]365)"
    rf"( ({_ITS}|login|signin|account|security|updates?|upgrade|verification|verify|authenticator|authentication|mfa|password|support|helpdesk|"
    r"defender|protection))*$"
)
_CONNECTS = re.compile(r"\b(connector|integration|add ?in|plug ?in|backup)\b")
_HONEST = re.compile(r"\b(for|with|to|and|by|in|from) (?=\w)")
_FOR_ITS = re.compile(
    r"\bfor (microsoft|office|outlook|onedrive|sharepoint|teams|windows|azure|exchange|entra|[mo]365|business|ios|android|mac)\b(?! (by|and|to|with|from) )"
)
_ENTER = re.compile(r"\b(sign|log) in\b")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_ATTACHED = re.compile(r"(?:[A-Z0-9].*|hr|it|sso|login|portal|helpdesk|support|admin|payroll|mail|vpn|security)")


class _Alike(NamedTuple):
    """A known name that another is written to be read as. Not ``sure`` where honest names are found as near."""

    target: str
    sure: bool


def observe(facts: Facts) -> Observation | None:
    if not facts.foreign or not facts.name:
        return None
    own = tuple(word for name in facts.tenant_names for word in _telling(name))
    found = _written_alike(facts.name, own)
    if found and found.sure:
        return Observation(
            7.5, f"The name {facts.name} reads like “{found.target}”, but is written with look-alike characters or a misspelling."
        )
    # an app without a known owner may be one of Microsoft's own built-ins
    if facts.origin == "third_party" and _claims(facts.name) and (claimed := _claimed(facts)):
        return claimed
    if found:
        return Observation(
            2.0 if facts.vouched else 4.0, f"The name {facts.name} is one letter away from “{found.target}”.", strength="medium"
        )
    if not facts.vouched and _contains(facts.name, own):
        return Observation(
            2.5, f"The name {facts.name} contains your organisation's name, and the app is somebody else's.", strength="medium"
        )
    return None


def _claimed(facts: Facts) -> Observation | None:
    """What a claim to be Microsoft's weighs, by whether somebody stands for the app."""
    whose = f" It belongs to {facts.publisher_tenant}." if facts.publisher_tenant else ""
    if not facts.vouched:
        return Observation(7.0, f"The name {facts.name} claims to be Microsoft's, but the app is not, and no publisher is verified.{whose}")
    if "microsoft" in _words(_plain(facts.publisher or "")):
        return None
    verified = f" {facts.publisher}" if facts.publisher else ""
    return Observation(
        4.0, f"The name {facts.name} claims to be Microsoft's; the verified publisher{verified} is not.{whose}", strength="medium"
    )


@lru_cache(maxsize=50_000)
def _claims(name: str) -> bool:
    """True when the name says that the app is Microsoft's own, and not that it works with something of Microsoft's."""
    text = _ENTER.sub(r"\1in", " ".join(_words(_plain(name))))
    humps = _ENTER.sub(r"\1in", " ".join(_words(_HUMP.sub(" ", _shown(name)).casefold())))
    if _PRODUCTS.match(text):
        return True
    if not _CLAIMS.match(re.sub(r"^microsoft(?=\w)", "microsoft ", text)) or _CONNECTS.search(humps):
        return False
    return not _HONEST.search(humps) or bool(_FOR_ITS.search(humps))


@lru_cache(maxsize=1000)
def _telling(tenant: str) -> tuple[str, ...]:
    """The words of a tenant's name that say whose it is, as they are written."""
    return tuple(word for word in _words(_shown(tenant)) if len(word) >= _FOREIGN and word.casefold() not in _GENERIC)


@lru_cache(maxsize=50_000)
def _contains(name: str, own: tuple[str, ...]) -> bool:
    """True when a word of ``name``, or two together, is the organisation's name or begins with it, as in ContosoHR.

    A short word counts only where the organisation has no other.
    """
    words = _words(_shown(name))
    together = {word.casefold() for word in (*words, *_pairs(words))}
    for one in (one for one in own if len(one) >= (_ROMAN if len(own) == 1 else _LONG)):
        mine = one.casefold()
        if mine in together or any(word.casefold().startswith(mine) and _ATTACHED.fullmatch(word[len(mine) :]) for word in words):
            return True
    return False


def imitates_microsoft(text: str) -> str | None:
    """The name of Microsoft's that ``text`` is written to be read as, beyond doubt."""
    found = _written_alike(text, ())
    return found.target if found and found.sure and found.target in _MICROSOFT else None


@lru_cache(maxsize=50_000)
def _written_alike(name: str, own: tuple[str, ...]) -> _Alike | None:
    """The brand that ``name`` is written to be read as, when it is not written as that brand. The surest one."""
    words = _words(_shown(name))
    mine = {one.casefold(): one for one in own}
    doubtful = None
    for word in words:
        found = _word_alike(word, mine)
        if found and found.sure:
            return found
        doubtful = doubtful or found
    for pair in _pairs(words):
        if pair.casefold() == "microsoft":
            return _Alike("microsoft", sure=True)
        if (found := _letters_alike(pair, mine)) and found.sure:
            return found
    for spaced in re.findall(r"(?<!\w)\w(?:[\W_]+\w(?!\w)){4,}", _plain(name)):
        joined = "".join(_words(spaced))
        if joined in _KNOWN or joined in mine:
            return _Alike(joined, sure=True)
        if (found := _letters_alike(joined, mine)) and found.sure:
            return found
    return doubtful


def _word_alike(word: str, own: dict[str, str]) -> _Alike | None:
    return _letters_alike(word, own) or (None if _is_written(word, own) else _misspelt(word, own))


def _is_written(word: str, own: dict[str, str]) -> bool:
    """True when ``word`` is a known name itself, also in the plural or with a number behind it."""
    plain = word.casefold()
    ways = {plain, plain.rstrip("s"), plain.rstrip("0123456789")}
    return not ways.isdisjoint(_KNOWN) or any(one in ways or skeleton(one) in ways for one in own)


def _letters_alike(word: str, own: dict[str, str]) -> _Alike | None:
    """The known name whose letters ``word`` imitates with others that look like them."""
    if _is_written(word, own) or not any(char.isalpha() for char in word):
        return None
    forms = _forms(word)
    if target := next((one for one in _KNOWN if one in forms), None) or _STROKED.get(_strokes(word)):
        return _Alike(target, sure=True)
    begun = next((form for form in sorted(forms) if form.startswith(_DISTINCT) and not word.casefold().startswith(_DISTINCT)), "")
    if target := next((one for one in _DISTINCT if begun.startswith(one)), None):
        return _Alike(target, sure=True)
    visible = skeleton(word).translate(_STROKES)
    short = _forms(word, _CLUSTERS[:2])
    for target, written in own.items():
        if len(target) < (_ROMAN if word.isascii() else _FOREIGN):
            continue
        if target in (forms if len(target) >= _LONG else short):
            accents = len(target) < _LONG and _unmarked(word.casefold()) == target
            return _Alike(target, sure=not accents)
        if _cased(visible) == _cased(written.translate(_STROKES)):
            return _Alike(target, sure=True)
    return None


def _misspelt(word: str, own: dict[str, str]) -> _Alike | None:
    """The long known name that is one letter away from ``word``. Sure when no everyday word is that near."""
    plain = word.casefold()
    if plain in _GENERIC or len(plain) < _LONG - 1:
        return None
    firm = [one for one in (*_KNOWN, *own) if len(one) >= _LONG and one not in _EVERYDAY]
    loose = [one for one in _EVERYDAY if plain == one + one[-1] or not (plain.startswith(one) or one.startswith(plain))]
    forms = sorted(_forms(word))
    for form in forms:
        if near := process.extractOne(form, firm, scorer=OSA.distance, score_cutoff=1):
            target = str(near[0])
            doubled = target + target[-1] == plain
            # the organisation's name may be as near to an honest word as Planter is to Planner
            near_word = target in own and not doubled and (len(target) < _FIRM or plain.startswith(target) or target.startswith(plain))
            return _Alike(target, sure=not near_word)
    for form in forms:
        if near := process.extractOne(form, sorted(loose), scorer=OSA.distance, score_cutoff=1):
            return _Alike(str(near[0]), sure=False)
    return None


@lru_cache(maxsize=20_000)
def _forms(word: str, clusters: tuple[tuple[str, str], ...] = _CLUSTERS) -> frozenset[str]:
    """What ``word`` may be read as: look-alike letters, digits and pairs of letters replaced."""
    latin = skeleton(word).casefold()
    forms = {latin, _undigit(latin), _undigit(latin.replace("1", "i"))}
    return frozenset(forms | {form.replace(old, new) for form in forms for old, new in clusters})


def _undigit(word: str) -> str:
    return re.sub(r"5(?=.)", "s", word.translate(_DIGITS))  # at the end it is a number: Team5


def _strokes(word: str) -> str:
    """``word`` with i, I, l and 1 as one. A capital L within a word is unlike them: OpenAL is not OpenAI."""
    return _cased(skeleton(word).translate(_STROKES)).replace("i", "l")


def _cased(word: str) -> str:
    return word[:1].casefold() + "".join(char if char == "L" else char.casefold() for char in word[1:])


def _pairs(words: list[str]) -> list[str]:
    """Neighbouring words as one, numbers left out."""
    return [one + two for one, two in pairwise(words) if not one.isdigit() and not two.isdigit()]


def _shown(name: str) -> str:
    """The name without what can't be seen."""
    if name.isascii() and name.isprintable():
        return name
    text = unicodedata.normalize("NFKC", name)
    return "".join(char for char in text if unicodedata.category(char) not in {"Cf", "Mn", "Cc"})


def _plain(name: str) -> str:
    """Lower case without what can't be seen."""
    return _shown(name).casefold()


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, without what can't be seen."""
    return _words(_plain(name))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def _unmarked(word: str) -> str:
    """``word`` without accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", word) if unicodedata.category(char) != "Mn")


def skeleton(word: str) -> str:
    """``word`` in the Latin letters that it looks like."""
    if word.isascii():
        return word
    return "".join(char if char.isascii() else _latin(char) for char in _unmarked(word))


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
