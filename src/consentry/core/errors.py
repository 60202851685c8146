"""Errors that a person reads: what happened, what to do, and a code to search for."""

from __future__ import annotations


class ConsentryError(Exception):
    """An expected failure. Its text is shown to people as it is; it never carries a secret or a stack trace."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy} [{code}]")
        self.code = code
        self.what = what
        self.remedy = remedy
