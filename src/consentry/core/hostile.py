"""Text that a tenant sent, made safe to show. Names, publishers and URLs are written by attackers."""

from __future__ import annotations

import unicodedata

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def _is_unsafe(character: str) -> bool:
    # Cc control, Cf format (bidirectional overrides, zero width), Cs surrogates, Zl/Zp separators
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def display_text(text: str) -> str:
    """``text`` without control, bidirectional and zero-width characters: for terminals, logs and mail."""
    return "".join(character for character in text if not _is_unsafe(character))


def visible_text(text: str) -> str:
    """``text`` with such characters written as ``[U+202E]``: for pages, where hiding them would hide the attack."""
    return "".join(f"[U+{ord(character):04X}]" if _is_unsafe(character) else character for character in text)


def mixed_letters(text: str) -> list[str]:
    """The letters of other scripts in words that also have Latin ones, as ``о CYRILLIC SMALL LETTER O``: they can't be told apart by eye."""
    found: dict[str, None] = {}
    for word in text.split():
        names = {character: unicodedata.name(character, "") for character in word if character.isalpha()}
        if any(name.startswith("LATIN") for name in names.values()):
            found |= dict.fromkeys(f"{character} {name}" for character, name in names.items() if not name.startswith("LATIN"))
    return list(found)


def neutralise_formula(text: str) -> str:
    """``text`` that no spreadsheet reads as a formula: a leading apostrophe where it would.

    Source: OWASP, CSV Injection.
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else text
