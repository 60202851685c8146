"""From a sync to an alert to its end."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from tests.world import World

from consentry.accounts import services as accounts
from consentry.inventory.models import Plugin
from consentry.policy import queries, services
from consentry.policy.models import Alert, AlertState, Policy


@pytest.fixture
def client_of(db: None) -> Any:
    def make(role: str) -> Client:
        person, _ = accounts.add_person(
            accounts.default_account(), f"{role}@demo.example", role=role, actor="test", password="correct horse b"
        )
        client = Client(headers={"host": "localhost"})
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make


def live() -> set[tuple[str, str]]:
    return {
        (alert.policy.key, alert.plugin.name) for alert in queries.alerts(accounts.default_account().pk, states=("open", "acknowledged"))
    }


def rogue(world: World) -> str:
    """Some app becomes one that attackers are known for."""
    found = next(
        key
        for key, row in world.directory.service_principals.items()
        if row["appOwnerOrganizationId"] not in (None, "f8cdef31-a31e-4b4a-93e4-5f571e91255a")
    )
    world.directory.update_app(found, appId="ff8d92dc-3d82-41d6-bcbd-b9174d163620", displayName="PERFECTDATA")
    return found


def test_a_rogue_app_becomes_an_alert_once_and_resolves_when_it_goes(make_world: Any) -> None:
    world = make_world(plugins=30, users=40)
    world.sync()
    assert not [one for one in live() if one[0] == "rogue_app"]
    found = rogue(world)
    world.sync()
    assert ("rogue_app", "PERFECTDATA") in live()
    world.sync()
    assert Alert.objects.filter(policy__key="rogue_app").count() == 1
    world.directory.delete_app(found)
    world.sync()
    alert = Alert.objects.get(policy__key="rogue_app")
    assert (alert.state, alert.closed_by) == (AlertState.RESOLVED, "Consentry")


def test_a_secret_on_another_firms_app_is_told_in_the_run_that_finds_it(make_world: Any) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    strong = Plugin.objects.filter(origin="third_party", permission_level__in=["high", "critical"], connector_id=world.connector_id)
    powerful = strong.filter(alerts=None).order_by("name").first()  # one with a key from the start would be told again
    assert powerful is not None
    world.directory.add_secret(str(powerful.service_principal_id), "fresh")
    world.sync()
    assert ("credential_added", powerful.name) in live()
    alert = Alert.objects.get(policy__key="credential_added", plugin=powerful)
    services.change_alert(alert, "dismissed", reason="Ours", actor="me")
    world.sync()
    assert ("credential_added", powerful.name) not in live()
    world.directory.add_secret(str(powerful.service_principal_id), "another")
    world.sync()
    alert.refresh_from_db()
    assert (alert.state, alert.times) == (AlertState.OPEN, 2)


def test_a_quiet_tenant_is_quiet(make_world: Any) -> None:
    world = make_world(plugins=30, users=40)
    world.sync()
    assert {key for key, _ in live()} <= {"impersonation"}
    before = live()
    world.sync()
    assert live() == before


def test_the_life_of_an_alert_on_the_pages(world: World, client_of: Any) -> None:
    rogue(world)
    world.sync()
    alert = Alert.objects.get(policy__key="rogue_app", plugin__name="PERFECTDATA")
    analyst, viewer = client_of("analyst"), client_of("viewer")
    assert "A known rogue app is in the tenant" in viewer.get("/alerts/").content.decode()
    address = f"/alerts/{alert.pk}/"
    assert "Acknowledge" not in viewer.get(address).content.decode()
    assert viewer.post(f"{address}change/", {"state": "resolved"}).status_code == 403
    analyst.post(f"{address}change/", {"state": "acknowledged"})
    alert.refresh_from_db()
    assert (alert.state, alert.assignee) == ("acknowledged", "analyst@demo.example")
    assert "needs a reason" in analyst.post(f"{address}change/", {"state": "dismissed"}, follow=True).content.decode()
    analyst.post(f"{address}change/", {"state": "dismissed", "reason": "Test <script>"})
    assert "Test &lt;script&gt;" in analyst.get(address).content.decode()
    assert address not in viewer.get("/alerts/").content.decode()
    assert address in viewer.get("/alerts/?view=closed").content.decode()


def test_a_policy_that_is_off_tells_nothing(world: World, client_of: Any) -> None:
    owner = client_of("owner")
    assert "A known rogue app is in the tenant" in owner.get("/policies/").content.decode()
    owner.post("/policies/rogue_app/switch/", {"state": "off"})
    rogue(world)
    world.sync()
    assert not Alert.objects.filter(policy__key="rogue_app", plugin__name="PERFECTDATA").exists()
    assert client_of("analyst").post("/policies/rogue_app/switch/", {"state": "active"}).status_code == 403
    owner.post("/policies/rogue_app/switch/", {"state": "active"})
    services.look_at(Policy.objects.get(key="rogue_app").pk)
    assert ("rogue_app", "PERFECTDATA") in live(), "what was missed while it was off is told at once"


def test_how_a_predefined_policy_alerts_can_be_changed(world: World, client_of: Any) -> None:
    owner = client_of("owner")
    changed = {"state": "active", "severity": "medium", "cooldown_hours": "48"}
    assert "Its usual severity" not in owner.get("/policies/rogue_app/").content.decode()
    owner.post("/policies/rogue_app/switch/", changed)
    assert "Its usual severity is critical." in owner.get("/policies/rogue_app/").content.decode()
    rogue(world)
    world.sync()
    alert = Alert.objects.get(policy__key="rogue_app", plugin__name="PERFECTDATA")
    assert alert.severity == "medium"
    services.change_alert(alert, "resolved", actor="me")
    services.evaluate_account(accounts.default_account().pk)
    assert ("rogue_app", "PERFECTDATA") not in live(), "it rests for 48 hours"
    owner.post("/policies/rogue_app/switch/", changed | {"severity": "critical", "cooldown_hours": "0"})
    assert Policy.objects.get(key="rogue_app").severity == "", "the product's own again, also when that changes"
    services.evaluate_account(accounts.default_account().pk)
    alert.refresh_from_db()
    assert (alert.state, alert.severity) == ("open", "critical")
    answer = owner.post("/policies/rogue_app/switch/", changed | {"severity": "awful"}, follow=True)
    assert "does not exist" in answer.content.decode()
    answer = owner.post("/policies/rogue_app/switch/", changed | {"severity": "none"}, follow=True)
    assert "does not exist" in answer.content.decode()
    assert "How it alerts" not in client_of("viewer").get("/policies/rogue_app/").content.decode()


def test_an_alert_says_in_words_what_changed(make_world: Any, client_of: Any) -> None:
    world = make_world(plugins=60, users=60)
    world.sync()
    alert = Alert.objects.filter(policy__key="credential_added").first()
    assert alert
    page = client_of("viewer").get(f"/alerts/{alert.pk}/").content.decode()
    assert "What changed: It was there at the first sync." in page


def test_many_alerts_are_found_and_worked_at_once(make_world: Any, client_of: Any) -> None:
    make_world(plugins=120, users=200).sync()
    analyst, viewer = client_of("analyst"), client_of("viewer")
    account = accounts.default_account()
    everything = list(queries.alerts(account.pk))
    grave = [one for one in everything if one.severity == "critical"]
    page = analyst.get("/alerts/?severity=critical").content.decode()
    assert all(str(one.pk) in page for one in grave)
    assert not any(str(one.pk) in page for one in everything if one.severity != "critical")
    name = grave[0].plugin.name
    found = analyst.get("/alerts/", {"q": name}).content.decode()
    assert [str(one.pk) in found for one in everything] == [name.lower() in one.plugin.name.lower() for one in everything]
    assert "No alert matches" in analyst.get("/alerts/?q=nothing-is-called-so").content.decode()
    ticked = [str(one.pk) for one in everything[:3]]
    form = {"alert": ticked, "query": "severity=critical"}
    answer = analyst.post("/alerts/change/", {**form, "deed": "mine"})
    assert answer.headers["Location"] == "/alerts/?severity=critical"
    mine = analyst.get("/alerts/?given=analyst@demo.example").content.decode()
    assert [str(one.pk) in mine for one in everything] == [str(one.pk) in ticked for one in everything]
    nobodys = analyst.get("/alerts/?given=nobody").content.decode()
    assert not any(pk in nobodys for pk in ticked)
    answer = analyst.post("/alerts/change/", {**form, "deed": "dismissed"}, follow=True)
    assert "A dismissal needs a reason" in answer.content.decode()
    assert Alert.objects.filter(state="dismissed").count() == 0, "all or none"
    analyst.post("/alerts/change/", {**form, "deed": "dismissed", "reason": "A drill"})
    assert set(Alert.objects.filter(state="dismissed", reason="A drill").values_list("pk", flat=True)) == {one.pk for one in everything[:3]}
    answer = analyst.post("/alerts/change/", {"alert": [*ticked, str(everything[3].pk)], "deed": "resolved"}, follow=True).content.decode()
    assert "1 alert resolved. 3 were closed already and stayed so." in answer
    assert Alert.objects.filter(state="dismissed", reason="A drill").count() == 3
    assert "No alert is ticked" in analyst.post("/alerts/change/", {"deed": "resolved"}, follow=True).content.decode()
    assert viewer.post("/alerts/change/", {**form, "deed": "resolved"}).status_code == 403
    assert 'name="alert"' not in viewer.get("/alerts/").content.decode()


def test_an_alert_keeps_what_was_done_with_it(make_world: Any, client_of: Any) -> None:
    make_world(plugins=120, users=200).sync()
    analyst, pk = client_of("analyst"), queries.alerts(accounts.default_account().pk)[0].pk
    for form in (
        {"state": "acknowledged", "reason": "I ask the owner"},
        {"comment": "She is away"},
        {"state": "dismissed", "reason": "A drill"},
        {"state": "open", "reason": ""},
    ):
        analyst.post(f"/alerts/{pk}/change/", form)
    page = analyst.get(f"/alerts/{pk}/").content.decode()
    places = [
        page.index(text) for text in ("Opened.", "Acknowledged. I ask the owner", "She is away", "Dismissed. A drill", "Opened again.")
    ]
    assert places == sorted(places)
    told = queries.as_data(Alert.objects.get(pk=pk))["comments"]
    assert [(one["text"], one["event"]) for one in told if not one["event"]] == [("She is away", False)]
