"""The Django application of the pages."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "consentry.web"
    label = "web"
