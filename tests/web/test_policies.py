"""The builder of policies: what it says before anything happens, and what it asks first."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from tests.web.test_pages import check

from consentry.accounts.models import Account
from consentry.connect.models import Connector
from consentry.core.clock import now
from consentry.inventory.models import Plugin
from consentry.notify import services as notify
from consentry.notify.models import ChannelKind, Delivery
from consentry.policy import services
from consentry.policy.models import Alert, Policy

RULE = {"c0.0.field": "name", "c0.0.was": "name", "c0.0.value": "Acme"}
FORM = {"title": "Acme’s", "why": "", "severity": "high", "state": "active", "cooldown_hours": "0", **RULE}


class Controls(HTMLParser):
    """The controls of a page: what is focused, and what Enter in a field presses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.focused: list[str] = []
        self.submits: list[dict[str, str | None]] = []
        self.fields: dict[str, list[str]] = {}
        self._in_main = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._in_main = self._in_main or tag == "main"
        if "autofocus" in named:
            self.focused.append(named.get("name") or tag)
        if self._in_main and tag == "button" and named.get("type", "submit") == "submit":
            self.submits.append(named)
        if self._in_main and tag == "input" and named.get("type") == "hidden":
            self.fields.setdefault(str(named["name"]), []).append(str(named["value"]))


@pytest.fixture
def plugins(connector: Connector) -> list[Plugin]:
    return [
        Plugin.objects.create(
            connector=connector,
            service_principal_id=uuid4(),
            app_id=uuid4(),
            name=f"Acme {number}",
            first_seen=now(),
            origin="third_party",
            verified_publisher=number < 3,
            risk_level="medium",
        )
        for number in range(12)
    ]


@pytest.fixture
def administrator(as_role: Callable[[str], Client], plugins: list[Plugin]) -> Client:
    return as_role("administrator")


@pytest.fixture
def channels(account: Account) -> None:
    for name, least in (("Operations", "low"), ("Desk", "high"), ("Night", "critical")):
        usual: dict[str, Any] = {"name": name, "least_severity": least, "kind": ChannelKind.WEBHOOK}
        notify.save_channel(account, None, actor="test", address="https://hooks.example/x", **usual)


def draft(client: Client, **form: Any) -> str:
    answer = client.post("/policies/draft/", {**FORM, **form})
    assert answer["HX-Trigger-After-Settle"] == "rule-changed", "the page asks for a trial of the new lines"
    page = answer.content.decode()
    check(page)
    return page


def tried(client: Client, **form: Any) -> str:
    page = client.post("/policies/tried/", {**FORM, **form}).content.decode()
    check(page)
    return page


def look(**which: Any) -> Policy:
    """What the job does that a save has queued."""
    made = Policy.objects.get(**which)
    services.look_at(made.pk)
    return made


def test_enter_in_a_field_saves(administrator: Client) -> None:
    page = administrator.get("/policies/new/").content.decode()
    check(page)
    assert [button.get("name") for button in Controls(page).submits] == [None], "nothing but Save submits"


def test_the_focus_goes_to_what_was_added_and_to_the_neighbour_of_what_was_removed(administrator: Client) -> None:
    second = {"c1.0.field": "enabled", "c1.0.was": "enabled", "c1.0.value": "yes"}
    other = {"c0.1.field": "users", "c0.1.was": "users", "c0.1.value": "3"}
    for deed, form, focused in (
        ("group", {}, "c1.0.field"),
        ("or:0", {}, "c0.1.field"),
        ("drop:0.0", second, "c0.0.field"),
        ("drop:1.0", second, "c0.0.field"),
        ("drop:0.1", {**second, **other}, "c0.0.field"),
        ("drop:0.0", {}, "p"),
        ("", second, ""),
    ):
        assert Controls(draft(administrator, **form, deed=deed)).focused == ([focused] if focused else []), deed


def test_yes_or_no_is_tried_at_once_and_other_values_are_asked_for_mildly(administrator: Client) -> None:
    other = {"c0.0.field": "verified"}
    assert '<option value="yes" selected>' in draft(administrator, **other)
    assert "<strong>3 plugins</strong> match now" in tried(administrator, **other)
    assert "<strong>9 plugins</strong> match now" in tried(
        administrator, **{"c0.0.field": "verified", "c0.0.was": "verified", "c0.0.value": "no"}
    )
    page = draft(administrator, **{"c0.0.field": "signal"})
    assert "<select multiple" not in page
    assert page.count('name="c0.0.value"') > 20
    page = tried(administrator, **{"c0.0.field": "signal"})
    assert "Choose a value for “Has the signal” to see what matches." in page
    assert "needs a value" not in page
    answer = administrator.post("/policies/create/", {**FORM, "c0.0.value": ""})
    assert answer.status_code == 422
    assert "“Name contains” needs a value." in answer.content.decode()


def test_the_builder_says_what_a_save_would_do(administrator: Client, channels: None) -> None:
    assert "Saving opens 12 alerts now and tells 2 channels." in tried(administrator)
    assert "Saving opens 1 alert now and tells 1 channel." in tried(administrator, **{"c0.0.value": "Acme 11", "severity": "medium"})
    assert "Saving opens no alert now" in tried(administrator, **{"c0.0.value": "Nobody"})
    assert "Audit only: 12 matches counted, and nobody is told." in tried(administrator, state="audit")
    assert "Switched off" in tried(administrator, state="off")
    change = {"c0.0.field": "change", "c0.0.was": "change", "c0.0.value": "credential_added"}
    assert "Nothing is told now; it alerts when that change happens next." in tried(administrator, **change)


def test_without_a_channel_nobody_is_told(administrator: Client) -> None:
    assert "tells nobody, as no channel takes this severity" in tried(administrator)


def test_many_alerts_are_opened_only_after_a_question(administrator: Client, channels: None) -> None:
    page = administrator.post("/policies/create/", FORM).content.decode()
    check(page)
    assert "Open 12 alerts at once?" in page
    assert "Saving opens 12 alerts now and tells 2 channels." in page
    assert not Policy.objects.filter(title=FORM["title"]).exists()
    kept = Controls(page).fields
    back = administrator.post("/policies/create/", {**kept, "deed": "edit"}).content.decode()
    assert 'value="Acme"' in back
    assert 'value="Acme’s"' in back
    assert not Delivery.objects.exists()
    answer = administrator.post("/policies/create/", {**kept, "deed": "save-surely"}, follow=True)
    assert "was saved. Its alerts appear in a moment." in answer.content.decode()
    look(title=FORM["title"])
    assert Alert.objects.filter(policy__title=FORM["title"], audit=False).count() == 12
    assert Delivery.objects.count() == 24


def test_what_is_open_already_is_no_news(administrator: Client, account: Account) -> None:
    administrator.post("/policies/create/", {**FORM, "state": "audit"})
    made = look(title=FORM["title"])
    assert Alert.objects.filter(policy=made, audit=True).count() == 12, "nothing was asked, as nobody was told"
    address = f"/policies/{made.key}/save/"
    assert "Open 12 alerts at once?" in administrator.post(address, FORM).content.decode(), "leaving audit mode tells them"
    administrator.post(address, {**FORM, "deed": "save-surely"})
    look(pk=made.pk)
    assert "Saving opens no alert now" in tried(administrator, policy=made.key)
    closed = Alert.objects.filter(policy=made)[:2]
    services.change_alert(closed[0], "resolved", actor="me")
    services.change_alert(closed[1], "dismissed", reason="Known", actor="me")
    assert "Saving opens 1 alert now" in tried(administrator, policy=made.key)
    assert "Saving opens no alert now" in tried(administrator, policy=made.key, cooldown_hours="24")
    assert administrator.post(address, {**FORM, "title": "Less"}).status_code == 302
    look(pk=made.pk)
    assert Alert.objects.filter(policy=made, state="open").count() == 11


def test_a_policy_is_deleted_only_after_a_question(administrator: Client) -> None:
    administrator.post("/policies/create/", {**FORM, "deed": "save-surely"})
    made = look(title=FORM["title"])
    services.change_alert(Alert.objects.filter(policy=made)[0], "resolved", actor="me")
    address = f"/policies/{made.key}/save/"
    page = administrator.post(address, {**FORM, "deed": "delete"}).content.decode()
    check(page)
    assert "Delete “Acme’s”?" in page
    assert "12 alerts will be deleted with it, 11 of them not closed yet." in page
    assert "Delete with its alerts" in administrator.post(address, {**Controls(page).fields, "deed": "edit"}).content.decode()
    assert Alert.objects.filter(policy=made).count() == 12
    answer = administrator.post(address, {"deed": "delete-surely"}, follow=True).content.decode()
    assert "“Acme’s” is switched off. It and its alerts are gone in a moment." in answer
    services.finish_deletion(made.pk, actor="me")
    assert not Policy.objects.filter(pk=made.pk).exists()


def test_switching_on_in_the_list_asks_before_it_opens_many(administrator: Client, channels: None) -> None:
    administrator.post("/policies/create/", {**FORM, "state": "audit"})
    made = look(title=FORM["title"])
    address = f"/policies/{made.key}/switch/"
    page = administrator.post(address, {"state": "active"}).content.decode()
    check(page)
    assert "Open 12 alerts at once?" in page
    assert "Saving opens 12 alerts now and tells 2 channels." in page
    kept = Controls(page).fields
    assert administrator.post(address, {**kept, "deed": "edit"})["Location"] == "/policies/"
    assert Policy.objects.get(pk=made.pk).state == "audit"
    answer = administrator.post(address, {**kept, "deed": "save-surely"}, follow=True).content.decode()
    assert "is active now. Its alerts appear in a moment." in answer
    look(pk=made.pk)
    assert Delivery.objects.count() == 24
    answer = administrator.post(address, {"state": "active"}, follow=True).content.decode()
    assert "is active now." in answer, "what is active already opens nothing, and asks nothing"
    assert "Its alerts appear" not in answer
    assert administrator.post("/policies/nothing/switch/", {"state": "active"}).status_code == 404


def test_ten_are_opened_without_a_question(administrator: Client, plugins: list[Plugin]) -> None:
    administrator.post("/policies/create/", {**FORM, "state": "off"})
    address = f"/policies/{Policy.objects.get(title=FORM['title']).key}/switch/"
    for one in plugins[:2]:
        one.delete()
    assert administrator.post(address, {"state": "active"}).status_code == 302


def test_a_predefined_policy_asks_before_it_opens_many(administrator: Client, plugins: list[Plugin], channels: None) -> None:
    address = "/policies/rogue_app/switch/"
    form = {"state": "active", "severity": "medium", "cooldown_hours": "7"}
    administrator.post(address, {**form, "state": "off", "severity": "critical"})
    for one in plugins:
        one.risk = {"reasons": [{"signal": "rogue_app", "severity": "critical", "points": 10.0, "title": "Rogue", "evidence": "x"}]}
        one.save()
    page = administrator.post(address, form).content.decode()
    check(page)
    assert "Saving opens 12 alerts now and tells 1 channel." in page
    kept = Controls(page).fields
    back = administrator.post(address, {**kept, "deed": "edit"}).content.decode()
    check(back)
    assert '<option value="medium" selected>' in back
    assert 'value="7"' in back
    assert Policy.objects.get(key="rogue_app").state == "off"
    for wrong in ({"severity": "none"}, {"state": "awful"}):
        assert "does not exist" in administrator.post(address, form | wrong, follow=True).content.decode()
    answer = administrator.post(address, {**kept, "deed": "save-surely"}, follow=True).content.decode()
    assert "Its alerts appear in a moment." in answer
    look(key="rogue_app")
    assert Alert.objects.filter(policy__key="rogue_app", severity="medium").count() == 12
