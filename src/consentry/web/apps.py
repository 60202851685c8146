"""The Django application of the pages."""

from __future__ import annotations

from django.apps import AppConfig

from consentry.flow import wire


class WebConfig(AppConfig):
    name = "consentry.web"
    label = "web"

    def ready(self) -> None:
        """Wire the flow: from here on events reach the rooms that follow."""
        wire()
