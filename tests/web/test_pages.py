"""What every page must hold: strict headers, nothing inline, visible hostile text, and the product's labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from consentry.accounts import services as accounts
from consentry.accounts.models import Account
from consentry.connect.models import Capability, Connector, Integration, Status
from consentry.core.clock import now
from consentry.sync.models import CollectionProgress, RunState, SyncRun

PAGES = (
    "/",
    "/plugins/",
    "/permissions/",
    "/people/",
    "/changes/",
    "/integrations/?tab=integrated",
    "/integrations/?tab=configured",
    "/integrations/connectors/new/",
    "/integrations/new/",
    "/administration/registrations/",
    "/administration/people/",
    "/administration/tokens/",
    "/administration/licence/",
    "/administration/audit/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/logout/",
    "/nowhere",
)


class Strict(HTMLParser):
    """Collects what a strict content security policy forbids, and ids that stand twice."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in named and named.get("type") != "application/json"):
            self.found.append(f"<{tag}>")
        self.found += [name for name, _ in attrs if name == "style" or name.startswith(("on", "hx-on"))]
        self.found += [
            value for name, value in attrs if name in {"href", "src", "action"} and (value or "").startswith(("http:", "//", "javascript:"))
        ]
        if named.get("id"):
            self.ids.append(str(named["id"]))


def check(page: str) -> None:
    strict = Strict()
    strict.feed(page)
    assert strict.found == []
    assert len(strict.ids) == len(set(strict.ids))


@pytest.mark.parametrize("address", PAGES)
def test_no_page_holds_anything_inline(as_role: Callable[[str], Client], integration: Integration, address: str) -> None:
    answer = as_role("owner").get(address)
    assert answer.status_code == (404 if address == "/nowhere" else 200)
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    check(answer.content.decode())


@pytest.mark.parametrize("part", ["details", "edit", "disconnect", "delete"])
def test_no_panel_holds_anything_inline(as_role: Callable[[str], Client], integration: Integration, part: str) -> None:
    owner = as_role("owner")
    for place in (f"connectors/{integration.connector_id}", str(integration.pk)):
        for headers in ({"HX-Request": "true"}, {}):
            answer = owner.get(f"/integrations/{place}/{part}/", headers=headers)
            assert answer.status_code == 200
            check(answer.content.decode())


def test_the_sign_in_page_is_ours_and_strict(anonymous: Client) -> None:
    page = anonymous.get("/accounts/login/").content.decode()
    assert "Consentry" in page
    assert 'for="id_login">E-mail' in page
    assert anonymous.get("/accounts/signup/").status_code == 200
    check(page)


def test_the_menu_leads_to_integrations_under_resources(as_role: Callable[[str], Client]) -> None:
    page = as_role("viewer").get("/integrations/").content.decode()
    assert re.search(r"Resources</div>.*?Integrations</span>", page, re.DOTALL)
    assert 'aria-current="page"' in page


def test_what_a_tenant_sends_is_escaped_and_made_visible(as_role: Callable[[str], Client], integration: Integration) -> None:
    Connector.objects.filter(pk=integration.connector_id).update(
        name="<script>alert(1)</script>", tenant_name="pay\u202epal", status_reason="\u200bnothing", status=Status.WARNING
    )
    owner = as_role("owner")
    for address in ("/integrations/", "/integrations/?tab=configured", f"/integrations/connectors/{integration.connector_id}/details/"):
        page = owner.get(address).content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "pay[U+202E]pal" in page
        check(page)


def test_without_a_casb_licence_every_page_says_so(as_role: Callable[[str], Client], account: Account, integration: Integration) -> None:
    owner = as_role("owner")
    assert "needs a CASB licence" not in owner.get("/").content.decode()
    owner.post("/administration/licence/", {"deed": "revoke"})
    assert not accounts.has_casb(account)
    for address in ("/", "/plugins/", "/integrations/"):
        assert "Interconnected Apps needs a CASB licence" in owner.get(address).content.decode()
    answer = owner.post(f"/integrations/connectors/{integration.connector_id}/sync/", headers={"HX-Request": "true"})
    assert "needs a CASB licence" in answer["HX-Trigger"]
    assert not SyncRun.objects.exists()
    owner.post("/administration/licence/", {"deed": "grant", "until": ""})
    assert accounts.has_casb(account)


def test_empty_tables_say_what_to_do_next(as_role: Callable[[str], Client], registered: None) -> None:
    owner = as_role("owner")
    assert "Connect your Microsoft tenant" in owner.get("/integrations/").content.decode()
    assert "Go to Integrated Apps" in owner.get("/integrations/?tab=configured").content.decode()


def test_without_a_registration_the_page_leads_to_administration(as_role: Callable[[str], Client]) -> None:
    page = as_role("owner").get("/integrations/").content.decode()
    assert "Go to Registrations" in page
    assert "Authorize and Save" in as_role("owner").get("/integrations/connectors/new/").content.decode()


def test_statuses_show_reason_and_remedy_one_click_away(as_role: Callable[[str], Client], integration: Integration) -> None:
    integration.status, integration.status_code = Status.FAILURE, "AADSTS7000222"
    integration.status_reason, integration.status_remedy = "The client secret has expired.", "Make a new one in Entra."
    integration.save()
    owner = as_role("owner")
    assert "The client secret has expired." in owner.get("/integrations/").content.decode()
    details = owner.get(f"/integrations/{integration.pk}/details/", headers={"HX-Request": "true"}).content.decode()
    for text in ("Failure", "The client secret has expired.", "Make a new one in Entra.", "AADSTS7000222"):
        assert text in details


def test_details_show_capabilities_and_runs(as_role: Callable[[str], Client], integration: Integration) -> None:
    for name, state in (
        ("service_principals", "granted"),
        ("sign_in_activity", "unlicensed"),
        ("audit_events", "missing"),
        ("policies", "unavailable"),
    ):
        Capability.objects.create(connector=integration.connector, name=name, state=state, checked_at=now())
    SyncRun.objects.create(
        connector=integration.connector,
        state=RunState.INCOMPLETE,
        started_at=now(),
        finished_at=now(),
        requests=1234,
        throttled=2,
        resource_units=5678,
        counts={"plugins": 158},
        incomplete=[{"collection": "audit_events", "reason": "A permission is missing.", "code": "Authorization_RequestDenied"}],
    )
    page = as_role("viewer").get(f"/integrations/{integration.pk}/details/", headers={"HX-Request": "true"}).content.decode()
    for text in (
        "Granted",
        "Not licensed",
        "Missing permission",
        "Not available in this cloud",
        "Done, with gaps",
        "1,234",
        "5,678",
        "A permission is missing.",
    ):
        assert text in page
    assert "Sync now" not in page


def test_progress_polls_while_a_run_lives_and_stops_with_it(as_role: Callable[[str], Client], integration: Integration) -> None:
    run = SyncRun.objects.create(connector=integration.connector, state=RunState.FETCHING, started_at=now())
    CollectionProgress.objects.create(run=run, name="service_principals", state="complete", rows=4200)
    CollectionProgress.objects.create(run=run, name="delegated_grants", state="reading", rows=17)
    viewer = as_role("viewer")
    address = f"/syncs/{integration.connector_id}/progress"
    live = viewer.get(address)
    assert 'hx-trigger="every 2s"' in live.content.decode()
    assert "4,200" in live.content.decode()
    assert "1 of 2 collections" in live.content.decode()
    assert address in viewer.get("/integrations/?tab=configured").content.decode()
    assert address in viewer.get("/plugins/").content.decode()
    CollectionProgress.objects.create(run=run, name="licences", state="waiting")
    assert "Licences" in viewer.get(address).content.decode()
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.DONE, finished_at=now())
    ended = viewer.get(address)
    assert "Licences" not in ended.content.decode(), "there was nothing to read"
    assert "hx-trigger" not in ended.content.decode()
    assert "integrations-changed" in ended["HX-Trigger"]


@pytest.mark.parametrize("address", ["/plugins/", "/people/", "/permissions/", "/changes/"])
def test_a_nul_in_the_address_is_refused(as_role: Callable[[str], Client], address: str) -> None:
    assert as_role("viewer").get(address, {"q": "a\x00b"}).status_code == 400
