"""The simulated Graph behaves as Microsoft's: the awkward parts most of all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.simulator.cloud import Running, running


class Graph:
    """Requests with a reader's token."""

    def __init__(self, cloud: Running) -> None:
        self.cloud = cloud
        self.headers = {"Authorization": f"Bearer {cloud.token().json()['access_token']}"}

    def get(self, path: str, **headers: str) -> requests.Response:
        url = path if path.startswith("http") else f"{self.cloud.url}/v1.0/{path}"
        return requests.get(url, headers={**self.headers, **headers}, timeout=20)

    def every(self, path: str) -> list[dict[str, Any]]:
        """All pages of a collection."""
        rows, link = [], path
        while link:
            body = self.get(link).json()
            rows += body["value"]
            link = body.get("@odata.nextLink")
        return rows


@pytest.fixture
def cloud() -> Iterator[Running]:
    with running(consented=True, plugins=130, users=60) as started:
        yield started


@pytest.fixture
def graph(cloud: Running) -> Graph:
    return Graph(cloud)


def directory(graph: Graph) -> Any:
    return graph.cloud.cloud.tenants[graph.cloud.info["tenant_id"]].directory


def test_pages_hold_every_object_once(graph: Graph) -> None:
    first = graph.get("servicePrincipals?$top=50&$select=id").json()
    assert len(first["value"]) == 50
    assert "$skiptoken" in first["@odata.nextLink"]
    rows = graph.every("servicePrincipals?$top=50&$select=id")
    assert sorted(row["id"] for row in rows) == sorted(directory(graph).service_principals)
    assert {key for row in rows for key in row} <= {"id", "@odata.type"}


def test_the_default_page_is_a_hundred(graph: Graph) -> None:
    assert len(graph.get("servicePrincipals?$select=id").json()["value"]) == 100
    assert graph.get("servicePrincipals?$top=1000").status_code == 400


def test_expand_stops_at_twenty_without_saying_so(graph: Graph) -> None:
    holder = next(iter(directory(graph).service_principals))
    resource = next(reversed(directory(graph).service_principals))
    for number in range(25):
        directory(graph).assign(holder, resource, f"{number:08d}-0000-0000-0000-000000000000")
    rows = graph.every("servicePrincipals?$select=id&$expand=appRoleAssignments&$top=999")
    shown = next(row for row in rows if row["id"] == holder)
    assert len(shown["appRoleAssignments"]) == 20
    assert "appRoleAssignments@odata.nextLink" not in shown
    assert len(graph.every(f"servicePrincipals/{holder}/appRoleAssignments")) >= 25


def test_filters_in_the_forms_the_product_uses(graph: Graph) -> None:
    some = list(directory(graph).service_principals)[:3]
    wanted = ",".join(f"'{one}'" for one in some)
    assert {row["id"] for row in graph.every(f"servicePrincipals?$filter=id in ({wanted})&$select=id")} == set(some)
    client = next(iter(directory(graph).grants.values())).client_id
    found = graph.every(f"oauth2PermissionGrants?$filter=clientId eq '{client}'")
    assert {row["clientId"] for row in found} == {client}
    assert graph.get("oauth2PermissionGrants?$filter=scope eq 'x'").status_code in {400, 501}


def test_delta_tells_only_what_changed(graph: Graph) -> None:
    link: str | None = "oauth2PermissionGrants/delta"
    known: dict[str, Any] = {}
    body: dict[str, Any] = {}
    while link:
        body = graph.get(link).json()
        known |= {row["id"]: row for row in body["value"]}
        link = body.get("@odata.nextLink")
    assert known.keys() == directory(graph).grants.keys()
    victim = next(iter(directory(graph).grants))
    directory(graph).revoke(victim)
    changed = graph.get(body["@odata.deltaLink"]).json()
    assert [(row["id"], row["@removed"]["reason"]) for row in changed["value"]] == [(victim, "deleted")]
    assert graph.get("oauth2PermissionGrants/delta?$deltatoken=nonsense").status_code in {400, 410}


def test_a_batch_answers_each_by_its_own_status(graph: Graph) -> None:
    some = list(directory(graph).service_principals)[:2]
    asked = [
        {"id": "1", "method": "GET", "url": f"/servicePrincipals/{some[0]}?$select=id"},
        {"id": "2", "method": "GET", "url": "/servicePrincipals/11111111-2222-3333-4444-555555555555"},
        {"id": "3", "method": "GET", "url": f"/servicePrincipals/{some[1]}?$select=id"},
    ]
    answer = requests.post(f"{graph.cloud.url}/v1.0/$batch", json={"requests": asked}, headers=graph.headers, timeout=20)
    statuses = {one["id"]: one["status"] for one in answer.json()["responses"]}
    assert statuses == {"1": 200, "2": 404, "3": 200}
    too_many = [{**asked[0], "id": str(number)} for number in range(21)]
    assert (
        requests.post(f"{graph.cloud.url}/v1.0/$batch", json={"requests": too_many}, headers=graph.headers, timeout=20).status_code == 400
    )


def test_the_audit_log_takes_five_requests_in_ten_seconds(graph: Graph) -> None:
    statuses = [graph.get("auditLogs/directoryAudits?$top=1").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    limited = graph.get("auditLogs/directoryAudits?$top=1")
    assert float(limited.headers["Retry-After"]) > 0
    assert limited.json()["error"]["code"]
    assert graph.get("servicePrincipals?$top=1").status_code == 200


def test_throttling_has_its_own_error_and_a_fractional_wait(graph: Graph) -> None:
    graph.cloud.order("throttle", rate=1.0)
    answer = graph.get("servicePrincipals")
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "TooManyRequests"
    graph.cloud.order("throttle", rate=0)
    assert graph.get("servicePrincipals?$top=1").status_code == 200


def test_an_old_page_token_has_expired(graph: Graph) -> None:
    link = graph.get("servicePrincipals?$top=50").json()["@odata.nextLink"]
    graph.cloud.order("settings", page_token_lifetime_seconds=0.05)
    expiring = graph.get("servicePrincipals?$top=50").json()["@odata.nextLink"]
    time.sleep(0.1)
    answer = graph.get(expiring)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "Directory_ExpiredPageToken"
    assert link


def test_without_the_role_it_is_refused(cloud: Running) -> None:
    headers = {"Authorization": f"Bearer {cloud.token('tenant').json()['access_token']}"}
    refused = requests.get(f"{cloud.url}/v1.0/oauth2PermissionGrants", headers=headers, timeout=20)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "Authorization_RequestDenied"
    assert requests.get(f"{cloud.url}/v1.0/organization", headers=headers, timeout=20).status_code == 200
    nobody = requests.get(f"{cloud.url}/v1.0/organization", timeout=20)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_the_tenant_looks_like_an_organisation(graph: Graph) -> None:
    found = directory(graph)
    apps = found.service_principals.values()
    kinds = {row["servicePrincipalType"] for row in apps}
    assert kinds >= {"Application", "ManagedIdentity"}
    assert any("agentIdentity" in str(row.get("@odata.type", "")) or row["servicePrincipalType"] == "ServiceIdentity" for row in apps)
    assert any((row["verifiedPublisher"] or {}).get("displayName") for row in apps)
    assert any(not (row["verifiedPublisher"] or {}).get("displayName") for row in apps)
    assert any(row["passwordCredentials"] for row in apps)
    assert any(grant.consent_type == "AllPrincipals" for grant in found.grants.values())
    assert len({person.department for person in found.users.values()}) > 3
    assert max(len(rows) for rows in found.assignments.values()) > 20


def test_the_same_seed_makes_the_same_tenant() -> None:
    with running(seed=7) as first, running(seed=7) as second, running(seed=8) as third:
        names = [sorted(next(iter(cloud.cloud.tenants.values())).directory.service_principals) for cloud in (first, second, third)]
    assert names[0] == names[1] != names[2]
