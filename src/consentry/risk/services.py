"""The only writer of levels, scores and what an account changes about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.connect.models import Connector
from consentry.core import events
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory import queries as inventory
from consentry.inventory.locks import plugins_held
from consentry.inventory.models import PermissionDefinition, Plugin
from consentry.providers.entra.values import array
from consentry.risk import queries
from consentry.risk.catalogue import SIGN_IN, judge, level_of
from consentry.risk.facts import Facts
from consentry.risk.models import RogueApp, SignalFactor
from consentry.risk.score import VERSION, score
from consentry.risk.signals import BY_KEY
from consentry.sync import services as sync
from consentry.sync.models import SyncRun, TouchedPlugin
from consentry.sync.staging import Row, encode

MOST_FACTOR = 2.0
_AT_ONCE = 5500  # plugins whose facts are in memory side by side
_SIDE_BY_SIDE = 2  # parts of a larger tenant: while one waits for the database the other is scored
_LEVELS = """
UPDATE inventory_permissiondefinition d SET service = n.service, level = n.level, takeover = n.takeover, data = n.data
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::float8[], %s::float8[]) AS n(id, service, level, takeover, data) WHERE d.id = n.id
"""
_NEW = """
CREATE TEMP TABLE new_score (id uuid, connected_to text[], permission_level text, risk_score float8, risk_level text, risk jsonb) ON COMMIT DROP
"""
_WRITE = """
WITH differs AS (
  SELECT n.*, p.risk_score IS DISTINCT FROM n.risk_score OR NOT p.risk ? 'version' AS moved FROM new_score n JOIN inventory_plugin p USING (id)
  WHERE (p.connected_to, p.permission_level, p.risk_score, p.risk_level, p.risk)
    IS DISTINCT FROM (n.connected_to, n.permission_level, n.risk_score, n.risk_level, n.risk)),
points AS (
  INSERT INTO risk_scorepoint (plugin_id, at, score, level, version)
  SELECT id, %(now)s, risk_score, risk_level, %(version)s FROM differs WHERE moved)
UPDATE inventory_plugin p SET connected_to = n.connected_to, permission_level = n.permission_level, risk_score = n.risk_score, risk_level = n.risk_level, risk = n.risk
FROM differs n WHERE n.id = p.id
"""
_DECISIONS = """
UPDATE inventory_plugin p SET decision = d.state
FROM inventory_decision d JOIN connect_connector c ON c.account_id = d.account_id
WHERE c.id = %s AND p.connector_id = c.id AND p.app_id = d.app_id AND d.superseded_at IS NULL AND p.decision IS DISTINCT FROM d.state
"""


def rescore_run(run_id: int) -> None:
    """Score the plugins that a run touched, all of them after a full run as time counts too, and close the run.

    A large tenant's are scored part by part, each in a transaction of its own; after a kill all of it is done again.
    """
    run = SyncRun.objects.select_related("connector").get(pk=run_id)
    stale = Plugin.objects.filter(connector_id=run.connector_id, removed_at__isnull=True).exclude(risk__version=VERSION)
    touched = TouchedPlugin.objects.filter(run_id=run_id).values_list("plugin__service_principal_id", flat=True)
    rescore(run.connector, None if run.mode == "full" or stale.exists() else list(touched))
    with transaction.atomic():
        sync.finish_run(run_id, inventory.counts(run.connector_id))
        events.emit("risk:run:scored", run_id=run_id)


def rescore(connector: Connector, only: list[UUID] | None = None) -> int:
    """Levels of the tenant's permissions, and services, level and score of every plugin, or of those with these object ids.

    Writes only what differs, and returns how many plugins that were.
    """
    with plugins_held(connector.pk):
        _judge_definitions(connector.pk)
        return _rescore(connector, only)


def _rescore(connector: Connector, only: list[UUID] | None) -> int:
    if only is not None and not only:
        return 0
    factors = queries.factors(connector.account_id)
    alone = connection.in_atomic_block  # what it has written nobody else can see
    parts = list(_parts(connector, only, _AT_ONCE if alone else _AT_ONCE // _SIDE_BY_SIDE))
    known = queries.gathered(connector, only if len(parts) == 1 else None)
    if len(parts) == 1 or alone:
        written = sum(_rescore_part(connector, part, factors, known) for part in parts)
    else:
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            written = sum(pool.map(lambda part: _rescore_aside(connector, part, factors, known), parts))
    with connection.cursor() as cursor:
        cursor.execute(_DECISIONS, [connector.pk])
    return written


def _rescore_aside(connector: Connector, part: list[UUID] | None, factors: dict[str, float], known: queries.Gathered) -> int:
    """Score a part in a thread of its own, which has a connection of its own."""
    try:
        return _rescore_part(connector, part, factors, known)
    finally:
        connection.close()


def _rescore_part(connector: Connector, part: list[UUID] | None, factors: dict[str, float], known: queries.Gathered) -> int:
    others = connection.in_atomic_block  # a caller's transaction, which must last
    with transaction.atomic(), connection.cursor() as cursor:
        if not others:
            cursor.execute("SET LOCAL synchronous_commit = off")  # lost in a crash, it is scored again
        cursor.execute("SELECT 1 FROM connect_connector WHERE id = %s FOR KEY SHARE", [connector.pk])
        if cursor.fetchone() is None:
            return 0  # deleted meanwhile
        # a list, for COPY and the cursor behind the iterator share one connection
        return _write([_scored(plugin, facts, factors) for plugin, facts in queries.facts(connector, part, known)])


def _parts(connector: Connector, only: list[UUID] | None, size: int) -> Iterator[list[UUID] | None]:
    """The plugins in parts, so that memory does not grow with the tenant; None for all of a tenant that fits."""
    if only is None:
        found = Plugin.objects.filter(connector=connector, removed_at__isnull=True)
        if found.count() <= _AT_ONCE:
            yield None
            return
        only = list(found.order_by("service_principal_id").values_list("service_principal_id", flat=True))
    if len(only) <= _AT_ONCE:
        size = _AT_ONCE
    for start in range(0, len(only), size):
        yield only[start : start + size]


@transaction.atomic
def rescore_plugins(plugins: Iterable[Plugin]) -> None:
    """Score these plugins again."""
    by_connector: dict[UUID, list[UUID]] = {}
    for plugin in plugins:
        by_connector.setdefault(plugin.connector_id, []).append(plugin.service_principal_id)
    for connector in Connector.objects.filter(pk__in=by_connector):
        _rescore(connector, by_connector[connector.pk])


def _judge_definitions(connector_id: UUID) -> None:
    changed = []
    fields = ("pk", "value", "kind", "resource_app_id", "service", "level", "takeover", "data")
    for key, value, kind, app_id, *stored in PermissionDefinition.objects.filter(connector_id=connector_id).values_list(*fields):
        judged = judge(value, kind=kind, resource_app_id=str(app_id or ""))
        wanted = [judged.service, judged.level, judged.takeover, judged.data]
        if stored != wanted:
            changed.append((key, *wanted))
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_LEVELS, [list(column) for column in zip(*changed, strict=True)])


def _scored(plugin: Any, facts: Facts, factors: dict[str, float]) -> Row:
    result = score(facts, factors)
    services: set[str] = set()
    furthest = 0.0
    for held in facts.permissions:
        judged = held.judged
        services.add(judged.service)
        furthest = max(furthest, judged.takeover, judged.data)
    services.discard(SIGN_IN)
    explained = msgspec.json.encode(result.as_data()).decode().replace("\\u0000", "")
    return str(plugin.id), array(sorted(services)), level_of(furthest), str(result.score), result.level, explained


def _write(rows: list[Row]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEW)
        with cursor.copy("COPY new_score FROM STDIN") as copy:
            copy.write(encode(rows))
        cursor.execute(_WRITE, {"now": now(), "version": VERSION})
        written = int(cursor.rowcount)
        cursor.execute("DROP TABLE new_score")
        return written


@transaction.atomic
def set_factors(account: Account, factors: Mapping[str, float], *, actor: str) -> None:
    """Make these the account's factors, all others 1, and score everything again. Raises ``ConsentryError`` for what can't be."""
    wanted = checked_factors(factors)
    SignalFactor.objects.filter(account=account).delete()
    SignalFactor.objects.bulk_create(
        SignalFactor(account=account, signal=key, factor=factor, by=actor, at=now()) for key, factor in wanted.items()
    )
    audit.record(account.id, actor=actor, action="risk:weights:changed", subject="Risk weights", factors=wanted)
    events.emit("risk:weights:changed", account_id=str(account.pk))


def checked_factors(factors: Mapping[str, float]) -> dict[str, float]:
    """Factors without those that change nothing. Raises ``ConsentryError`` for an unknown signal or a factor outside 0 to 2."""
    for key, factor in factors.items():
        if key not in BY_KEY or not 0 <= factor <= MOST_FACTOR:
            raise ConsentryError(
                "factor_unknown", f"There is no signal {key}, or its factor is not from 0 to 2.", "Choose one of the list."
            )
    return {key: factor for key, factor in factors.items() if factor != 1}


@transaction.atomic
def mark_rogue(account: Account, app_id: UUID, *, note: str, actor: str) -> None:
    """Hold an app id to be rogue, in every tenant of the account."""
    RogueApp.objects.update_or_create(account=account, app_id=app_id, defaults={"note": note.replace("\x00", ""), "by": actor, "at": now()})
    _rogues_changed(account, app_id, actor, "added")


@transaction.atomic
def unmark_rogue(account: Account, app_id: UUID, *, actor: str) -> None:
    """Take an app id off the account's list."""
    if RogueApp.objects.filter(account=account, app_id=app_id).delete()[0]:
        _rogues_changed(account, app_id, actor, "removed")


def _rogues_changed(account: Account, app_id: UUID, actor: str, deed: str) -> None:
    audit.record(account.id, actor=actor, action=f"risk:rogue:{deed}", subject=str(app_id))
    plugins = list(Plugin.objects.filter(connector__account=account, app_id=app_id, removed_at__isnull=True))
    rescore_plugins(plugins)
    events.emit("risk:plugins:scored", account_id=str(account.pk), plugin_ids=[str(plugin.pk) for plugin in plugins])


@transaction.atomic
def rescore_account(account_id: UUID) -> int:
    """Score every plugin of an account again. Returns how many differ now."""
    differ = sum(rescore(connector) for connector in Connector.objects.filter(account=account_id))
    events.emit("risk:account:scored", account_id=str(account_id))
    return differ
