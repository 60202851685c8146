"""How a room tells later rooms, by name and never by import. Event names are ``source:subject:action``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from procrastinate.contrib.django import app


@dataclass(frozen=True, slots=True)
class Step:
    """After the event ``after``, run the job ``run``; ``why`` is for the reader."""

    after: str
    run: str
    why: str


_steps: dict[str, list[Step]] = {}


def register(steps: Iterable[Step]) -> None:
    """Replace the table of steps. ``flow.py`` calls this once, at start."""
    _steps.clear()
    for step in steps:
        _steps.setdefault(step.after, []).append(step)


def emit(event: str, **payload: Any) -> None:
    """Queue the jobs that follow ``event`` once the caller's transaction is committed; ``payload`` becomes their arguments.

    Inside a worker Procrastinate queues over a connection of its own, so a job would start before the facts it needs are visible.
    """
    for step in _steps.get(event, []):
        transaction.on_commit(partial(_defer, step.run, payload))


def _defer(task: str, payload: dict[str, Any]) -> None:
    app.configure_task(task, allow_unknown=False).defer(**payload)
