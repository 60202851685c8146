"""The three steps of the set-up, shown until the first sync has ended."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.connect.models import Connector, Status


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step: ``done``, ``now`` or ``later``."""

    title: str
    text: str
    state: str


def steps_for(connectors: list[Connector], *, read_once: bool) -> list[SetupStep]:
    """Where the account stands; empty once a tenant was read."""
    if read_once:
        return []
    integrations = [integration for connector in connectors for integration in connector.integrations.all()]
    finished = (
        any(connector.tenant_id is not None for connector in connectors),
        any(integration.status != Status.PENDING for integration in integrations),
        False,
    )
    texts = (
        ("Connect the Microsoft tenant", "An administrator accepts at Microsoft, once"),
        ("Switch on the app inventory", "A second acceptance, for reading only"),
        ("See the plugins", "A few minutes after the first sync began"),
    )
    current = finished.index(False)
    return [
        SetupStep(title, text, "done" if done else "now" if position == current else "later")
        for position, ((title, text), done) in enumerate(zip(texts, finished, strict=True))
    ]
