"""A full sync holds exactly what the tenant holds, whatever the weather."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from consentry.connect.models import Capability, CapabilityState, Status
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.inventory import models
from consentry.inventory import queries as inventory_queries
from consentry.inventory.models import Change, ConsentEvent, LastUsedState, Plugin, PublisherTenant, TenantFact
from consentry.risk import services as risk
from consentry.simulator import azure
from consentry.simulator.directory import Directory
from consentry.sync import services
from consentry.sync.models import CollectionProgress, SyncRun, TouchedPlugin


def biggest_resource(directory: Directory) -> dict[str, Any]:
    return next(row for row in directory.service_principals.values() if len(row["appRoles"]) > 3)


def capability(world: Any, name: str) -> str:
    return Capability.objects.get(connector_id=world.connector_id, name=name).state


def test_first_sync_equals_the_tenant(world: Any) -> None:
    summary = world.sync()
    assert summary["status"] == "done"
    assert summary["incomplete"] == []
    world.assert_equal_to_tenant()
    assert set(summary["changes"]) == {"plugin_first_seen"}
    people = {grant.principal_id for grant in world.directory.grants.values() if grant.principal_id in world.directory.users}
    assert people <= {str(row.object_id) for row in world.live(models.Principal)}
    for plugin in world.live(Plugin):
        mine = [grant for grant in world.directory.grants.values() if grant.client_id == str(plugin.service_principal_id)]
        assert plugin.users == len({grant.principal_id for grant in mine if grant.consent_type == "Principal"})
        assert plugin.all_users == any(grant.consent_type == "AllPrincipals" for grant in mine)
    assert not world.live(Plugin).filter(risk={}).exists()  # each of them was touched, hence scored
    assert not TouchedPlugin.objects.exists()
    assert world.live(Plugin).filter(is_console=True).count() >= 1
    assert set(world.live(Plugin).values_list("origin", flat=True)) >= {"third_party", "own", "microsoft", "managed_identity"}


def test_definitions_dates_and_use(world: Any) -> None:
    world.sync()
    resources = {one.resource_id for one in world.directory.grants.values()}
    defined = {str(row.resource_id) for row in world.live(models.PermissionDefinition)}
    assert {key for key in resources if world.directory.service_principals[key]["oauth2PermissionScopes"]} <= defined
    assert ConsentEvent.objects.filter(activity="consent to application").exists()
    dated = models.DelegatedGrant.objects.filter(granted_at__isnull=False)
    assert dated.exists()
    assert all(row.granted_by for row in dated)
    assert Plugin.objects.filter(consented_at__isnull=False).exists()
    assert Plugin.objects.filter(last_used_state=LastUsedState.KNOWN, last_used__isnull=False).exists()


def test_second_sync_writes_nothing(world: Any) -> None:
    world.sync()
    before = world.versions()
    summary = world.sync()
    assert summary["changes"] == {}
    assert world.versions() == before


@pytest.mark.parametrize("number", [19, 20, 21, 45])
def test_expand_stops_at_twenty(world: Any, number: int) -> None:
    apps = list(world.directory.service_principals.values())
    holder = next(row for row in apps if not world.directory.assignments.get(row["id"]))
    for place in range(number):
        world.directory.assign(holder["id"], apps[place % len(apps)]["id"], f"{place:08d}-0000-0000-0000-000000000000")
    users = list(world.directory.users)[:number]
    world.directory.owners[holder["id"]] = users
    world.sync()
    assert world.live(models.AppRoleAssignment).filter(principal_id=holder["id"]).count() == number
    assert world.live(models.Owner).filter(service_principal_id=holder["id"]).count() == number
    world.assert_equal_to_tenant()


def test_the_same_object_on_two_pages(make_world: Callable[..., Any]) -> None:
    world = make_world(plugins=120, users=900, grants=2600)
    for path in ("/oauth2PermissionGrants", "/servicePrincipals", "/applications"):
        world.weather.repeat(path)
    assert world.sync()["status"] == "done"
    world.assert_equal_to_tenant()
    assert world.sync()["changes"] == {}


def test_expired_page_token_starts_that_collection_again(make_world: Callable[..., Any]) -> None:
    world = make_world(plugins=120, users=900, grants=2600)
    second = lambda request: "$skiptoken" in request.query_string or "skiptoken" in request.query_string  # noqa: E731
    world.weather.refuse("/oauth2PermissionGrants", 400, "Directory_ExpiredPageToken", times=2, when=second)
    world.weather.refuse("/servicePrincipals", 400, "Directory_ExpiredPageToken", times=1, when=second)
    assert world.sync()["status"] == "done"
    world.assert_equal_to_tenant()


def test_a_token_that_always_expires_is_a_gap_and_removes_nothing(make_world: Callable[..., Any]) -> None:
    world = make_world(plugins=120, users=900, grants=2600)
    world.sync()
    kept = world.live(models.DelegatedGrant).count()
    world.weather.refuse(
        "/oauth2PermissionGrants", 400, "Directory_ExpiredPageToken", when=lambda request: "skiptoken" in request.query_string
    )
    summary = world.sync()
    assert summary["status"] == "incomplete"
    assert [gap["collection"] for gap in summary["incomplete"]] == ["delegated_grants"]
    assert world.live(models.DelegatedGrant).count() == kept
    assert summary["changes"] == {}


@pytest.mark.parametrize(
    ("path", "collection"),
    [
        ("/applications", "applications"),
        ("/oauth2PermissionGrants", "delegated_grants"),
        ("/auditLogs/directoryAudits", "audit_events"),
        ("/policies/authorizationPolicy", "policies"),
        ("/subscribedSkus", "licences"),
        ("/getByIds", "principals"),
    ],
)
def test_a_refused_collection_is_a_gap_and_the_rest_is_complete(world: Any, path: str, collection: str) -> None:
    world.sync()
    before = world.versions()
    world.weather.refuse(path, 403, "Authorization_RequestDenied")
    summary = world.sync()
    assert summary["status"] == "incomplete"
    assert collection in [gap["collection"] for gap in summary["incomplete"]]
    assert all(gap["reason"] for gap in summary["incomplete"])
    assert summary["changes"] == {}
    assert world.versions() == before
    assert Capability.objects.get(connector_id=world.connector_id, name=collection).state == CapabilityState.MISSING
    world.integration.refresh_from_db()
    assert world.integration.status == Status.WARNING


def test_refused_service_principals_leave_what_is_known(world: Any) -> None:
    world.sync()
    world.weather.refuse("/servicePrincipals", 403, "Authorization_RequestDenied")
    summary = world.sync()
    assert "service_principals" in [gap["collection"] for gap in summary["incomplete"]]
    world.assert_equal_to_tenant()


def test_unlicensed_sign_ins_are_said_to_be_so(world: Any) -> None:
    world.weather.refuse("/servicePrincipalSignInActivities", 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    summary = world.sync()
    assert summary["incomplete"] == [{"collection": "sign_in_activity", "reason": "unlicensed", "code": "unlicensed"}]
    assert set(world.live(Plugin).values_list("last_used_state", flat=True)) == {LastUsedState.UNLICENSED}
    world.integration.refresh_from_db()
    assert world.integration.status == Status.CONNECTED


def test_a_cloud_that_refuses_expand_is_read_one_by_one(world: Any) -> None:
    world.weather.refuse("", 400, "Request_UnsupportedQuery", when=lambda request: "expand" in request.query_string)
    assert world.sync()["status"] == "done"
    world.assert_equal_to_tenant()


def test_a_cloud_that_ignores_expand_is_read_one_by_one(world: Any) -> None:
    directory_expand = world.weather.rules

    def ignore(request: Any, response: Any) -> Any:
        if "expand" not in request.query_string:
            return None
        body = __import__("json").loads(response.body)
        body["value"] = [{"id": row["id"]} for row in body["value"]]
        return __import__("aiohttp.web").web.json_response(body)

    directory_expand.append(ignore)
    assert world.sync()["status"] == "done"
    world.assert_equal_to_tenant()


def test_a_cloud_without_in_filters_and_select(world: Any) -> None:
    world.weather.refuse("/servicePrincipals", 400, "Request_UnsupportedQuery", when=lambda request: "filter" in request.query_string)
    world.weather.refuse("/getByIds", 400, "Request_BadRequest", when=lambda request: "select" in request.query_string)
    world.weather.refuse("/directoryAudits", 400, "Request_BadRequest", when=lambda request: "category" in request.query_string)
    assert world.sync()["status"] == "done"
    world.assert_equal_to_tenant()
    assert world.live(models.PermissionDefinition).exists()


def test_throttling_is_waited_out_and_counted(make_world: Callable[..., Any]) -> None:
    world = make_world(throttle_rate=0.15)
    summary = world.sync()
    assert summary["status"] == "done"
    assert summary["throttled"] > 0
    assert summary["retried"] >= summary["throttled"]
    world.assert_equal_to_tenant()


def test_hostile_and_odd_values_are_kept_as_they_are(world: Any) -> None:
    name = "a\tb\\c\nd\r\"'{},e\u202e\ufdd0\ufdd1\ufdd2 \U0001f600 \x1b[31m=cmd()"
    row = next(row for row in world.directory.service_principals.values() if row["replyUrls"])
    row["displayName"] = name
    row["replyUrls"] = [name, "https://x/\\"]
    row["createdDateTime"] = "2021-03-01T00:00:00-8:00"
    row["servicePrincipalType"] = "SomethingNew"
    row["futureProperty"] = {"deep": [1]}
    assert world.sync()["status"] == "done"
    plugin = world.plugin(row["id"])
    assert plugin.name == name
    assert plugin.reply_urls == [name, "https://x/\\"]
    assert plugin.created_at is not None
    assert plugin.created_at.isoformat() == "2021-03-01T08:00:00+00:00"


def test_nul_is_left_out(world: Any) -> None:
    row = next(iter(world.directory.service_principals.values()))
    row["displayName"] = "a\x00b"
    row["notes"] = "n\x00"
    assert world.sync()["status"] == "done"
    assert world.plugin(row["id"]).name == "ab"


def test_an_object_that_makes_no_sense_is_a_gap_beside_the_others(world: Any) -> None:
    world.sync()
    some = next(iter(world.directory.grants.values()))
    fields = {
        "id": "odd",
        "client_id": "not-a-guid",
        "consent_type": "Principal",
        "principal_id": None,
        "resource_id": some.resource_id,
        "scope": "x",
    }
    world.directory.grants["odd"] = type(some)(**fields)
    summary = world.sync()
    assert [(gap["collection"], gap["code"]) for gap in summary["incomplete"]] == [("delegated_grants", "objects_unreadable")]
    assert CollectionProgress.objects.filter(name="delegated_grants").order_by("-id").first().rows == len(world.directory.grants) - 1


def test_batches_whose_items_come_through_one_by_one_are_complete(world: Any) -> None:
    """An exhausted budget gives units back one by one: nobody gives up while anything comes through."""
    world.weather.refuse(
        "/servicePrincipals", 400, "Request_UnsupportedQuery", when=lambda request: "appRoleAssignments" in request.query_string
    )

    def scarce(request: web.Request, response: web.StreamResponse) -> web.StreamResponse | None:
        if not request.path.endswith("/$batch") or response.status != 200:
            return None
        body = json.loads(response.body)  # type: ignore[attr-defined]
        for item in body["responses"][2:]:
            item |= {"status": 429, "headers": {"Retry-After": "0.02"}, "body": {"error": {"code": "TooManyRequests", "message": "x"}}}
        return web.json_response(body)

    world.weather.rules.append(scarce)
    summary = world.sync()
    assert (summary["status"], summary["incomplete"]) == ("done", [])
    assert summary["throttled"] > 100
    world.assert_equal_to_tenant()


def test_a_batch_item_that_never_comes_through_is_a_gap_and_not_for_ever(world: Any) -> None:
    world.weather.refuse(
        "/servicePrincipals", 400, "Request_UnsupportedQuery", when=lambda request: "appRoleAssignments" in request.query_string
    )

    def never(request: web.Request, response: web.StreamResponse) -> web.StreamResponse | None:
        if not request.path.endswith("/$batch") or response.status != 200:
            return None
        body = json.loads(response.body)  # type: ignore[attr-defined]
        for item in body["responses"]:
            item |= {"status": 429, "headers": {"Retry-After": "0.02"}, "body": {"error": {"code": "TooManyRequests", "message": "x"}}}
        return web.json_response(body)

    world.weather.rules.append(never)
    summary = world.sync()
    assert [gap["collection"] for gap in summary["incomplete"]] == ["app_role_assignments"]
    assert summary["throttled"] < 1000


def test_microsoft_down_fails_the_run_and_keeps_the_state(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sync()
    before = world.versions()
    monkeypatch.setattr("consentry.providers.entra.graph._MOST_TRIES", 1)
    world.weather.refuse("", 503, "serviceNotAvailable")
    summary = world.sync()
    assert summary["status"] == "failed"
    assert summary["error"]["what"]
    assert world.versions() == before
    world.weather.rules.clear()
    assert world.sync()["status"] == "done"


def test_one_run_at_a_time(world: Any) -> None:
    first = services.start_sync(world.integration, trigger="test")
    assert services.start_sync(world.integration, trigger="test").pk == first.pk


def test_nothing_is_collected_without_casb(world: Any) -> None:
    account = world.integration.connector.account
    run = services.start_sync(world.integration, trigger="test")
    services.accounts.revoke_casb(account, actor="test")
    services.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "casb_missing")
    assert not Plugin.objects.exists()
    with pytest.raises(ConsentryError, match="CASB"):
        services.start_sync(world.integration, trigger="test")
    assert services.due() == 0


def test_no_change_is_told_twice(world: Any) -> None:
    world.sync()
    world.sync()
    assert Change.objects.count() == Plugin.objects.count()


def test_new_consent_requests_are_told_once_and_answered_ones_are_gone(world: Any) -> None:
    asked = [row for row in world.directory.consent_requests if row["userConsentRequests"][0]["status"] == "InProgress"]
    answered = len(world.directory.consent_requests) - len(asked)
    assert asked
    assert answered
    world.sync()
    account = world.integration.connector.account_id
    waiting = {row["app_id"]: row for row in inventory_queries.consent_requests(account)}
    assert set(waiting) == {row["appId"] for row in asked}
    assert waiting[asked[0]["appId"]]["permissions"] == sorted(one["displayName"] for one in asked[0]["pendingScopes"])
    assert len(waiting[asked[0]["appId"]]["asked"]) == len(asked[0]["userConsentRequests"])

    new = {**asked[0], "id": str(uuid4()), "appId": str(uuid4()), "appDisplayName": "Newly Wanted"}
    world.directory.consent_requests.append(new)
    world.directory.consent_requests.remove(asked[0])
    assert world.sync()["changes"] == {"consent_requested": 1}
    assert world.sync()["changes"] == {}
    assert Change.objects.get(kind="consent_requested").subject == "Newly Wanted"
    assert {row["app_id"] for row in inventory_queries.consent_requests(account)} == set(waiting) - {asked[0]["appId"]} | {new["appId"]}


def test_without_the_permission_for_consent_requests_nothing_is_lacking(world: Any) -> None:
    world.sync()
    before = inventory_queries.consent_requests(world.integration.connector.account_id)
    world.weather.refuse("/identityGovernance/", 403, "Authorization_RequestDenied")
    assert before
    assert world.sync()["incomplete"] == []
    assert Capability.objects.get(connector_id=world.connector_id, name="consent_requests").state == CapabilityState.MISSING
    assert inventory_queries.consent_requests(world.integration.connector.account_id) == before


def test_publishers_tenants_are_named_once_and_only_where_that_is_allowed(world: Any) -> None:
    world.sync()
    named = dict(PublisherTenant.objects.values_list("tenant_id", "name"))
    foreign = world.live(Plugin).filter(origin="third_party")
    assert set(named) == set(foreign.values_list("owner_tenant_id", flat=True))
    told = next(row for row in world.directory.service_principals.values() if row["id"] == str(foreign[0].service_principal_id))
    assert named[foreign[0].owner_tenant_id] == (told.get("publisherName") or told["displayName"])

    def denied(request: web.Request, response: web.StreamResponse) -> web.StreamResponse | None:
        if not request.path.endswith("/$batch") or b"defaultDomainName" not in response.body:  # type: ignore[attr-defined]
            return None
        body = json.loads(response.body)  # type: ignore[attr-defined]
        for item in body["responses"]:
            if "defaultDomainName" in item["body"]:
                item |= {"status": 403, "body": {"error": {"code": "Authorization_RequestDenied", "message": "x"}}}
        return web.json_response(body)

    world.weather.rules.append(denied)
    assert world.sync()["incomplete"] == []
    assert capability(world, "publisher_tenants") == CapabilityState.GRANTED  # nothing was asked for
    PublisherTenant.objects.all().delete()
    assert world.sync()["incomplete"] == []
    assert capability(world, "publisher_tenants") == CapabilityState.MISSING
    assert not PublisherTenant.objects.exists()


def test_keys_say_when_they_were_last_used(world: Any) -> None:
    world.sync()
    used = {row["keyId"] for row in world.directory.credential_activities}
    assert set(world.live(models.Credential).filter(last_used__isnull=False).values_list("key_id", flat=True)) == used
    assert world.live(models.Credential).filter(last_used__isnull=True).exclude(kind="federated").exists()


def test_what_a_first_sync_counts_is_what_the_tenant_holds(world: Any) -> None:
    directory = world.directory
    client, resource = next((one.client_id, one.resource_id) for one in directory.grants.values() if one.consent_type == "Principal")
    directory.grant(client, resource, "", principal_id=list(directory.users)[-1])
    world.sync()
    for plugin in world.live(Plugin):
        grants = directory.grants_of(str(plugin.service_principal_id))
        held = directory.assignments.get(str(plugin.service_principal_id), {}).values()
        assert plugin.delegated_count == len({(one.resource_id, value) for one in grants for value in one.scope.split()})
        assert plugin.application_count == len({(one["resourceId"], one["appRoleId"]) for one in held})


def test_a_consent_request_that_makes_no_sense_is_a_gap(world: Any) -> None:
    world.directory.consent_requests.append({"id": 7, "appId": ["odd"]})
    assert "consent_requests" in [gap["collection"] for gap in world.sync()["incomplete"]]


def test_an_agent_is_scored_and_shown_with_what_its_blueprint_may(make_world: Callable[..., Any]) -> None:
    world = make_world(plugins=240)
    agent, blueprint = next(iter(world.directory.blueprints.items()))
    graph = biggest_resource(world.directory)
    role = next(one for one in graph["appRoles"] if one["value"] == "Mail.ReadWrite")
    world.directory.assign(blueprint, graph["id"], role["id"])
    world.sync()
    plugin = world.plugin(agent)
    held = {row["value"]: row["inherited_from"] for row in inventory_queries.plugin_permissions(plugin)}
    assert held["Mail.ReadWrite"] == world.plugin(blueprint).name
    assert "Mail.ReadWrite" in json.dumps(plugin.risk["reasons"])
    assert "inherited from its blueprint" in json.dumps(plugin.risk["reasons"])


def test_runs_of_long_ago_are_forgotten_and_what_they_changed_is_not(world: Any) -> None:
    world.full()
    world.directory.update_app(next(iter(world.directory.service_principals)), displayName="Renamed")
    world.full()
    world.full()
    *_, third = SyncRun.objects.order_by("pk")
    changes = Change.objects.count()
    SyncRun.objects.update(finished_at=now() - timedelta(days=40))
    assert services.forget() == 2
    assert list(SyncRun.objects.all()) == [third], "the last full run says when the next one is due"
    assert not TouchedPlugin.objects.exists()
    assert set(CollectionProgress.objects.values_list("run_id", flat=True)) == {third.pk}
    assert Change.objects.count() == changes


def test_batches_wait_for_pages_when_the_budget_is_nearly_spent(make_world: Callable[..., Any]) -> None:
    world = make_world(plugins=300, users=300, grants=9000)

    def nearly(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-ms-throttle-limit-percentage"] = "0.9"

    world.weather.rules.append(nearly)
    summary = world.full()
    assert (summary["status"], summary["incomplete"], summary["throttled"]) == ("done", [], 0)
    world.assert_equal_to_tenant()
    asked = list(enumerate(world.weather.asked))
    pages = [place for place, one in asked if "/oauth2PermissionGrants?" in one]
    batches = [place for place, one in asked if "/$batch" in one]
    assert len(pages) >= 9
    assert batches
    assert min(batches) > max(pages)


def test_a_large_tenant_is_scored_in_parts_as_in_one_go(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.full()
    fields = ("pk", "risk_score", "risk_level", "risk", "connected_to", "permission_level")
    plugins = Plugin.objects.filter(connector_id=world.connector_id).order_by("pk")
    before = list(plugins.values_list(*fields))
    plugins.update(risk={}, risk_score=0, risk_level="none", connected_to=[])
    monkeypatch.setattr(risk, "_AT_ONCE", 14)
    assert risk.rescore(world.integration.connector) == len(before)
    assert list(plugins.values_list(*fields)) == before
    assert risk.rescore(world.integration.connector) == 0


def test_roles_in_azure_are_read_where_the_reader_may_see_them(world: Any) -> None:
    directory, known = world.directory, TenantFact.objects.filter(connector_id=world.connector_id, name="azure_roles")
    apps = [row["id"] for row in directory.service_principals.values()][-30:]
    production, sandbox = (one["id"] for one in directory.subscriptions)
    for app in apps:  # more than a page
        azure.assignment(directory, app, azure.READER, f"{sandbox}/resourceGroups/lab")
    azure.assignment(directory, apps[0], azure.OWNER, production)
    azure.assignment(directory, apps[0], azure.CONTRIBUTOR, f"{production}/resourceGroups/web/providers/Microsoft.Web/sites/<b>shop")
    azure.assignment(directory, apps[1], azure.OWNER, azure.root("contoso"))
    summary = world.sync()
    assert summary["incomplete"] == []
    assert capability(world, "azure_roles") == CapabilityState.GRANTED
    held = known.get().value
    assert held[apps[0]] == [
        "Contributor on <b>shop in Production",
        "Owner on subscription Production",
        "Reader on resource group lab in Sandbox",
    ]
    assert held[apps[1]] == ["Owner on management group contoso", "Reader on resource group lab in Sandbox"]
    assert all("Reader on resource group lab in Sandbox" in held[app] for app in apps)
    assert "azure_roles_changed" not in summary["changes"]  # what was there at first is nothing new

    directory.azure_assignments.clear()  # the reader's own role among them
    summary = world.full()
    assert capability(world, "azure_roles") == CapabilityState.MISSING
    assert summary["incomplete"] == []
    assert summary["status"] == "done"
    assert known.get().value == held  # not seen is not gone


@pytest.mark.parametrize(("status", "code"), [(401, "InvalidAuthenticationToken"), (403, "AuthorizationFailed"), (503, "ServerBusy")])
def test_azure_that_does_not_answer_takes_nothing_else_with_it(world: Any, status: int, code: str) -> None:
    world.weather.refuse("/roleAssignments", status, code, when=lambda request: request.path.startswith("/subscriptions"))
    summary = world.sync()
    assert summary["status"] == ("done" if status < 500 else "incomplete")
    world.assert_equal_to_tenant()
    assert [gap["collection"] for gap in summary["incomplete"]] == ([] if status < 500 else ["azure_roles"])
    assert capability(world, "azure_roles") == (CapabilityState.MISSING if status < 500 else CapabilityState.GRANTED)


def test_without_an_address_of_azure_it_is_not_asked(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENTRY_MICROSOFT_AZURE_URL")
    summary = world.sync()
    assert summary["incomplete"] == []
    assert capability(world, "azure_roles") == CapabilityState.UNAVAILABLE
    assert not [one for one in world.weather.asked if "/subscriptions" in one]
