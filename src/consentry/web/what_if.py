"""What if permissions were removed: each one alone, those that were ticked, and the fewest that lower the level. Nothing is stored."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from consentry.inventory.models import Plugin
from consentry.providers.entra.values import guid
from consentry.risk import queries as risk
from consentry.risk.catalogue import LEVELS
from consentry.risk.facts import Facts, Held
from consentry.risk.lower import alone, lower
from consentry.risk.score import Score, score, without
from consentry.web.access import ConsoleRequest, require_role

_WORTH_IT = LEVELS.index("medium")  # from this level on, a page says what would lower it


@require_role("viewer")
def what_if(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The score without the permissions that were ticked."""
    found = get_object_or_404(Plugin.objects.select_related("connector"), pk=pk, connector__account=request.user.account)
    facts = _facts(found)
    answer = _without(facts, set(request.GET.getlist("without")), risk.factors(request.user.account_id)) if facts else {}
    return render(request, "inventory/what_if.html", {"plugin": found, **answer})


def weighed(found: Plugin, rows: list[dict[str, Any]], ticked: set[str]) -> dict[str, Any]:
    """What the card of a plugin's permissions shows: ``permissions``, which are ``rows`` with what each weighs, ``lower`` and the answer."""
    facts = _facts(found)
    if facts is None:
        return {"permissions": rows}
    factors = risk.factors(found.connector.account_id)
    present = score(facts, factors)
    proposal = _lower(facts, present, factors)
    proposed = {_key(held) for held in proposal["held"]} if proposal else set()
    weights: dict[tuple[str, str, str], dict[str, Any]] = {}
    for held, result in alone(facts, factors).items():
        key = _key(held)
        weights[held.kind, held.resource, held.value] = {
            "key": key,
            "score": result,
            "lower": result < present.score,
            "offered": result < present.score or held.judged.level != "low" or key in proposed,
            "ticked": key in ticked,
        }
    return {
        "permissions": [{**row, "lowers": _of(weights, row)} for row in rows],
        "lower": proposal,
        **_without(facts, ticked, factors),
    }


def _facts(found: Plugin) -> Facts | None:
    return next((facts for _, facts in risk.facts(found.connector, [found.service_principal_id])), None)


def _without(facts: Facts, ticked: set[str], factors: dict[str, float]) -> dict[str, Any]:
    dropped = [held for held in facts.permissions if _key(held) in ticked]
    return {"result": without(facts, *dropped, factors=factors), "number": len(dropped)} if dropped else {}


def _lower(facts: Facts, present: Score, factors: dict[str, float]) -> dict[str, Any] | None:
    """The fewest permissions that lower the level, or why none do; None where there is nothing to say."""
    if not facts.permissions or LEVELS.index(present.level) < _WORTH_IT:
        return None
    answer = lower(facts, factors)
    keys = dict.fromkeys(_key(held) for held in answer.permissions)
    return {
        "held": answer.permissions,
        "result": answer.result,
        "stays": answer.stays,
        "query": urlencode({"without": list(keys)}, doseq=True),
    }


def _of(weights: dict[tuple[str, str, str], dict[str, Any]], row: dict[str, Any]) -> dict[str, Any] | None:
    """A row's own: what its resource doesn't define has an id as its value there, and none in the facts."""
    for resource in (row["resource"], risk.UNKNOWN_RESOURCE):
        if weight := weights.get((row["kind"], resource, "" if guid(row["value"]) else row["value"])):
            return weight
    return None


def _key(held: Held) -> str:
    """Short, as hundreds of them fit in an address."""
    return blake2s(f"{held.kind}|{held.resource}|{held.value}".encode(), digest_size=6).hexdigest()
