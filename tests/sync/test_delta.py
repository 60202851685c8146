"""A sync after a few changes: few requests, the same result as reading everything, and back to everything where that is not sure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from tests.world import World

from consentry.connect.models import Capability
from consentry.core.clock import now
from consentry.inventory.models import AppRoleAssignment, Change, DelegatedGrant, InheritedPermission, Owner, Plugin, Principal
from consentry.sync import queries
from consentry.sync.models import DeltaLink, SyncRun


@pytest.fixture
def large(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A tenant that counts as large: following its changes is worth while."""
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=120, users=200, grants=1500)
    assert world.sync()["mode"] == "full"
    return world


def app(directory: Any, number: int) -> str:
    return [
        key
        for key, row in directory.service_principals.items()
        if row["appOwnerOrganizationId"] not in (None, "f8cdef31-a31e-4b4a-93e4-5f571e91255a")
    ][number]


def change_a_lot(directory: Any) -> None:
    """Forty changes of every kind."""
    grants = list(directory.grants.values())
    for grant in grants[:10]:
        directory.revoke(grant.id)
    for grant in grants[10:20]:
        directory.narrow(grant.id, "User.Read")
    people = list(directory.users)
    resource = grants[0].resource_id
    for number in range(8):
        directory.grant(app(directory, number), resource, "Mail.Read offline_access", principal_id=people[-1 - number])
    graph = next(row for row in directory.service_principals.values() if len(row["appRoles"]) > 3)
    held = directory.assign(app(directory, 30), graph["id"], graph["appRoles"][0]["id"])
    directory.assign(app(directory, 31), graph["id"], graph["appRoles"][1]["id"])
    directory.unassign(held["id"])
    for number in range(5):
        directory.update_app(app(directory, 40 + number), displayName=f"Renamed {number}", replyUrls=["https://new.example/"])
    secret = directory.add_secret(app(directory, 50), "fresh")
    directory.remove_credential(app(directory, 50), secret["keyId"])
    directory.add_secret(app(directory, 51), "stays")
    directory.delete_app(app(directory, 60))


def test_after_forty_changes_it_costs_little_and_equals_the_tenant(large: World) -> None:
    change_a_lot(large.directory)
    summary = large.sync()
    assert (summary["mode"], summary["status"], summary["incomplete"]) == ("delta", "done", [])
    large.assert_equal_to_tenant()
    rereads = [one for one in large.weather.asked if "$batch" in one or "%20in%20" in one or " in (" in one or "getByIds" in one]
    assert len(large.weather.asked) - len(rereads) <= 9
    assert len(large.weather.asked) <= 20
    kinds = summary["changes"]
    assert kinds["plugin_renamed"] == 5
    assert kinds["plugin_removed"] == 1
    assert kinds["permission_added"] == 1
    assert kinds["credential_added"] == 1
    assert kinds["grant_added"] + kinds["grant_changed"] >= 18
    assert kinds["grant_removed"] >= 10


def test_without_changes_nothing_is_written(large: World) -> None:
    large.sync()
    before = large.versions()
    summary = large.sync()
    assert (summary["mode"], summary["changes"]) == ("delta", {})
    assert large.versions() == before
    assert len(large.weather.asked) <= 9


def test_changes_during_a_full_run_are_told_by_the_next(large: World) -> None:
    done = []

    def meanwhile(request: Any, _: Any) -> None:
        if request.path.endswith("/oauth2PermissionGrants") and not done:
            done.append(large.directory.delete_app(app(large.directory, 5)))

    large.weather.rules.append(meanwhile)
    large.full()
    assert done == [None]
    assert large.sync()["mode"] == "delta"
    large.assert_equal_to_tenant()


@pytest.mark.parametrize(("status", "code"), [(410, "syncStateNotFound"), (400, "resyncRequired")])
def test_an_expired_link_means_everything_at_once(large: World, status: int, code: str) -> None:
    change_a_lot(large.directory)
    large.weather.refuse("/delta", status, code, when=lambda request: request.query.get("$deltatoken", "latest") != "latest")
    summary = large.sync()
    assert (summary["mode"], summary["status"]) == ("full", "done")
    large.assert_equal_to_tenant()
    large.weather.rules.clear()
    assert large.sync()["mode"] == "delta"


def test_a_gap_is_mended_by_the_next_delta(large: World) -> None:
    link = DeltaLink.objects.get(collection="delegated_grants").link
    change_a_lot(large.directory)
    large.weather.refuse("/$batch", 403, "Authorization_RequestDenied")
    summary = large.sync()
    assert (summary["mode"], summary["status"]) == ("delta", "incomplete")
    large.weather.rules.clear()
    assert DeltaLink.objects.get(collection="delegated_grants").link == link
    assert large.sync()["mode"] == "delta"
    large.assert_equal_to_tenant()


def test_a_passing_gap_of_a_full_run_is_mended_by_another_full_one(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a delta run reads for changed plugins alone would be lacking for a day, and nobody told."""
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=60, users=60)
    world.weather.refuse("/$batch", 400, "Directory_ExpiredPageToken")
    for mode in ("full", "full", "delta"):  # once more at once, then not for an hour: a fault may last
        summary = world.sync()
        assert (summary["mode"], summary["status"]) == (mode, "incomplete")
        assert {"owners", "app_role_assignments"} & {gap["collection"] for gap in summary["incomplete"]}
    world.weather.rules.clear()
    summary = world.sync()
    assert (summary["mode"], summary["status"]) == ("delta", "incomplete"), "what is lacking is said until it is there"
    SyncRun.objects.update(repeat_at=now() - timedelta(seconds=1))
    summary = world.sync()
    assert (summary["mode"], summary["status"]) == ("full", "done")
    world.assert_equal_to_tenant()
    assert world.sync()["mode"] == "delta"
    world.weather.refuse("/$batch", 403, "Authorization_RequestDenied")
    assert world.full()["status"] == "incomplete"
    world.weather.rules.clear()
    assert (world.sync()["mode"], world.sync(trigger="person")["mode"]) == ("delta", "full"), "who mended it need not wait"


@pytest.mark.parametrize("path", ["/reports/servicePrincipalSignInActivities", "/subscribedSkus"])
def test_a_gap_that_no_delta_mends_is_said_until_it_is_mended(make_world: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=60, users=60)
    world.weather.refuse(path, 400, "Directory_ExpiredPageToken")
    gaps = [world.sync()["incomplete"] for _ in range(3)]
    assert gaps[0] and [[gap["collection"] for gap in some] for some in gaps[1:]] == [[gap["collection"] for gap in gaps[0]]] * 2
    assert SyncRun.objects.latest("pk").mode == "delta"
    world.weather.rules.clear()
    assert world.sync(trigger="person")["incomplete"] == []


def test_waiting_longer_each_time_while_a_fault_lasts(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=60, users=60)
    world.weather.refuse("/$batch", 400, "Directory_ExpiredPageToken")
    waits = []
    for _ in range(4):
        world.full()
        run = SyncRun.objects.latest("pk")
        assert run.repeat_at and run.finished_at
        waits.append(round((run.repeat_at - run.finished_at) / timedelta(hours=1)))
    assert waits == [0, 1, 2, 4]


def test_an_object_that_nobody_understands_does_not_mean_everything_each_time(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "DELTA_FROM_REQUESTS", 1)
    world = make_world(plugins=60, users=60, grants=300)

    def odd(request: Any, response: Any) -> Any:
        if not request.path.endswith("/oauth2PermissionGrants") or response.status != 200:
            return None
        body = json.loads(response.body)
        body["value"].append({"id": 7, "clientId": ["?"]})
        return web.json_response(body)

    world.weather.rules.append(odd)
    assert [world.sync()["mode"] for _ in range(3)] == ["full", "delta", "delta"]


def test_full_is_full_when_asked_for(large: World) -> None:
    assert large.full()["mode"] == "full"


def test_replayed_and_repeated_items_change_nothing_twice(large: World) -> None:
    change_a_lot(large.directory)
    links = dict(DeltaLink.objects.values_list("collection", "link"))
    large.sync()
    before = Change.objects.count()
    for collection, link in links.items():
        DeltaLink.objects.filter(collection=collection).update(link=link)
    summary = large.sync()
    assert (summary["mode"], summary["changes"]) == ("delta", {})
    assert Change.objects.count() == before
    large.assert_equal_to_tenant()


def test_partial_items_are_read_again(large: World) -> None:
    """Microsoft promises a changed object's id and its changed properties, no more."""

    def thin(request: Any, response: Any) -> Any:
        if "/delta" not in request.path or response.status != 200:
            return None
        body = json.loads(response.body)
        body["value"] = [row if "@removed" in row else {"id": row["id"]} for row in body["value"]]
        return web.json_response(body)

    large.weather.rules.append(thin)
    change_a_lot(large.directory)
    assert large.sync()["mode"] == "delta"
    large.assert_equal_to_tenant()


def test_a_small_tenant_is_always_read_whole(world: World) -> None:
    world.sync()
    assert world.sync()["mode"] == "full"
    assert SyncRun.objects.filter(mode="delta").count() == 0


def test_nothing_is_removed_that_was_not_read_again(large: World) -> None:
    counts = [large.live(model).count() for model in (Plugin, DelegatedGrant, AppRoleAssignment, Owner)]
    large.directory.update_app(app(large.directory, 3), displayName="Another name")
    large.sync()
    assert [large.live(model).count() for model in (Plugin, DelegatedGrant, AppRoleAssignment, Owner)] == counts


def test_what_a_blueprint_gains_or_loses_reaches_its_agents_at_once(large: World) -> None:
    directory = large.directory
    agents = app(directory, 3), app(directory, 4)
    directory.update_app(app(directory, 2), **{"@odata.type": "#microsoft.graph.agentIdentityBlueprintPrincipal"})
    for agent in agents:
        directory.update_app(agent, **{"@odata.type": "#microsoft.graph.agentIdentity"})
        directory.blueprints[agent] = app(directory, 2)
    large.sync()
    graph = next(row for row in directory.service_principals.values() if len(row["appRoles"]) > 3)
    grant = directory.grant(app(directory, 2), graph["id"], "Mail.Read")
    assert large.sync()["mode"] == "delta"
    held = InheritedPermission.objects.filter(service_principal_id__in=agents, permission="Mail.Read", removed_at=None)
    assert held.count() == 2
    large.assert_equal_to_tenant()
    directory.revoke(grant.id)
    assert large.sync()["mode"] == "delta"
    assert not held.exists()
    large.assert_equal_to_tenant()
    directory.grant(app(directory, 2), graph["id"], "Mail.Read")
    large.sync()
    assert held.count() == 2
    directory.delete_app(app(directory, 2))
    assert large.sync()["mode"] == "delta"
    assert not held.exists()


def test_a_new_consent_request_is_told_by_a_delta_run(large: World) -> None:
    large.directory.consent_requests[0]["appId"] = str(uuid4())
    summary = large.sync()
    assert (summary["mode"], summary["changes"]) == ("delta", {"consent_requested": 1})


def test_people_who_change_or_go_are_known_at_once(large: World) -> None:
    """Their grants are the same as before: only the delta of users tells."""
    known = [str(one) for one in large.live(Principal).filter(kind="user").order_by("object_id").values_list("object_id", flat=True)]
    gone = str(large.live(Owner).filter(owner_id__in=known).earliest("owner_id").owner_id)
    renamed = str(large.live(DelegatedGrant).filter(principal_id__in=known).exclude(principal_id=gone).earliest("grant_id").principal_id)
    let_in = str(large.live(DelegatedGrant).filter(principal_id=renamed).earliest("grant_id").client_id)
    guests = guests_of(large, let_in)
    stranger = str(uuid4())
    large.directory.users[stranger] = replace(large.directory.users[renamed], id=stranger)
    large.directory.update_user(renamed, name="Renamed Person", user_type="Guest")
    large.directory.update_user(stranger, name="Nobody knows")
    large.directory.delete_user(gone)
    assert large.sync()["mode"] == "delta"
    person = Principal.objects.get(object_id=renamed)
    assert (person.name, person.user_type) == ("Renamed Person", "Guest")
    assert Principal.objects.get(object_id=gone).removed_at is not None
    assert not Principal.objects.filter(object_id=stranger).exists()
    assert large.live(Principal).filter(kind="user").count() == len(known) - 1
    assert guests_of(large, let_in) != guests, "the score counts this guest now"
    large.assert_equal_to_tenant()  # nobody owns or is assigned to anything after being deleted

    held = large.directory.owners
    assert any(gone in owners for owners in held.values())
    large.directory.users[gone] = replace(large.directory.users[renamed], id=gone, name="Back Again")
    large.directory.touch("users", gone)
    own = {key for key, owners in held.items() if gone in owners and key in large.directory.service_principals}
    large.sync()
    assert {str(one.service_principal_id) for one in large.live(Owner).filter(owner_id=gone, source="service_principal")} == own


def guests_of(world: World, service_principal_id: str) -> list[str]:
    """What the score says of guests."""
    risk = world.plugin(service_principal_id).risk
    return [reason["evidence"] for reason in [*risk["reasons"], *risk["notes"]] if reason["signal"] == "guest_consent"]


@pytest.mark.parametrize("status", [403, 410])
def test_what_people_are_called_never_fails_a_run(large: World, status: int) -> None:
    change_a_lot(large.directory)
    large.weather.refuse("/users/delta", status, "Authorization_RequestDenied" if status == 403 else "syncStateNotFound")
    summary = large.sync()
    assert (summary["mode"], summary["status"]) == ("delta", "done")
    large.assert_equal_to_tenant()
    state = Capability.objects.get(connector_id=large.connector_id, name="changed_people").state
    assert state == ("missing" if status == 403 else "granted"), "what is refused is said on the integration's page"
