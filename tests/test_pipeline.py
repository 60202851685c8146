"""From consent to export: the commands' services against the simulated cloud and a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from tests.simulator.cloud import Running, running

from consentry.accounts import services as accounts
from consentry.connect import services as connect
from consentry.connect.models import Connector
from consentry.core.errors import ConsentryError
from consentry.inventory import plugin_data
from consentry.inventory.models import AppRoleAssignment, Change, DelegatedGrant, Plugin
from consentry.risk import services as risk
from consentry.sync import services as sync
from consentry.sync.models import SyncRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with running(consented=True, plugins=150, users=60) as started:
        monkeypatch.setenv("CONSENTRY_MICROSOFT_LOGIN_URL", started.url)
        monkeypatch.setenv("CONSENTRY_MICROSOFT_GRAPH_URL", started.url)
        monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_ID", started.info["client_id"])
        monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_SECRET", started.info["client_secret"])
        yield started


def connected(cloud: Running) -> Connector:
    account = accounts.default_account()
    connector = connect.connect_by_credentials(account, name="Main", tenant=cloud.info["tenant_id"], actor="test")
    connect.integrate_by_credentials(connector, description="", actor="test")
    return connector


def synced(connector: Connector) -> SyncRun:
    run = sync.start_sync(connector.integrations.get(), trigger="command")
    sync.run(run.pk)
    run.refresh_from_db()
    if run.state == "scoring":
        risk.rescore_run(run.pk)
        run.refresh_from_db()
    return run


def test_the_inventory_equals_the_tenant(cloud: Running) -> None:
    connector = connected(cloud)
    run = synced(connector)
    assert (run.state, run.incomplete, run.error) == ("done", [], "")
    directory = next(iter(cloud.cloud.tenants.values())).directory

    plugins = {str(row.service_principal_id): row for row in Plugin.objects.filter(connector=connector)}
    assert plugins.keys() == directory.service_principals.keys()
    for object_id, truth in directory.service_principals.items():
        assert plugins[object_id].name == truth["displayName"]
        assert plugins[object_id].reply_urls == truth["replyUrls"]
    grants = {row.grant_id: row for row in DelegatedGrant.objects.filter(connector=connector).select_related("scope_set")}
    assert grants.keys() == directory.grants.keys()
    for grant_id, grant in directory.grants.items():
        assert grants[grant_id].scope_set.values == sorted(set(grant.scope.split()))
    held = {
        row["id"] for principal, rows in directory.assignments.items() if principal in directory.service_principals for row in rows.values()
    }
    assert set(AppRoleAssignment.objects.filter(connector=connector).values_list("assignment_id", flat=True)) == held
    assert max(len(rows) for rows in directory.assignments.values()) > 20

    exported = list(plugin_data.rows("plugins", connector.account_id))
    assert len(exported) == run.counts["plugins"]
    assert not {row["app_id"] for row in exported} & {cloud.info["client_id"]}
    json.dumps(exported)
    by_id = {row["service_principal_id"]: row for row in exported}
    for object_id, row in by_id.items():
        own = [grant for grant in directory.grants.values() if grant.client_id == object_id]
        asked = {(scope, "user" if grant.principal_id else "admin") for grant in own for scope in grant.scope.split()}
        assert {(one["value"], one["consent"]) for one in row["delegated_permissions"]} == asked
        assert row["users"] == len({grant.principal_id for grant in own if grant.principal_id})
        assert row["all_users"] == any(grant.principal_id is None for grant in own)
        assert round(sum(reason["points"] for reason in row["risk"]["reasons"]), 1) == row["risk"]["score"]


def test_a_second_sync_writes_only_what_changed(cloud: Running) -> None:
    connector = connected(cloud)
    synced(connector)
    before = Change.objects.count()
    assert synced(connector).changes == {}
    assert Change.objects.count() == before

    directory = next(iter(cloud.cloud.tenants.values())).directory
    victim = next(iter(directory.grants.values()))
    directory.revoke(victim.id)
    run = synced(connector)
    assert run.changes == {"grant_removed": 1}
    assert DelegatedGrant.objects.get(grant_id=victim.id).removed_at is not None


def test_a_second_connector_for_a_tenant_is_refused_with_a_pointer(cloud: Running) -> None:
    connected(cloud)
    with pytest.raises(ConsentryError, match="as Main"):
        connect.connect_by_credentials(accounts.default_account(), name="Twin", tenant=cloud.info["tenant_id"], actor="test")
    assert Connector.objects.count() == 1


def test_a_wrong_secret_leaves_nothing_behind(cloud: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_SECRET", "wrong")
    with pytest.raises(ConsentryError, match="AADSTS7000215"):
        connect.connect_by_credentials(accounts.default_account(), name="Main", tenant=cloud.info["tenant_id"], actor="test")
    assert not Connector.objects.exists()


def test_without_a_licence_nothing_is_collected(cloud: Running) -> None:
    connector = connected(cloud)
    accounts.revoke_casb(connector.account, actor="test")
    with pytest.raises(ConsentryError, match="CASB"):
        sync.start_sync(connector.integrations.get(), trigger="command")


@pytest.mark.parametrize("address", ["/", "/plugins/", "/integrations/", "/administration/people/", "/plugins/export.json"])
def test_pages_need_a_person(address: str) -> None:
    answer = Client().get(address)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]
