"""Tokens: when they are given, what they carry, and how they are refused."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.simulator.cloud import Browser, Running, running

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Pair:
    """A private key and its self-signed certificate."""

    def __init__(self, *, days: int = 30) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "consentry")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = builder.serial_number(1).not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def private_pem(self) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    def thumbprint(self, digest: Any) -> str:
        return base64.urlsafe_b64encode(self.certificate.fingerprint(digest)).decode().rstrip("=")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair()


@pytest.fixture(scope="module")
def expired_pair() -> Pair:
    return Pair(days=-1)


@pytest.fixture(scope="module")
def cloud(pair: Pair, expired_pair: Pair) -> Iterator[Running]:
    with running() as server:
        for kind in ("tenant", "reader", "responder"):
            server.order("consent", registration=kind)
        for known in (pair, expired_pair):
            server.order("certificate/add", registration="reader", pem=known.pem)
        yield server


def claims(answer: requests.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return jwt.decode(answer.json()["access_token"], options={"verify_signature": False})


def graph(cloud: Running, path: str, token: str) -> requests.Response:
    return requests.get(f"{cloud.url}/v1.0/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def test_token_names_tenant_app_and_roles(cloud: Running) -> None:
    carried = claims(cloud.token("tenant"))
    assert (carried["tid"], carried["appid"]) == (cloud.info["tenant_id"], cloud.info["tenant_client_id"])
    assert carried["roles"] == ["Organization.Read.All"]
    assert carried["aud"] == cloud.url
    rows = graph(cloud, "organization", cloud.token("tenant").json()["access_token"]).json()["value"]
    assert [row["id"] for row in rows] == [cloud.info["tenant_id"]]


def test_token_is_given_for_a_domain_and_for_graphs_public_address(cloud: Running) -> None:
    answer = cloud.token(tenant=cloud.info["tenant_domain"], scope="https://graph.microsoft.com/.default")
    assert claims(answer)["aud"] == "https://graph.microsoft.com"


@pytest.mark.parametrize(
    ("tenant", "form", "status", "error", "number"),
    [
        (None, {"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        (None, {"client_secret": ""}, 401, "invalid_client", 7000218),
        (None, {"client_id": "11111111-1111-1111-1111-111111111111"}, 400, "unauthorized_client", 700016),
        (None, {"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        (None, {"grant_type": ""}, 400, "invalid_request", 900144),
        (None, {"scope": "https://graph.microsoft.com/Mail.Read"}, 400, "invalid_scope", 1002012),
        (None, {"scope": "https://vault.example/.default"}, 400, "invalid_resource", 500011),
        ("22222222-2222-2222-2222-222222222222", {}, 400, "invalid_request", 90002),
        ("common", {}, 400, "invalid_request", 9001023),
        ("organizations", {}, 400, "invalid_request", 90130),
    ],
)
def test_refusal_is_json_with_microsofts_number(
    cloud: Running, tenant: str | None, form: dict[str, str], status: int, error: str, number: int
) -> None:
    answer = cloud.token(tenant=tenant, **form)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= body.keys()


def test_tenant_without_consent_does_not_know_the_app(cloud: Running) -> None:
    assert cloud.token(tenant=cloud.info["other_tenant_id"]).json()["error_codes"] == [700016]


def test_roles_come_when_the_consent_has_spread() -> None:
    with running(consent_delay_seconds=0.4) as cloud:
        assert cloud.token().json()["error_codes"] == [700016]
        Browser(cloud).consent().sign_in().send(answer="accept")
        early = cloud.token()
        assert "roles" not in claims(early)
        assert graph(cloud, "servicePrincipals", early.json()["access_token"]).status_code == 403
        time.sleep(0.5)
        assert "Directory.Read.All" in claims(cloud.token())["roles"]
        cloud.order("settings", consent_delay_seconds=60)
        cloud.order("registration", registration="reader", roles=["Directory.Read.All", "User.Read.All"])
        Browser(cloud).consent().sign_in().send(answer="accept")
        assert claims(cloud.token())["roles"] == ["Directory.Read.All"]


def test_removed_disabled_and_narrowed_apps_behave_as_the_directory_says() -> None:
    with running(consented=True) as cloud:
        held = cloud.token().json()["access_token"]
        principal = claims(cloud.token())["oid"]
        cloud.order("directory", method="update_app", arguments={"service_principal_id": principal, "accountEnabled": False})
        assert cloud.token().json()["error_codes"] == [7000112]
        cloud.order("directory", method="update_app", arguments={"service_principal_id": principal, "accountEnabled": True})
        (assignment, *_) = graph(cloud, f"servicePrincipals/{principal}/appRoleAssignments", held).json()["value"]
        cloud.order("directory", method="unassign", arguments={"assignment_id": assignment["id"]})
        assert len(claims(cloud.token())["roles"]) == 4
        cloud.order("consent/revoke", registration="reader")
        assert cloud.token().json()["error_codes"] == [700016]
        refused = graph(cloud, "servicePrincipals", held)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "Authorization_IdentityNotFound")


def test_expired_and_further_secrets(cloud: Running) -> None:
    cloud.order("secret/expire", registration="responder")
    assert cloud.token("responder").json()["error_codes"] == [7000222]
    cloud.order("secret/add", registration="responder", secret="fresh")
    assert claims(cloud.token("responder", client_secret="fresh"))


def test_graph_refuses_foreign_and_missing_tokens(cloud: Running) -> None:
    foreign = jwt.encode({"tid": cloud.info["tenant_id"]}, "k" * 32, algorithm="HS256")
    for token in (foreign, "no-token", ""):
        answer = graph(cloud, "organization", token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
        assert "WWW-Authenticate" in answer.headers


def assertion(cloud: Running, pair: Pair, *, algorithm: str = "PS256", header: dict[str, str] | None = None, **changes: Any) -> str:
    client_id, _ = cloud.client("reader")
    now = int(time.time())
    given = {
        "aud": f"{cloud.url}/{cloud.info['tenant_id']}/oauth2/v2.0/token",
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 300,
        **changes,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    prints = {"x5t#S256": pair.thumbprint(hashes.SHA256())} if algorithm == "PS256" else {"x5t": pair.thumbprint(hashes.SHA1())}
    return jwt.encode(kept, pair.key, algorithm=algorithm, headers=header or prints)


def with_certificate(cloud: Running, text: str) -> requests.Response:
    return cloud.token(client_secret="", client_assertion_type=ASSERTION, client_assertion=text)


def test_both_forms_of_assertion_are_accepted(cloud: Running, pair: Pair) -> None:
    for algorithm in ("PS256", "RS256"):
        assert claims(with_certificate(cloud, assertion(cloud, pair, algorithm=algorithm)))
    public = f"https://login.microsoftonline.com/{cloud.info['tenant_id']}/v2.0"
    assert claims(with_certificate(cloud, assertion(cloud, pair, aud=public)))


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"exp": int(time.time()) - 3600}, 700024),
        ({"nbf": int(time.time()) + 3600}, 700024),
        ({"iss": "somebody"}, 700021),
        ({"sub": "somebody"}, 700021),
        ({"aud": "https://elsewhere.example/token"}, 700023),
        ({"jti": None}, 50027),
        ({"header": {"x5t#S256": "unknown"}}, 700027),
        ({"header": {"x5t": "unknown"}}, 700027),
    ],
)
def test_bad_assertion_is_refused(cloud: Running, pair: Pair, changes: dict[str, Any], number: int) -> None:
    answer = with_certificate(cloud, assertion(cloud, pair, **changes))
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (401, "invalid_client", [number])


def test_assertion_of_a_stranger_an_expired_certificate_and_no_jwt(cloud: Running, pair: Pair, expired_pair: Pair) -> None:
    stranger = Pair()
    forged = assertion(cloud, stranger, header={"x5t#S256": pair.thumbprint(hashes.SHA256())})
    unsigned = jwt.encode({"iss": "x"}, None, algorithm="none", headers={"x5t#S256": pair.thumbprint(hashes.SHA256())})
    for text, number in ((forged, 700027), (assertion(cloud, expired_pair), 700027), (unsigned, 700027), ("nonsense", 50027)):
        assert with_certificate(cloud, text).json()["error_codes"] == [number]


def test_metadata_is_found_under_the_address_that_was_asked(cloud: Running) -> None:
    tenant = cloud.info["tenant_id"]
    address = f"{cloud.url}/{tenant}/v2.0/.well-known/openid-configuration"
    document = requests.get(address, timeout=5).json()
    assert document["token_endpoint"] == f"{cloud.url}/{tenant}/oauth2/v2.0/token"
    assert document["issuer"] == f"{cloud.url}/{tenant}/v2.0"
    behind_tls = requests.get(address, headers={"X-Forwarded-Proto": "https"}, timeout=5).json()
    assert behind_tls["token_endpoint"].startswith("https://")
    assert requests.get(document["jwks_uri"], timeout=5).json() == {"keys": []}
    unknown = requests.get(f"{cloud.url}/nowhere.example/v2.0/.well-known/openid-configuration", timeout=5)
    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_tenant")
    asked = {"api-version": "1.1", "authorization_endpoint": f"{cloud.url}/{tenant}/oauth2/v2.0/authorize"}
    instance = requests.get(f"{cloud.url}/common/discovery/instance", params=asked, timeout=5).json()
    assert instance["tenant_discovery_endpoint"] == address
    asked["authorization_endpoint"] = "https://elsewhere.example/common/oauth2/authorize"
    assert requests.get(f"{cloud.url}/common/discovery/instance", params=asked, timeout=5).json()["error"] == "invalid_instance"


def test_a_token_for_graph_is_none_for_azure_and_the_other_way_round() -> None:
    with running(consented=True) as cloud:
        there = cloud.info["azure_url"]
        for_azure = cloud.token(scope=f"{there}/.default").json()["access_token"]
        for_graph = cloud.token().json()["access_token"]
        public = cloud.token(scope="https://management.azure.com/.default").json()["access_token"]

        def ask(url: str, token: str) -> int:
            return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code

        subscriptions = f"{there}/subscriptions?api-version=2022-12-01"
        assert ask(subscriptions, for_azure) == ask(subscriptions, public) == 200
        assert ask(subscriptions, for_graph) == 401
        assert ask(f"{cloud.url}/v1.0/organization", public) == 401
        assert ask(f"{there}/subscriptions", for_azure) == 400


def test_azure_shows_nothing_to_an_app_without_a_role() -> None:
    with running(consented=True) as cloud:
        there = cloud.info["azure_url"]
        token = cloud.token("responder", scope=f"{there}/.default").json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        subscriptions = requests.get(f"{there}/subscriptions?api-version=2022-12-01", headers=headers, timeout=5)
        assert subscriptions.json() == {"value": []}
        one = cloud.cloud.tenants[cloud.info["tenant_id"]].directory.subscriptions[0]["id"]
        path = f"{there}{one}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
        assert requests.get(path, headers=headers, timeout=5).status_code == 403
