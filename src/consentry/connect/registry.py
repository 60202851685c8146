"""The vendors this console knows. A provider is named here by path and never imported: its code lies above this room."""

from __future__ import annotations

import functools

from django.utils.module_loading import import_string

from consentry.connect.provider import Provider

PROVIDERS = {"microsoft": "consentry.providers.entra.provider.EntraProvider"}


@functools.cache
def provider(vendor: str) -> Provider:
    """The vendor's provider. Raises ``KeyError`` for an unknown vendor."""
    made: Provider = import_string(PROVIDERS[vendor])()
    return made
