"""The control orders, what the server remembers, and the command's server loop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.simulator.cloud import Browser, Running, running

from consentry.simulator import server
from consentry.simulator.options import SimulatorOptions


@pytest.fixture(scope="module")
def cloud() -> Iterator[Running]:
    with running(consented=True) as server:
        yield server


def test_down_answers_503_everywhere(cloud: Running) -> None:
    cloud.order("down", down=True)
    try:
        assert cloud.token().status_code == 503
        assert cloud.token().json()["error_codes"] == [90033]
        assert requests.get(f"{cloud.url}/v1.0/organization", timeout=5).status_code == 503
        assert Browser(cloud).consent().status == 503
    finally:
        cloud.order("down", down=False)
    assert cloud.token().status_code == 200


def test_throttling_is_switched_on_and_off(cloud: Running) -> None:
    headers = {"Authorization": f"Bearer {cloud.token('tenant').json()['access_token']}"}
    for rate, status in ((1.0, 429), (0.0, 200)):
        cloud.order("throttle", rate=rate)
        assert requests.get(f"{cloud.url}/v1.0/organization", headers=headers, timeout=5).status_code == status


def test_token_errors_are_forced_a_number_of_times(cloud: Running) -> None:
    cloud.order("token-error", number=65001, error="invalid_grant", times=2)
    assert [cloud.token().status_code for _ in range(3)] == [400, 400, 200]
    cloud.order("token-error", number=90024, error="temporarily_unavailable", status=429)
    throttled = cloud.token()
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "1")


def test_directory_is_changed_by_method(cloud: Running) -> None:
    directory = next(iter(cloud.cloud.tenants.values())).directory
    client, resource = list(directory.service_principals)[-4], next(iter(directory.service_principals))
    given = {"client_id": client, "resource_id": resource, "scope": "Mail.Read"}
    grant = cloud.order("directory", method="grant", arguments=given).json()["result"]
    assert directory.grants[grant["id"]].scope == "Mail.Read"
    cloud.order("directory", method="revoke", arguments={"grant_id": grant["id"]})
    assert grant["id"] not in directory.grants


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("directory", {"method": "_private"}, 400),
        ("directory", {"method": "organization"}, 400),
        ("directory", {"method": "revoke", "arguments": {"wrong": 1}}, 400),
        ("directory", {"method": "revoke", "arguments": {"grant_id": "gone"}}, 404),
        ("directory", {}, 404),
        ("consent", {"registration": "nobody"}, 400),
        ("consent", {"registration": "reader", "tenant": "nowhere.example"}, 400),
        ("settings", {"cancel_answer": "loud"}, 400),
        ("down", [], 400),
    ],
)
def test_bad_order_is_explained(cloud: Running, name: str, body: object, status: int) -> None:
    answer = requests.post(f"{cloud.url}/_simulator/{name}", json=body, timeout=5)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_orders_of_other_sites_are_refused(cloud: Running) -> None:
    address = f"{cloud.url}/_simulator/down"
    assert requests.post(address, data='{"down": true}', headers={"Content-Type": "text/plain"}, timeout=5).status_code == 415
    assert requests.post(address, json={"down": True}, headers={"Host": "rebound.example"}, timeout=5).status_code == 403
    assert requests.get(f"{cloud.url}/_simulator/stats", headers={"Host": "rebound.example"}, timeout=5).status_code == 403
    assert cloud.token().status_code == 200


def test_requests_are_counted_by_kind(cloud: Running) -> None:
    cloud.order("stats/reset")
    headers = {"Authorization": f"Bearer {cloud.token().json()['access_token']}"}
    for object_id in list(next(iter(cloud.cloud.tenants.values())).directory.service_principals)[:3]:
        requests.get(f"{cloud.url}/v1.0/servicePrincipals/{object_id}/owners", headers=headers, timeout=5)
    requests.get(f"{cloud.url}/nowhere", timeout=5)
    counts = requests.get(f"{cloud.url}/_simulator/stats", timeout=5).json()
    assert counts["requests"]["GET /v1.0/servicePrincipals/{id}/owners"] == 3
    assert counts["requests"]["POST /{id}/oauth2/v2.0/token"] == 1
    assert counts["statuses"] == {"200": 4, "404": 1}
    assert counts["total"] == 5


def test_consents_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "microsoft.json"
    with running(state_file=file) as cloud:
        Browser(cloud).consent().sign_in().send(answer="accept")
        held = cloud.token()
        assert held.status_code == 200
    with running(state_file=file) as cloud:
        assert cloud.token().status_code == 200
        headers = {"Authorization": f"Bearer {held.json()['access_token']}"}
        assert requests.get(f"{cloud.url}/v1.0/organization", headers=headers, timeout=5).status_code == 200
        cloud.order("consent/revoke")
    assert json.loads(file.read_text()) == []
    with running(state_file=file, seed=2) as cloud:
        assert cloud.token().json()["error_codes"] == [700016]


def test_same_seed_gives_the_same_cloud_and_tenants_differ() -> None:
    options = SimulatorOptions(plugins=4, users=12, seed=7)
    first = server.describe(server.build_cloud(options), 1)
    assert first == server.describe(server.build_cloud(options), 1)
    assert first != server.describe(server.build_cloud(SimulatorOptions(plugins=4, users=12, seed=8)), 1)
    assert first["other_admin"].split("@")[1] != first["tenant_domain"]


def test_serve_says_when_it_is_ready_and_stops_on_a_signal() -> None:
    program = (
        "import json; from consentry.simulator.options import SimulatorOptions; from consentry.simulator.server import serve;"
        "serve(SimulatorOptions(plugins=2, users=12), on_ready=lambda info: print(json.dumps(info), flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        info = json.loads(process.stdout.readline())
        assert requests.get(f"{info['login_url']}/_simulator/stats", timeout=5).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout.read() + process.stderr.read() == ""
