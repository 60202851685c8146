"""The API over HTTP: the same rows as the export, roles, problems and nothing for strangers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from tests.world import World

from consentry.accounts import services as accounts
from consentry.accounts.models import Account
from consentry.api.urls import description
from consentry.connect.models import Connector, Integration
from consentry.core.wsgi import application
from consentry.inventory import plugin_data
from consentry.inventory.models import Plugin
from consentry.sync.models import SyncRun

LISTS = ["plugins", "alerts", "policies", "permissions", "principals", "changes", "connectors", "integrations", "syncs"]
Caller = Callable[[str], Client]


def bearer(role: str) -> dict[str, str]:
    _, text = accounts.create_token(accounts.default_account(), name=f"{role}'s", role=role, actor="test")
    return {"Host": "localhost", "Authorization": f"Bearer {text}"}


@pytest.fixture
def caller(db: None) -> Caller:
    """A client with a token of a role."""
    return lambda role: Client(headers=bearer(role))


def get(client: Client, address: str, **query: Any) -> Any:
    answer = client.get(f"/api/v1/{address}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert (body["status"], body["type"]) == (status, f"/problems/{code}")
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in answer.content.decode()


def test_plugins_equal_the_export(world: World, caller: Caller) -> None:
    world.sync()
    client = caller("viewer")
    exported = {row["id"]: row for row in plugin_data.rows("plugins", accounts.default_account().pk)}
    first = get(client, "plugins", page_size=40)
    assert first["count"] == len(exported) > 40
    found = [*first["items"], *get(client, "plugins", page_size=40, page=2)["items"]]
    assert {row["id"]: row for row in found} == exported
    scores = [row["risk"]["score"] for row in found]
    assert scores == sorted(scores, reverse=True)
    one = found[0]["id"]
    assert get(client, f"plugins/{one}") == exported[one]
    grants = list(plugin_data.rows("grants", accounts.default_account().pk, only=[Plugin.objects.get(pk=one).pk]))
    pages = range(1, len(grants) // 200 + 2)
    assert [row for page in pages for row in get(client, f"plugins/{one}/grants", page_size=200, page=page)["items"]] == grants


def test_filters_and_users(world: World, caller: Caller) -> None:
    world.sync()
    client = caller("viewer")
    busiest = get(client, "plugins", sort="-users", page_size=1)["items"][0]
    users = get(client, f"plugins/{busiest['id']}/users", page_size=200)
    assert users["count"] == busiest["users"] == len(users["items"])
    somebody = next(row for row in users["items"] if row["mail"])
    theirs = get(client, "plugins", user=somebody["mail"].upper(), page_size=200)["items"]
    assert busiest["id"] in [row["id"] for row in theirs]
    permission = busiest["delegated_permissions"][0]["value"]
    holders = get(client, "plugins", permission=permission, page_size=200)["items"]
    assert all(permission in [one["value"] for one in row["delegated_permissions"] + row["application_permissions"]] for row in holders)
    assert get(client, "plugins", q=busiest["name"])["count"] >= 1
    assert get(client, "plugins", new_since="2999-01-01")["count"] == 0
    assert {row["origin"] for row in get(client, "plugins", origin="microsoft", page_size=200)["items"]} == {"microsoft"}
    assert_problem(client.get("/api/v1/plugins", {"risk": "low,enormous"}), 422, "request_invalid")
    assert_problem(client.get("/api/v1/plugins", {"sort": "colour"}), 422, "request_invalid")
    assert_problem(client.get("/api/v1/plugins", {"new_since": "yesterday"}), 422, "filter_unknown")
    assert_problem(client.get("/api/v1/plugins", {"page_size": 201}), 422, "request_invalid")


def test_a_decision_is_taken_and_audited(world: World, caller: Caller) -> None:
    world.sync()
    target = get(caller("viewer"), "plugins", page_size=1)["items"][0]["id"]
    address = f"/api/v1/plugins/{target}/decision"
    body = {"state": "unsanctioned", "note": "No contract"}
    assert_problem(caller("viewer").post(address, body, content_type="application/json"), 403, "role_too_low")
    decided = caller("analyst").post(address, body, content_type="application/json")
    assert decided.status_code == 200
    assert {**decided.json()["decision"], "at": None} == {
        "state": "unsanctioned",
        "by": "token analyst's",
        "at": None,
        "until": None,
        "note": "No contract",
    }
    assert get(caller("viewer"), "plugins", decision="unsanctioned")["count"] == 1
    assert_problem(caller("analyst").post(address, {"state": "risk_accepted"}, content_type="application/json"), 409, "until_missing")
    assert_problem(caller("analyst").post(address, {"state": "loved"}, content_type="application/json"), 422, "request_invalid")
    assert_problem(caller("analyst").post(address, "{", content_type="application/json"), 400, "request_refused")


def test_sync_now_queues_one_run(world: World, caller: Caller) -> None:
    address = f"/api/v1/integrations/{world.integration.pk}/sync"
    assert_problem(caller("analyst").post(address), 403, "role_too_low")
    client = caller("administrator")
    first, second = client.post(address), client.post(address)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"] == SyncRun.objects.get().pk
    assert get(client, f"syncs/{first.json()['id']}")["status"] == "queued"
    accounts.revoke_casb(accounts.default_account(), actor="test")
    assert_problem(client.post(address), 409, "casb_missing")


@pytest.mark.parametrize("address", [*LISTS, "openapi.json", "nothing/here", "plugins/3f2504e0-4f89-11d3-9a0c-0305e82c3301"])
def test_strangers_get_401(db: None, address: str) -> None:
    answer = Client(headers={"host": "localhost"}).get(f"/api/v1/{address}")
    assert_problem(answer, 401, "credentials_missing")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    wrong = Client(headers={"host": "localhost", "authorization": "Bearer cst_wrong"}).get(f"/api/v1/{address}")
    assert wrong.status_code == 401


def test_what_is_not_there_is_a_problem(caller: Caller) -> None:
    client = caller("viewer")
    assert_problem(client.get("/api/v1/nothing"), 404, "not_found")
    assert_problem(client.get("/api/v1/plugins/3f2504e0-4f89-11d3-9a0c-0305e82c3301"), 404, "not_found")
    assert_problem(client.delete("/api/v1/plugins"), 405, "method_not_allowed")


def test_another_accounts_things_do_not_exist(world: World, caller: Caller) -> None:
    world.sync()
    plugin = Plugin.objects.first()
    assert plugin is not None
    client = caller("owner")
    Connector.objects.update(account=Account.objects.create(name="Other", slug="other"))
    for address in set(LISTS) - {"policies"}:
        assert get(client, address)["items"] == [], address
    assert_problem(client.get(f"/api/v1/plugins/{plugin.pk}"), 404, "not_found")
    assert_problem(client.post(f"/api/v1/integrations/{world.integration.pk}/sync"), 404, "not_found")
    assert Integration.objects.count() == 1


def test_a_revoked_token_is_refused(caller: Caller) -> None:
    client = caller("viewer")
    get(client, "plugins")
    token = accounts.ApiToken.objects.get()
    accounts.revoke_token(token.account, token.pk, actor="test")
    assert_problem(client.get("/api/v1/plugins"), 401, "credentials_missing")


def test_a_session_may_read_but_needs_its_token_to_write(world: World) -> None:
    world.sync()
    person, _ = accounts.add_person(
        accounts.default_account(), "a@demo.example", role="analyst", actor="test", password="correct horse battery"
    )
    client = Client(headers={"host": "localhost"}, enforce_csrf_checks=True)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    target = get(client, "plugins", page_size=1)["items"][0]["id"]
    answer = client.post(f"/api/v1/plugins/{target}/decision", {"state": "sanctioned"}, content_type="application/json")
    assert_problem(answer, 403, "request_forged")


described = schemathesis.openapi.from_dict(description())
described.app = application


@described.parametrize()
@settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_keep_to_the_description(case: Any, world: World) -> None:
    """Whatever is sent, the answer is one that is described, or a problem."""
    if not SyncRun.objects.exists():
        world.sync()
    # a date is a text of a form of its own, and in a query string everything is text
    unfair = [positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(headers=bearer("owner"), excluded_checks=unfair)
