"""The table of contents: which step runs after which event. Rooms are told by name and never imported."""

from __future__ import annotations

from consentry.core.events import Step, register

STEPS = (
    Step(after="connect:attempt:returned", run="connect.verify_attempt", why="the redirect's word is tried, never trusted"),
    Step(after="connect:integration:connected", run="sync.start", why="people want to see their plugins at once"),
    Step(after="sync:run:queued", run="sync.run", why="a run is work for any worker"),
    Step(after="sync:run:merged", run="risk.rescore", why="facts changed"),
    Step(after="notify:delivery:queued", run="notify.deliver", why="what is due goes out at once; the schedule sends the rest"),
    Step(after="respond:plugin:decided", run="policy.evaluate_plugins", why="a decision makes some alerts due and others void"),
    Step(after="policy:policy:changed", run="policy.look_at", why="what matches already is told, and holding it against all takes a while"),
    Step(after="policy:policy:deleted", run="policy.finish_deletion", why="telling the end of many alerts takes a while"),
    Step(after="risk:weights:changed", run="risk.rescore_account", why="other weights give other scores"),
    Step(after="risk:account:scored", run="policy.evaluate_account", why="other scores make some alerts due and others void"),
    Step(after="risk:plugins:scored", run="policy.evaluate_plugins", why="people want to be told"),
    Step(after="risk:run:scored", run="policy.evaluate", why="people want to be told"),
)


def wire() -> None:
    """Make the table known to ``core.events``. Called once, when the applications are ready."""
    register(STEPS)
