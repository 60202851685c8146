"""Plugins, a plugin, people and decisions, as a browserless person meets them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from consentry.accounts.models import Account
from consentry.audit.models import AuditEvent
from consentry.connect.models import Capability, CapabilityState, Connector
from consentry.core.clock import now
from consentry.inventory import partitions
from consentry.inventory.models import Credential, Decision, DelegatedGrant, Plugin, Principal, PublisherTenant, ScopeSet, TenantFact

Role = Callable[[str], Client]


@pytest.fixture
def plugin(connector: Connector) -> Plugin:
    return make(connector, "Acme Notes", users=3, risk_score=7.5, risk_level="high")


def make(connector: Connector, name: str, **fields: object) -> Plugin:
    return Plugin.objects.create(
        connector=connector, service_principal_id=uuid4(), app_id=uuid4(), name=name, first_seen=now(), origin="third_party", **fields
    )


def test_a_decision_can_be_taken_back(as_role: Role, plugin: Plugin) -> None:
    analyst = as_role("analyst")
    analyst.post(f"/plugins/{plugin.pk}/decision/", {"state": "in_review", "note": "Asked the owner"})
    page = analyst.post("/plugins/decide/", {"plugin": [str(plugin.pk)], "state": "unsanctioned"}, follow=True).content.decode()
    plugin.refresh_from_db()
    assert plugin.decision == "unsanctioned"
    assert "The decision was saved for 1 app." in page
    assert "Undo" in page
    analyst.post("/plugins/decide/undo/")
    plugin.refresh_from_db()
    assert plugin.decision == "in_review"
    assert Decision.objects.get(superseded_at__isnull=True).note == "Asked the owner"
    assert "respond:plugin:decision_undone" in AuditEvent.objects.values_list("action", flat=True)
    again = analyst.post("/plugins/decide/undo/", follow=True).content.decode()
    assert "nothing to take back" in again


def test_undo_leaves_what_somebody_else_decided_since(as_role: Role, plugin: Plugin) -> None:
    first, second = as_role("analyst"), as_role("administrator")
    first.post(f"/plugins/{plugin.pk}/decision/", {"state": "unsanctioned"})
    second.post(f"/plugins/{plugin.pk}/decision/", {"state": "sanctioned"})
    first.post("/plugins/decide/undo/")
    plugin.refresh_from_db()
    assert plugin.decision == "sanctioned"


def test_nothing_ticked_says_so(as_role: Role, plugin: Plugin) -> None:
    page = as_role("analyst").post("/plugins/decide/", {"state": "sanctioned"}, follow=True).content.decode()
    assert "No plugin is ticked" in page


def test_chosen_columns_stay(as_role: Role, plugin: Plugin) -> None:
    viewer = as_role("viewer")
    assert 'data-label="Publisher"' in viewer.get("/plugins/").content.decode()
    viewer.post("/plugins/columns/", {"column": ["risk", "app_id", "nonsense"], "query": "q=Acme"})
    page = viewer.get("/plugins/").content.decode()
    assert 'data-label="Publisher"' not in page
    assert str(plugin.app_id) in page
    assert "Acme Notes" in page
    viewer.post("/plugins/columns/", {"reset": "1"})
    assert 'data-label="Publisher"' in viewer.get("/plugins/").content.decode()


def test_filters_live_in_the_address(as_role: Role, connector: Connector, plugin: Plugin) -> None:
    make(connector, "Old and calm", risk_score=1, risk_level="low", created_at=now() - timedelta(days=400))
    viewer = as_role("viewer")
    for query, shown, hidden in (
        ("risk=high,critical", "Acme Notes", "Old and calm"),
        ("q=calm", "Old and calm", "Acme Notes"),
        ("new_since=30d&q=", "Acme Notes", "Old and calm"),
    ):
        page = viewer.get(f"/plugins/?{query}").content.decode()
        assert shown in page, query
        assert hidden not in page, query
    export = b"".join(viewer.get("/plugins/export.csv?risk=high").streaming_content).decode()  # type: ignore[attr-defined]
    assert "Acme Notes" in export
    assert "Old and calm" not in export


def test_a_person_shows_what_they_let_in(as_role: Role, connector: Connector, plugin: Plugin) -> None:
    partitions.ensure(connector.pk)
    person = Principal.objects.create(
        connector=connector, object_id=uuid4(), kind="user", name="Ada Byron", mail="ada@northfold.example", first_seen=now()
    )
    scopes = ScopeSet.objects.create(pk=uuid4(), scope="Mail.Read", values=["Mail.Read"])
    DelegatedGrant.objects.create(
        connector=connector,
        grant_id="g1",
        client_id=plugin.service_principal_id,
        resource_id=uuid4(),
        principal_id=person.object_id,
        consent_type="Principal",
        scope_set=scopes,
        first_seen=now(),
    )
    viewer = as_role("viewer")
    assert f"/people/{person.object_id}/" in viewer.get("/people/").content.decode()
    page = viewer.get(f"/people/{person.object_id}/").content.decode()
    assert "Acme Notes" in page
    assert "Mail.Read" in page
    assert viewer.get(f"/people/{uuid4()}/").status_code == 404
    plugin_page = viewer.get(f"/plugins/{plugin.pk}/").content.decode()
    assert "ada@northfold.example" in plugin_page
    assert 'data-chart="access"' in plugin_page


def test_another_accounts_plugin_does_not_exist(as_role: Role, connector: Connector, plugin: Plugin) -> None:
    viewer = as_role("owner")
    Connector.objects.filter(pk=connector.pk).update(account=Account.objects.create(name="Other", slug="other"))
    assert viewer.get(f"/plugins/{plugin.pk}/").status_code == 404
    assert viewer.post(f"/plugins/{plugin.pk}/decision/", {"state": "sanctioned"}).status_code == 404
    viewer.post("/plugins/decide/", {"plugin": [str(plugin.pk)], "state": "sanctioned"})
    assert not Decision.objects.exists()


def test_formulas_and_markup_are_harmless(as_role: Role, connector: Connector) -> None:
    make(connector, "=HYPERLINK(1)<script>alert(1)</script>\u202egnp", risk_score=1, risk_level="low")
    viewer = as_role("viewer")
    page = viewer.get("/plugins/").content.decode()
    assert "<script>alert(1)" not in page
    assert "[U+202E]" in page
    export = b"".join(viewer.get("/plugins/export.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=HYPERLINK" in export


def test_the_dashboard_shows_what_people_wait_for_and_when_it_is_no_longer_read(as_role: Role, plugin: Plugin) -> None:
    asked = [{"id": None, "name": "Ada <b>Byron</b>", "at": "2026-11-01T08:00:00+00:00", "reason": "For the \u202equarter"}]
    requests = [
        {"app_id": str(plugin.app_id), "name": "Acme Notes", "permissions": ["Mail.Read"], "asked": asked * 2},
        {"app_id": str(uuid4()), "name": "<i>Stranger</i>", "permissions": [], "asked": asked},
    ]
    TenantFact.objects.create(connector=plugin.connector, name="consent_requests", value=requests, read_at=now())
    known = Capability.objects.create(connector=plugin.connector, name="consent_requests", state=CapabilityState.GRANTED, checked_at=now())
    viewer = as_role("viewer")
    page = viewer.get("/").content.decode()
    assert "People wait for an answer" in page
    assert f'href="/plugins/{plugin.pk}/">Acme Notes' in page
    assert "&lt;i&gt;Stranger" in page
    assert "Ada &lt;b&gt;Byron&lt;/b&gt;" in page
    assert "[U+202E]quarter" in page
    assert "and 1 more" in page
    assert "read any more" not in page
    known.state = CapabilityState.MISSING
    known.save()
    assert "read any more" in viewer.get("/").content.decode()


def test_a_plugin_shows_its_publishers_tenant_and_when_keys_were_used(as_role: Role, plugin: Plugin) -> None:
    plugin.owner_tenant_id = uuid4()
    plugin.save()
    viewer = as_role("viewer")
    assert "acme.example" not in viewer.get(f"/plugins/{plugin.pk}/").content.decode()
    PublisherTenant.objects.create(tenant_id=plugin.owner_tenant_id, name="Acme <b>Inc", domain="acme.example", read_at=now())
    Credential.objects.create(
        connector=plugin.connector, service_principal_id=plugin.service_principal_id, source="application", kind="secret", key_id="k1",
        ends_at=now(), last_used=now() - timedelta(days=3), first_seen=now(),
    )  # fmt: skip
    page = viewer.get(f"/plugins/{plugin.pk}/").content.decode()
    assert "Acme &lt;b&gt;Inc · acme.example" in page
    assert "last used" in page


def test_a_plugin_shows_the_roles_it_holds(as_role: Role, plugin: Plugin) -> None:
    address = f"/plugins/{plugin.pk}/"
    assert "Roles it holds" not in as_role("viewer").get(address).content.decode()
    for name, role in (("directory_roles", "Exchange Administrator"), ("azure_roles", "Owner on subscription <b>Production")):
        held = {str(plugin.service_principal_id): [role]}
        TenantFact.objects.create(connector_id=plugin.connector_id, name=name, value=held, read_at=now())
    page = as_role("viewer").get(address).content.decode()
    assert "Exchange Administrator" in page
    assert "Owner on subscription &lt;b&gt;Production" in page


def test_a_plugin_that_was_not_scored_yet_says_so(as_role: Role, plugin: Plugin) -> None:
    Plugin.objects.update(risk={}, risk_score=0, risk_level="none")
    for address in ("/plugins/", "/", f"/plugins/{plugin.pk}/"):
        assert "Not scored yet" in as_role("viewer").get(address).content.decode()
    Plugin.objects.update(risk={"version": 1})
    assert "Not scored yet" not in as_role("viewer").get("/plugins/").content.decode()
