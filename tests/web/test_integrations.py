"""Both panels, the trip to Microsoft as far as it goes without it, edit, disconnect and delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from consentry.connect.models import AttemptOutcome, AuthorisationAttempt, Connector, Integration, Status
from consentry.core.clock import now
from consentry.inventory.models import Decision
from consentry.sync.models import SyncRun

HTMX = {"HX-Request": "true"}
pytestmark = pytest.mark.usefixtures("registered")


def microsoft_address(answer_header: str) -> str:
    address: str = json.loads(answer_header)["consentry:authorise"]["url"]
    return address


def begin(client: Client, name: str = "Main tenant") -> dict[str, list[str]]:
    answer = client.post("/integrations/connectors/new/", {"kind": "ms_tenant", "name": name}, headers=HTMX)
    assert answer.status_code == 204
    return parse_qs(urlsplit(microsoft_address(answer["HX-Trigger"])).query)


def test_new_connector_holds_the_labels_and_leads_to_microsoft(as_role: Callable[[str], Client]) -> None:
    owner = as_role("owner")
    panel = owner.get("/integrations/connectors/new/", headers=HTMX).content.decode()
    for label in ("New Connector", "MS Tenant", "Configure a new MS Tenant", "Connector Name", "Tenant ID or domain", "Authorize and Save"):
        assert label in panel
    query = begin(owner)
    assert query["redirect_uri"] == ["http://localhost:8000/connect/microsoft/return"]
    assert len(query["state"][0]) > 30
    page = owner.get("/integrations/").content.decode()
    assert "Pending authorisation" in page
    assert "Waiting for you at Microsoft" in page
    assert 'hx-trigger="every 2s"' in page
    assert "Open Microsoft again" in page, "who closed the tab at Microsoft finds the way back"
    again = owner.post(f"/integrations/connectors/{Connector.objects.get().pk}/authorise/", headers=HTMX)
    assert "/adminconsent" in again.headers["HX-Trigger"]


def test_without_htmx_the_form_leads_to_microsoft_as_well(as_role: Callable[[str], Client]) -> None:
    answer = as_role("owner").post("/integrations/connectors/new/", {"kind": "ms_tenant", "name": "Plain"})
    assert answer.status_code == 302
    assert "/adminconsent" in answer["Location"]


@pytest.mark.parametrize(
    ("fields", "said"), [({}, "Give the connector a name."), ({"name": "Taken", "kind": "ms_tenant"}, "called Taken already")]
)
def test_a_wrong_form_comes_back_with_the_reason(
    as_role: Callable[[str], Client], connector: Connector, fields: dict[str, str], said: str
) -> None:
    Connector.objects.filter(pk=connector.pk).update(name="Taken")
    answer = as_role("owner").post("/integrations/connectors/new/", fields, headers=HTMX)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Connector.objects.count() == 1


def test_without_a_registration_nothing_half_made_is_left(as_role: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENTRY_MICROSOFT_CLIENT_ID")
    answer = as_role("owner").post("/integrations/connectors/new/", {"kind": "ms_tenant", "name": "Nowhere"}, headers=HTMX)
    assert answer.status_code == 422
    assert not Connector.objects.exists()


def test_a_cancelled_consent_is_explained_with_try_again(as_role: Callable[[str], Client]) -> None:
    owner = as_role("owner")
    state = begin(owner)["state"][0]
    refusal = {
        "error": "access_denied",
        "error_description": "AADSTS65004: User declined to consent.",
        "admin_consent": "True",
        "state": state,
    }
    answer = owner.get("/connect/microsoft/return", refusal, follow=True)
    page = answer.content.decode()
    assert "The permissions were not applied" in page
    assert "AADSTS65004" in page
    assert "Try again" in page
    assert owner.get(answer.redirect_chain[-1][0]).status_code == 200, "the page can be loaded again"
    assert "Pending authorisation" in owner.get("/integrations/").content.decode()


def test_a_state_works_once_and_only_in_its_session(as_role: Callable[[str], Client]) -> None:
    owner, thief = as_role("owner"), as_role("owner")
    state = begin(owner)["state"][0]
    refusal = {"error": "access_denied", "error_description": "AADSTS65004", "state": state}
    stolen = thief.get("/connect/microsoft/return", refusal)
    assert stolen.status_code == 400
    assert "belongs to no authorisation that was started in this browser" in stolen.content.decode()
    assert owner.get("/connect/microsoft/return", refusal).status_code == 302
    again = owner.get("/connect/microsoft/return", refusal)
    assert again.status_code == 400
    assert "was used already" in again.content.decode()
    assert owner.get("/connect/microsoft/return").status_code == 400


def test_the_return_page_waits_then_says_that_it_is_done(as_role: Callable[[str], Client], integration: Integration) -> None:
    attempt = AuthorisationAttempt.objects.create(
        connector=integration.connector,
        integration=integration,
        role="reader",
        state_hash=b"s",
        session_hash=b"t",
        expires_at=now(),
        returned_at=now(),
        outcome=AttemptOutcome.SPREADING,
    )
    owner = as_role("owner")
    waiting = owner.get(f"/connect/attempts/{attempt.pk}/").content.decode()
    assert "Waiting for Microsoft" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    AuthorisationAttempt.objects.filter(pk=attempt.pk).update(outcome=AttemptOutcome.DONE, finished_at=now())
    done = owner.get(f"/connect/attempts/{attempt.pk}/", headers=HTMX).content.decode()
    assert "The permissions were successfully applied. You can close this tab." in done
    assert "Northfold" in done
    assert "hx-trigger" not in done
    assert "<html" not in done


def test_new_integration_saves_then_offers_authorize(as_role: Callable[[str], Client], connector: Connector) -> None:
    Connector.objects.create(account=connector.account, name="Not yet")
    owner = as_role("owner")
    panel = owner.get("/integrations/new/", headers=HTMX).content.decode()
    for label in (
        "New Integration",
        "SaaS application",
        "Microsoft 365",
        "3rd Party Apps",
        "Microsoft Primary Tenant",
        "Description",
        "Save",
    ):
        assert label in panel
    assert "Not yet (Pending authorisation)" in panel
    fields = {
        "saas_application": "Microsoft 365",
        "capability": "third_party_apps",
        "connector": str(connector.pk),
        "description": "All of it",
    }
    saved = owner.post("/integrations/new/", fields, headers=HTMX)
    assert saved.status_code == 200
    assert ">Authorize<" in saved.content.decode()
    assert "Directory.Read.All" in saved.content.decode()
    made = Integration.objects.get()
    answer = owner.post(f"/integrations/{made.pk}/authorise/", headers=HTMX)
    assert str(connector.tenant_id) in microsoft_address(answer["HX-Trigger"])
    twice = owner.post("/integrations/new/", fields, headers=HTMX)
    assert twice.status_code == 422
    assert "configured for Main tenant already" in twice.content.decode()


def test_the_integrated_app_stands_under_its_tenant_with_its_status(as_role: Callable[[str], Client], integration: Integration) -> None:
    page = as_role("viewer").get("/integrations/").content.decode()
    assert page.index("Main tenant") < page.rindex("3rd Party Apps")
    assert page.count("Connected</span>") == 2
    assert "Microsoft 365 E3" in page
    assert str(integration.connector.tenant_id) in page


def test_edit_changes_the_name_and_the_schedule(as_role: Callable[[str], Client], integration: Integration) -> None:
    owner = as_role("owner")
    answer = owner.post(f"/integrations/connectors/{integration.connector_id}/edit/", {"name": "Head office"}, headers=HTMX)
    assert "integrations-changed" in answer["HX-Trigger"]
    owner.post(f"/integrations/{integration.pk}/edit/", {"description": "Nightly", "sync_every_minutes": 720}, headers=HTMX)
    wrong = owner.post(f"/integrations/{integration.pk}/edit/", {"description": "", "sync_every_minutes": 1}, headers=HTMX)
    integration.refresh_from_db()
    integration.connector.refresh_from_db()
    assert wrong.status_code == 422
    assert (integration.connector.name, integration.sync_every_minutes) == ("Head office", 720)


def test_disconnect_asks_and_keeps_the_data(as_role: Callable[[str], Client], integration: Integration) -> None:
    owner = as_role("owner")
    address = f"/integrations/{integration.pk}/disconnect/"
    question = owner.get(address, headers=HTMX).content.decode()
    assert "Everything collected so far stays" in question
    integration.refresh_from_db()
    assert integration.disconnected_at is None, "asking does nothing"
    owner.post(address, headers=HTMX)
    integration.refresh_from_db()
    assert integration.disconnected_at is not None
    assert "Disconnected: nothing is read" in owner.get("/integrations/?tab=configured").content.decode()


def test_delete_says_what_is_lost_and_keeps_decisions(as_role: Callable[[str], Client], integration: Integration) -> None:
    account = integration.connector.account
    Decision.objects.create(account=account, app_id="11111111-1111-1111-1111-111111111111", state="unsanctioned", by="x", at=now())
    owner = as_role("owner")
    address = f"/integrations/connectors/{integration.connector_id}/delete/"
    assert "is deleted for ever" in owner.get(address, headers=HTMX).content.decode()
    owner.post(address, headers=HTMX)
    assert not Connector.objects.exists()
    assert Decision.objects.count() == 1


def test_sync_now_queues_one_run(as_role: Callable[[str], Client], integration: Integration) -> None:
    owner = as_role("owner")
    for _ in range(2):
        answer = owner.post(f"/integrations/connectors/{integration.connector_id}/sync/", headers=HTMX)
        assert "The sync has started." in answer["HX-Trigger"]
    assert SyncRun.objects.count() == 1
    assert integration.status == Status.CONNECTED
