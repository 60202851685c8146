"""The only writer of decisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from uuid import UUID

from django.db import transaction

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory.models import Decision, DecisionState, Plugin


@transaction.atomic
def decide(account: Account, plugin_ids: Iterable[UUID], *, state: str, note: str, until: date | None = None, actor: str) -> int:
    """Decide on plugins by their app ids, in every connector of the account. Returns how many apps.

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
    for app_id, name in apps.items():
        Decision.objects.filter(account=account, app_id=app_id, superseded_at__isnull=True).update(superseded_at=now())
        Decision.objects.create(
            account=account, app_id=app_id, state=state, by=actor, at=now(), until=until, note=note.replace("\x00", "").strip()
        )
        audit.record(account.id, actor=actor, action="respond:plugin:decided", subject=name, state=state)
    Plugin.objects.filter(connector__account=account, app_id__in=apps).update(decision=state)
    return len(apps)
