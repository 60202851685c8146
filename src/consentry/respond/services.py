"""The only writer of decisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from django.db import transaction

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.core import events
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory.models import Decision, DecisionState, Plugin
from consentry.risk import queries as risk_queries
from consentry.risk import services as risk


@transaction.atomic
def decide(account: Account, plugin_ids: Iterable[UUID], *, state: str, note: str, until: date | None = None, actor: str) -> list[int]:
    """Decide on plugins by their app ids, in every connector of the account. Returns the decisions' ids, one for each app.

    What the plugins have now is kept with the decision, so that what they gain later is seen.

    Raises ``ConsentryError`` for an unknown state, or when a risk is accepted without an end.
    """
    if state not in DecisionState.values:
        raise ConsentryError(
            "decision_unknown", f"There is no decision called {state}.", f"Choose one of {', '.join(DecisionState.values)}."
        )
    if state == DecisionState.RISK_ACCEPTED and until is None:
        raise ConsentryError("until_missing", "An accepted risk needs a last day.", "Give the day until which the risk is accepted.")
    chosen = Plugin.objects.filter(pk__in=list(plugin_ids), connector__account=account, app_id__isnull=False)
    apps = {plugin.app_id: plugin.name for plugin in chosen if plugin.app_id}
    everywhere = list(Plugin.objects.filter(connector__account=account, app_id__in=apps, removed_at__isnull=True))
    approved = risk_queries.snapshots(everywhere)
    made = []
    for app_id, name in apps.items():
        Decision.objects.filter(account=account, app_id=app_id, superseded_at__isnull=True).update(superseded_at=now())
        note_text = note.replace("\x00", "").strip()
        taken = Decision.objects.create(
            account=account, app_id=app_id, state=state, by=actor, at=now(), until=until, note=note_text, approved=approved.get(app_id)
        )
        made.append(taken.pk)
        audit.record(account.id, actor=actor, action="respond:plugin:decided", subject=name, state=state)
    Plugin.objects.filter(connector__account=account, app_id__in=apps).update(decision=state)
    _look_again(account, everywhere)
    return made


@transaction.atomic
def undo(account: Account, decision_ids: Iterable[int], *, actor: str) -> int:
    """Put back what held before these decisions, where nobody has decided again since. Returns for how many apps."""
    number = 0
    for taken in Decision.objects.select_for_update().filter(account=account, pk__in=list(decision_ids), superseded_at__isnull=True):
        before = Decision.objects.filter(account=account, app_id=taken.app_id, pk__lt=taken.pk).order_by("-pk").first()
        Decision.objects.filter(pk=taken.pk).update(superseded_at=now())
        if before:
            Decision.objects.filter(pk=before.pk).update(superseded_at=None)
        state = before.state if before else DecisionState.UNCLASSIFIED
        plugins = Plugin.objects.filter(connector__account=account, app_id=taken.app_id)
        plugins.update(decision=state)
        name = plugins.values_list("name", flat=True).first() or str(taken.app_id)
        audit.record(account.id, actor=actor, action="respond:plugin:decision_undone", subject=name, state=state)
        number += 1
        _look_again(account, list(plugins.filter(removed_at__isnull=True)))
    return number


def _look_again(account: Account, plugins: list[Plugin]) -> None:
    """A decision changes what counts as drift, and which policies match."""
    risk.rescore_plugins(plugins)
    events.emit("respond:plugin:decided", account_id=str(account.pk), plugin_ids=[str(plugin.pk) for plugin in plugins])
