from __future__ import annotations

from django.apps import AppConfig


class ConnectConfig(AppConfig):
    name = "consentry.connect"
    label = "connect"
    default_auto_field = "django.db.models.BigAutoField"
