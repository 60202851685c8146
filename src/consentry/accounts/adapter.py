"""Sign-in policy: nobody signs up by himself; people are added by an owner."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """django-allauth with self-registration closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
