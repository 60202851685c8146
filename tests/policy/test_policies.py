"""Policies on tenants: quiet where all is well, loud where it is not, and built by people."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.world import World

from consentry.accounts import services as accounts
from consentry.accounts.models import Account
from consentry.core.errors import ConsentryError
from consentry.inventory.models import Decision, Plugin, TenantFact
from consentry.policy import conditions, queries, services
from consentry.policy.models import Alert, Policy
from consentry.policy.predefined import PREDEFINED
from consentry.respond import services as respond
from consentry.risk import services as risk
from consentry.simulator import azure

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RISKY: list[list[dict[str, Any]]] = [[{"field": "risk", "value": ["high", "critical"]}]]


def live(**which: Any) -> set[tuple[str, str]]:
    found = queries.alerts(accounts.default_account().pk, states=("open", "acknowledged"), **which)
    return {(alert.policy.key, alert.plugin.name) for alert in found}


def save(account: Account, **which: Any) -> Policy:
    usual: dict[str, Any] = {"title": "Ours", "why": "", "severity": "low", "rule": RISKY, "state": "active", "cooldown_hours": 0}
    return services.save_policy(account, None, actor="me", **(usual | which))


def third_party(world: World, **which: Any) -> Plugin:
    found = Plugin.objects.filter(connector_id=world.connector_id, origin="third_party", **which).order_by("risk_score", "name").first()
    assert found is not None
    return found


def test_a_healthy_tenant_gives_at_most_one_alert_a_week(make_world: Callable[..., World]) -> None:
    """A week of ordinary days: people begin to use what others use, a vendor is tried, keys are renewed, somebody leaves."""
    world = make_world(plugins=150, users=250, healthy=True)
    world.sync()
    directory, rng = world.directory, random.Random(5)
    used = {grant.client_id: grant for grant in directory.grants.values() if grant.principal_id}
    own = [row for row in directory.applications.values() if row["passwordCredentials"]]
    for day in range(7):
        for grant in rng.sample(list(used.values()), k=12):
            directory.grant(grant.client_id, grant.resource_id, grant.scope, principal_id=rng.choice(list(directory.users)))
        tried = rng.choice([row for row in directory.service_principals.values() if row["id"] in used])
        graph = next(grant.resource_id for grant in used.values())
        row = {
            **tried,
            "id": f"00000000-0000-4000-8000-00000000000{day}",
            "appId": f"00000000-0000-4000-9000-00000000000{day}",
            "displayName": f"Trial {day}",
        }
        directory.add_app({**row, "passwordCredentials": [], "keyCredentials": []})
        directory.grant(row["id"], graph, "openid profile User.Read Calendars.Read", principal_id=rng.choice(list(directory.users)))
        if own:
            renewed = directory.by_app_id(rng.choice(own)["appId"])
            assert renewed is not None
            directory.add_secret(renewed["id"], f"renewed {day}")
        directory.delete_user(rng.choice(list(directory.users)[10:]))
        directory.update_app(rng.choice(list(directory.service_principals)), notes=f"Looked at on day {day}")
        world.sync()
    assert Alert.objects.count() <= 1, live()


def test_the_stories_of_attacks_are_told(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=120, users=200)
    world.sync()
    told = {key for key, _ in live()}
    assert {"rogue_app", "impersonation", "consent_burst", "credential_added"} <= told


def test_a_sanctioned_plugin_that_drifts_is_told_until_it_is_approved_again(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60, healthy=True)
    world.sync()
    plugin = third_party(world, users__gt=0)
    account = accounts.default_account()
    respond.decide(account, [plugin.pk], state="sanctioned", note="Looked at", actor="me")
    graph = next(row for row in world.directory.service_principals.values() if len(row["appRoles"]) > 3)
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "Mail.ReadWrite")
    world.directory.assign(str(plugin.service_principal_id), graph["id"], role)
    world.sync()
    plugin.refresh_from_db()
    assert plugin.risk_level in {"high", "critical"}
    assert plugin.risk["reasons"][0]["signal"] == "drift"
    assert "Mail.ReadWrite" in plugin.risk["reasons"][0]["evidence"]
    assert ("drift", plugin.name) in live()
    respond.decide(account, [plugin.pk], state="sanctioned", note="Fine", actor="me")
    services.evaluate_plugins(account.pk, [plugin.pk])
    plugin.refresh_from_db()
    assert "drift" not in {reason["signal"] for reason in plugin.risk["reasons"]}
    assert ("drift", plugin.name) not in live()
    assert Decision.objects.filter(app_id=plugin.app_id, superseded_at__isnull=True).count() == 1
    azure.assignment(world.directory, str(plugin.service_principal_id), azure.OWNER, world.directory.subscriptions[0]["id"])
    world.sync(full=True)
    plugin.refresh_from_db()
    drift = next(reason for reason in plugin.risk["reasons"] if reason["signal"] == "drift")
    assert "got the role Owner on subscription Production" in drift["evidence"]
    assert ("drift", plugin.name) in live()
    TenantFact.objects.filter(connector_id=world.connector_id, name="azure_roles").delete()  # as before the reader was let into Azure
    respond.decide(account, [plugin.pk], state="sanctioned", note="Fine", actor="me")
    world.sync(full=True)
    plugin.refresh_from_db()
    assert "drift" not in {reason["signal"] for reason in plugin.risk["reasons"]}, "what could not be read then is not new"


def test_a_plugin_that_wakes_up_and_one_that_becomes_an_administrator(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=80, users=60, healthy=True)
    slept = next(row for row in world.directory.activities if row.get("lastSignInActivity"))
    slept["lastSignInActivity"]["lastSignInDateTime"] = (datetime.now(UTC) - timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in ("delegatedClientSignInActivity", "applicationAuthenticationClientSignInActivity"):
        slept[name] = None
    world.sync()
    plugin = Plugin.objects.get(connector_id=world.connector_id, app_id=slept["appId"])
    graph = next(row for row in world.directory.service_principals.values() if len(row["appRoles"]) > 3)
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "Mail.ReadWrite")
    world.directory.assign(str(plugin.service_principal_id), graph["id"], role)
    world.sync()
    slept["lastSignInActivity"]["lastSignInDateTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    definition = world.directory.role_definitions[0]
    world.directory.role_assignments.append(
        {"id": "r", "roleDefinitionId": definition["id"], "principalId": str(plugin.service_principal_id), "directoryScopeId": "/"}
    )
    summary = world.full()
    assert summary["changes"]["plugin_woke_up"] == 1
    assert summary["changes"]["roles_changed"] == 1
    assert {("woke_up", plugin.name), ("role_added", plugin.name)} <= live()
    plugin.refresh_from_db()
    assert plugin.risk["reasons"][0]["signal"] == "directory_roles"


def test_a_plugin_that_becomes_an_owner_in_azure(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=80, users=60, healthy=True)
    world.sync()
    plugin = Plugin.objects.filter(connector_id=world.connector_id, origin="third_party", risk_level="low").first()
    assert plugin
    production = world.directory.subscriptions[0]
    azure.assignment(world.directory, str(plugin.service_principal_id), azure.OWNER, production["id"])
    summary = world.full()
    assert summary["changes"]["azure_roles_changed"] == 1
    plugin.refresh_from_db()
    assert plugin.risk_level == "high"
    assert plugin.risk["reasons"][0]["signal"] == "azure_roles"
    assert "Owner on subscription Production" in plugin.risk["reasons"][0]["evidence"]
    assert ("role_added", plugin.name) in live()
    other = Plugin.objects.filter(connector_id=world.connector_id, origin="managed_identity").first()
    assert other
    azure.assignment(world.directory, str(other.service_principal_id), azure.READER, f"{production['id']}/resourceGroups/web")
    assert world.full()["changes"]["azure_roles_changed"] == 1
    assert {name for key, name in live() if key == "role_added"} == {plugin.name}
    assert world.full()["changes"].get("azure_roles_changed", 0) == 0


def test_an_apps_first_use_does_not_hide_the_key_that_it_got(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=80, users=60, healthy=True)
    directory = world.directory
    row = next(
        row for row in directory.service_principals.values() if row["appId"] in {one["appId"] for one in directory.applications.values()}
    )
    row["createdDateTime"] = (datetime.now(UTC) - timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")
    graph = next(one for one in directory.service_principals.values() if len(one["appRoles"]) > 3)
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "Mail.ReadWrite")
    directory.assign(row["id"], graph["id"], role)
    activity = next((one for one in directory.activities if one["appId"] == row["appId"]), None)
    if activity:
        directory.activities.remove(activity)
    world.sync()
    plugin = Plugin.objects.get(connector_id=world.connector_id, app_id=row["appId"])
    Plugin.objects.filter(pk=plugin.pk).update(last_used=None, last_used_state="never")
    directory.add_secret(row["id"], "mine")
    used = next(one for one in directory.activities if one.get("lastSignInActivity"))
    today = {"lastSignInDateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "lastSignInRequestId": "r"}
    directory.activities.append({**used, "id": "first", "appId": row["appId"], "lastSignInActivity": today})
    world.full()
    plugin.refresh_from_db()
    assert plugin.last_used_state == "known"
    assert plugin.risk["reasons"][0]["signal"] == "dormant_credential", plugin.risk["reasons"]
    assert ("dormant_credential", plugin.name) in live()


def test_audit_mode_counts_and_tells_nobody_until_it_is_active(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    account = accounts.default_account()
    before = live()
    made = services.save_policy(
        account, None, title="Ours", why="", severity="low", rule=RISKY, state="audit", cooldown_hours=0, actor="me"
    )
    assert ProcrastinateJob.objects.filter(task_name="policy.look_at", args={"policy_id": str(made.pk)}).exists()
    services.look_at(made.pk)
    assert live() == before
    silent = live(audit=True)
    assert {key for key, _ in silent} == {made.key}
    services.set_state(account, made.key, "active", actor="me")
    assert services.look_at(made.pk) == len(silent)
    assert live() == before | silent
    ProcrastinateJob.objects.filter(task_name="policy.look_at").delete()
    services.set_state(account, made.key, "audit", actor="me")
    services.set_state(account, made.key, "off", actor="me")
    services.set_state(account, "woke_up", "off", actor="me")
    services.set_state(account, "woke_up", "active", actor="me")
    queued = ProcrastinateJob.objects.filter(task_name="policy.look_at")
    assert not queued.exists(), "nothing matches one that is off, or that waits for a change"
    assert (services.look_at(made.pk), services.look_at(uuid4())) == (0, 0), "switched off or deleted before its turn"


def test_two_that_find_the_same_match_open_one_alert(make_world: Callable[..., World]) -> None:
    """A sync looks at a policy that a person just switched on."""
    make_world(plugins=60, users=60).sync()
    account = accounts.default_account()
    made = save(account, state="active")

    def other() -> int:
        try:
            return services.evaluate_account(account.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            found = services.look_at(made.pk)
            second = pool.submit(other)
            deadline = monotonic() + 30
            while not second.done():
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() != (0,):
                    break
                assert monotonic() < deadline
                sleep(0.02)
        assert (found > 0, second.result(60)) == (True, 0)
    assert Alert.objects.filter(policy=made).count() == found


@pytest.mark.django_db
def test_no_policy_is_of_no_severity() -> None:
    account = accounts.default_account()
    for state in ("active", "off"):
        with pytest.raises(ConsentryError, match="does not exist"):
            services.adjust(account, "rogue_app", state=state, severity="none", cooldown_hours=0, actor="me")
        with pytest.raises(ConsentryError, match="does not exist"):
            save(account, state=state, severity="none")
    assert not Policy.objects.filter(severity="none").exists()
    assert not Policy.objects.exclude(state="active").exists()


def test_the_cool_down_keeps_a_closed_alert_closed(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    account = accounts.default_account()
    made = services.save_policy(
        account, None, title="Ours", why="", severity="low", rule=RISKY, state="active", cooldown_hours=4, actor="me"
    )
    services.look_at(made.pk)
    alert = Alert.objects.filter(policy=made).first()
    assert alert is not None
    services.change_alert(alert, "resolved", actor="me")
    services.evaluate(account, [alert.plugin_id], {})
    alert.refresh_from_db()
    assert alert.state == "resolved"
    Alert.objects.filter(pk=alert.pk).update(closed_at=datetime.now(UTC) - timedelta(hours=5))
    services.evaluate(account, [alert.plugin_id], {})
    alert.refresh_from_db()
    assert (alert.state, alert.times) == ("open", 2)


def test_time_alone_makes_alerts_due_with_the_next_full_run(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60, healthy=True)
    world.sync()
    account = accounts.default_account()
    plugin, other = Plugin.objects.filter(connector_id=world.connector_id, origin="third_party").order_by("name")[:2]
    respond.decide(account, [plugin.pk], state="risk_accepted", note="For now", until=NOW.date(), actor="me")
    rule: list[list[dict[str, Any]]] = [[{"field": "undecided", "value": 14.0}], [{"field": "name", "value": other.name}]]
    undecided = services.save_policy(
        account, None, title="Undecided", why="", severity="low", rule=rule, state="active", cooldown_hours=0, actor="me"
    )
    Decision.objects.filter(app_id=plugin.app_id).update(until=datetime.now(UTC).date() - timedelta(days=2))
    Plugin.objects.filter(pk=other.pk).update(first_seen=datetime.now(UTC) - timedelta(days=20))
    assert not {("risk_expired", plugin.name), (undecided.key, other.name)} & live()
    world.full()
    assert {("risk_expired", plugin.name), (undecided.key, other.name)} <= live()


def test_a_dismissal_holds_until_the_condition_ends_or_the_risk_is_higher(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    account = accounts.default_account()
    alert = Alert.objects.select_related("plugin").filter(policy__key="impersonation").get()

    def seen(**plugin: Any) -> tuple[str, int]:
        Plugin.objects.filter(pk=alert.plugin_id).update(**plugin)
        services.evaluate(account, [alert.plugin_id], {})
        alert.refresh_from_db()
        return alert.state, alert.times

    services.change_alert(alert, "dismissed", reason="Ours", actor="me")
    explained = alert.plugin.risk
    assert seen(risk_level=alert.evidence["level"]) == ("dismissed", 1)
    assert seen(risk={**explained, "reasons": []}) == ("resolved", 1)
    assert alert.reason == "Ours The condition no longer holds."
    assert seen(risk=explained) == ("open", 2)
    Alert.objects.filter(pk=alert.pk).update(evidence={**alert.evidence, "level": "medium"})
    alert.refresh_from_db()
    services.change_alert(alert, "dismissed", reason="Ours", actor="me")
    assert seen(risk_level="medium") == ("dismissed", 2)
    assert seen(risk_level="high") == ("open", 3)


def test_other_weights_resolve_the_alerts_that_rest_on_them(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    assert "impersonation" in {key for key, _ in live()}
    account = accounts.default_account()
    risk.set_factors(account, {"impersonation": 0.0}, actor="me")
    risk.rescore_account(account.pk)
    assert ProcrastinateJob.objects.filter(task_name="policy.evaluate_account", args={"account_id": str(account.pk)}).exists()
    services.evaluate_account(account.pk)
    assert "impersonation" not in {key for key, _ in live()}


def test_a_key_on_an_app_of_microsofts_is_told(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60, healthy=True)
    world.sync()
    plugin = Plugin.objects.filter(connector_id=world.connector_id, origin="microsoft").order_by("name").first()
    assert plugin
    world.directory.add_secret(str(plugin.service_principal_id), "mine")
    world.sync()
    plugin.refresh_from_db()
    assert (plugin.risk_level, plugin.risk["reasons"][0]["signal"]) == ("high", "own_credentials")
    assert live() == {("credential_added", plugin.name)}


def test_a_second_key_while_the_alert_is_open_is_told_once(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    alert = Alert.objects.filter(policy__key="credential_added", state="open").first()
    assert alert
    evidence = alert.evidence
    world.directory.add_secret(str(alert.plugin.service_principal_id), "a second one")
    world.sync()
    world.sync()
    alert.refresh_from_db()
    assert (alert.state, alert.times, alert.evidence) == ("open", 2, evidence)
    assert [one.text for one in alert.comments.all()] == ["Opened.", "It happened again. A secret or certificate was added."]


def test_a_reason_that_others_left_no_points_still_counts_for_policies(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    plugin = Plugin.objects.filter(risk_level="critical").first()
    assert plugin
    plugin.risk = {**plugin.risk, "notes": [*plugin.risk["notes"], {"signal": "drift", "severity": "high", "points": 0.0}]}
    plugin.decision = "sanctioned"
    plugin.save()
    services.evaluate(accounts.default_account(), [plugin.pk], {})
    assert ("drift", plugin.name) in live()


def test_microsofts_own_apps_are_left_alone_unless_a_rule_names_them() -> None:
    facts = conditions.Facts(now=NOW, origin="microsoft", risk_level="high", last_used_state="never", publisher="Contoso Ltd", app_id="ab")
    named: list[list[dict[str, Any]]] = [*RISKY, [{"field": "origin", "value": ["own", "microsoft"]}]]
    assert not conditions.holds(RISKY, facts)
    assert conditions.holds(named, facts)
    for one in ({"field": "publisher", "value": "contoso"}, {"field": "app_id", "value": "AB"}, {"field": "use", "value": ["never"]}):
        assert conditions.holds([*named, [one]], facts)


def test_people_build_a_policy_and_see_what_it_matches(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    person, _ = accounts.add_person(
        accounts.default_account(), "a@demo.example", role="administrator", actor="test", password="correct horse b"
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert "Add a condition" in client.get("/policies/new/").content.decode()
    form = {
        "title": "Mail for many", "why": "", "severity": "medium", "state": "active", "cooldown_hours": "0",
        "c0.0.field": "permission", "c0.0.was": "permission", "c0.0.value": "mail.",
        "c0.1.field": "score", "c0.1.was": "score", "c0.1.value": "9",
        "c1.0.field": "origin", "c1.0.was": "origin", "c1.0.value": ["own", "microsoft"], "c1.0.not": "yes",
    }  # fmt: skip
    shown = client.post("/policies/draft/", {**form, "deed": "group"}).content.decode()
    wanted = queries.trial(
        accounts.default_account(),
        conditions.checked(
            [
                [{"field": "permission", "value": "mail."}, {"field": "score", "value": 9}],
                [{"field": "origin", "value": ["own", "microsoft"], "not": True}],
            ]
        ),
    )
    assert wanted.matches > 0
    assert 'name="c2.0.field"' in shown
    dropped = client.post("/policies/draft/", {**form, "deed": "drop:0.1"}).content.decode()
    assert 'name="c0.1.field"' not in dropped
    assert client.post("/policies/create/", {**form, "title": ""}).status_code == 422
    assert client.post("/policies/create/", {**form, "deed": "save-surely"}).status_code == 302
    made = Policy.objects.get(title="Mail for many")
    assert not Alert.objects.filter(policy=made).exists(), "a job opens them"
    services.look_at(made.pk)
    assert Alert.objects.filter(policy=made).count() == wanted.matches
    assert "Mail for many" in client.get("/policies/").content.decode()
    assert client.get(f"/policies/{made.key}/").status_code == 200
    assert client.get("/policies/rogue_app/").status_code == 200
    assert client.post(f"/policies/{made.key}/save/", {"deed": "delete-surely"}).status_code == 302
    assert Policy.objects.get(pk=made.pk).state == "off", "nothing opens until a job has deleted it"
    gone = {"policy_id": str(made.pk), "actor": person.email}
    assert ProcrastinateJob.objects.filter(task_name="policy.finish_deletion", args=gone).exists()
    for _ in range(2):
        services.finish_deletion(made.pk, actor=person.email)
    assert not Policy.objects.filter(pk=made.pk).exists()
    assert not Alert.objects.filter(policy=made.pk).exists()
    assert client.post("/policies/rogue_app/save/", {"deed": "delete"}).status_code == 404


def test_the_history_says_how_often_a_change_would_have_alerted(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60, healthy=True)
    world.sync()
    plugin = third_party(world)
    rule = [[{"field": "change", "value": ["credential_added"]}]]
    assert queries.trial(accounts.default_account(), rule).alerts == 0
    for name in ("one", "two"):
        world.directory.add_secret(str(plugin.service_principal_id), name)
        world.sync()
    tried = queries.trial(accounts.default_account(), rule)
    assert (tried.alerts, tried.matches, tried.of_change) == (2, 1, True)


def test_the_history_says_how_often_a_score_would_have_alerted(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    account = accounts.default_account()
    grave = [[{"field": "risk", "value": ["high", "critical"]}]]
    rose = [[{"field": "score_rose", "value": 7}]]
    first = queries.trial(account, grave)
    assert (first.matches > 0, first.alerts) == (True, 0), "what was there at first matches, and is no news"
    assert queries.trial(account, rose).alerts == 0
    plugin = third_party(world, risk_level="low")
    graph = next(row for row in world.directory.service_principals.values() if len(row["appRoles"]) > 3)
    role = next(one["id"] for one in graph["appRoles"] if one["value"] == "RoleManagement.ReadWrite.Directory")
    for _ in range(2):
        given = world.directory.assign(str(plugin.service_principal_id), graph["id"], role)
        world.sync()
        world.directory.unassign(given["id"])
        world.sync()
    tried = queries.trial(account, grave)
    assert (tried.matches, tried.alerts) == (first.matches, 2)
    tried = queries.trial(account, rose)
    assert (tried.matches, tried.alerts) == (1, 2)
    row = next(row for row in world.directory.service_principals.values() if row["id"] == str(plugin.service_principal_id))
    added = {**row, "id": str(uuid4()), "appId": "ff8d92dc-3d82-41d6-bcbd-b9174d163620", "passwordCredentials": [], "keyCredentials": []}
    world.directory.add_app(added)
    world.sync()
    assert queries.trial(account, [[{"field": "signal", "value": ["rogue_app"]}]]).alerts == 1, "it appeared, and matched at once"
    assert queries.trial(account, rose).alerts == 3, "from nothing"


def test_who_let_it_in_can_be_asked(make_world: Callable[..., World]) -> None:
    world = make_world(plugins=60, users=60, healthy=True)
    world.sync()
    grant = next(one for one in world.directory.grants.values() if one.principal_id)
    person = world.directory.users[str(grant.principal_id)]
    wanted = {one.client_id for one in world.directory.grants.values() if one.principal_id == person.id}
    tried = queries.trial(accounts.default_account(), [[{"field": "person", "value": person.upn.upper()}]])
    assert tried.matches == len(wanted)


def test_every_predefined_rule_can_be_built() -> None:
    for one in PREDEFINED:
        assert conditions.checked([list(group) for group in one.rule])
        assert all(conditions.words(one.rule, {}))


@pytest.mark.parametrize(
    "rule",
    [
        None,
        [],
        [[]],
        [[{"field": "nothing", "value": 1}]],
        [[{"field": "score", "value": "x"}]],
        [[{"field": "risk", "value": []}]],
        [["x"]],
    ],
)
def test_rules_that_cannot_be(rule: Any) -> None:
    with pytest.raises(ConsentryError):
        conditions.checked(rule)


@given(st.sampled_from(["none", "low", "high"]), st.floats(0, 10), st.booleans())
def test_not_turns_a_condition_round(level: str, score: float, turned: bool) -> None:
    facts = conditions.Facts(now=NOW, risk_level=level, score=score)
    for one in ({"field": "risk", "value": ["high"]}, {"field": "score", "value": 5.0}):
        assert conditions.holds([[{**one, "not": True}]], facts) != conditions.holds([[one]], facts)
