"""Every way in which an admin consent can end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from tests.simulator.cloud import RETURN, Browser, Running, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as cloud:
        yield cloud


@pytest.fixture
def cloud(server: Running) -> Running:
    """The cloud without any consent."""
    for tenant in (server.info["tenant_id"], server.info["other_tenant_id"]):
        server.order("consent/revoke", tenant=tenant)
    server.order("settings", cancel_answer="observed", consent_delay_seconds=0)
    for kind in ("tenant", "reader", "responder"):
        server.order("registration", registration=kind, multi_tenant=True)
    return server


@pytest.fixture
def browser(cloud: Running) -> Browser:
    return Browser(cloud)


def test_person_picks_an_account_enters_the_password_and_accepts(browser: Browser) -> None:
    cloud = browser.cloud
    assert browser.consent().title == "Pick an account"
    assert "Use another account" in browser.page
    assert browser.send(upn=cloud.info["admin"]).title == "Enter password"
    browser.send(password=cloud.info["password"])
    assert browser.title == "Permissions requested"
    for text in ("Review for your organisation", "Consentry reader", "unverified", "Accept", "Cancel", "Simulated Microsoft sign-in"):
        assert text in browser.page
    browser.send(answer="accept")
    assert browser.left_for
    assert browser.left_for.startswith(RETURN)
    roles = (
        "Directory.Read.All",
        "AuditLog.Read.All",
        "Policy.Read.All",
        "ConsentRequest.Read.All",
        "CrossTenantInformation.ReadBasic.All",
    )
    scope = " ".join(f"https://graph.microsoft.com/{role}" for role in roles)
    assert browser.answer == {"admin_consent": "True", "tenant": cloud.info["tenant_id"], "scope": scope, "state": "state-1"}


def test_another_account_is_entered_by_its_address(browser: Browser) -> None:
    info = browser.cloud.info
    assert browser.consent().send(upn="").title == "Sign in"
    assert "couldn't find an account" in browser.send(upn="nobody@nowhere.example").page
    assert "Enter a valid email address" in browser.send(upn=" ").page
    assert browser.send(upn=info["admin"].upper()).title == "Enter password"
    assert browser.send(password=info["password"]).title == "Permissions requested"


def test_wrong_password_is_said_and_can_be_tried_again(browser: Browser) -> None:
    browser.consent().sign_in(password="wrong ü")
    assert browser.title == "Enter password"
    assert "Your account or password is incorrect" in browser.page
    assert browser.send(password=browser.cloud.info["password"]).title == "Permissions requested"


def test_browser_stays_signed_in_until_another_account_is_chosen(browser: Browser) -> None:
    info = browser.cloud.info
    browser.consent("tenant").sign_in().send(answer="accept")
    assert browser.consent("reader").title == "Permissions requested"
    assert browser.consent("reader", prompt="select_account").title == "Pick an account"
    assert "Signed in" in browser.page
    assert browser.send(upn=info["admin"]).title == "Permissions requested"
    assert browser.send(answer="switch").title == "Pick an account"
    assert browser.send(upn=info["user"]).title == "Enter password"
    assert Browser(browser.cloud).consent().title == "Pick an account"


def test_second_consent_tells_new_permissions_from_held_ones(browser: Browser) -> None:
    browser.consent().sign_in().send(answer="accept")
    browser.consent()
    assert "Nothing new is asked for" in browser.page
    assert "This app would like to" not in browser.page
    roles = [
        "Directory.Read.All",
        "AuditLog.Read.All",
        "Policy.Read.All",
        "ConsentRequest.Read.All",
        "CrossTenantInformation.ReadBasic.All",
    ]
    try:
        browser.cloud.order("registration", registration="reader", roles=[*roles, "User.Read.All"])
        page = browser.consent().page
        asked, held = page.split("Already accepted for your organisation")
        assert "User.Read.All" in asked
        assert "Directory.Read.All" not in asked
        assert "Directory.Read.All" in held
        browser.cloud.order("registration", registration="reader", roles=["Policy.Read.All"])
        browser.consent().send(answer="accept")
        assert browser.cloud.cloud.consents[browser.cloud.info["tenant_id"], browser.cloud.info["client_id"]].roles == ["Policy.Read.All"]
    finally:
        browser.cloud.order("registration", registration="reader", roles=roles)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("observed", {"admin_consent": "True", "error": "access_denied", "error_subcode": "cancel"}),
        ("documented", {"admin_consent": "True", "error": "consent_required"}),
        ("bare", {"error": "access_denied", "error_subcode": "cancel"}),
    ],
)
def test_cancel_answers_in_each_known_way(browser: Browser, style: str, expected: dict[str, str]) -> None:
    browser.cloud.order("settings", cancel_answer=style)
    answer = browser.consent().sign_in().send(answer="cancel").answer
    description = answer.pop("error_description", "")
    assert answer == {**expected, "state": "state-1"}
    assert description.startswith("AADSTS65004") is (style != "bare")


def test_older_address_has_no_scope_and_its_own_refusal(browser: Browser) -> None:
    browser.consent(tenant="common", version="").sign_in()
    assert browser.send(answer="cancel").answer == {
        "error": "permission_denied",
        "error_description": "The admin canceled the request",
        "state": "state-1",
    }
    assert browser.consent(tenant="common", version="").send(answer="accept").answer == {
        "admin_consent": "True",
        "tenant": browser.cloud.info["tenant_id"],
        "state": "state-1",
    }


def test_person_who_is_no_administrator_is_sent_back_without_description(browser: Browser) -> None:
    info = browser.cloud.info
    browser.consent().sign_in(info["user"])
    assert browser.title == "Need admin approval"
    assert browser.send(answer="accept").title == "Need admin approval"
    assert not browser.cloud.cloud.consents
    assert browser.send(answer="back").answer == {"error": "access_denied", "error_subcode": "cancel", "state": "state-1"}
    assert browser.consent().send(answer="switch").title == "Pick an account"


def test_account_of_another_tenant_is_refused_without_redirect(browser: Browser) -> None:
    info = browser.cloud.info
    browser.consent(tenant=info["tenant_id"]).sign_in(info["other_admin"])
    assert (browser.status, browser.left_for) == (400, None)
    assert "AADSTS50020" in browser.page
    assert browser.send(answer="switch").title == "Pick an account"
    assert browser.sign_in(info["admin"]).title == "Permissions requested"


def test_organizations_consents_in_the_tenant_of_whoever_signs_in(browser: Browser) -> None:
    info = browser.cloud.info
    browser.consent().sign_in(info["other_admin"])
    assert browser.send(answer="accept").answer["tenant"] == info["other_tenant_id"]


def test_tenant_is_named_by_its_domain_as_well(browser: Browser) -> None:
    assert browser.consent(tenant=browser.cloud.info["tenant_domain"]).sign_in().title == "Permissions requested"


@pytest.mark.parametrize(
    ("tenant", "version", "query", "number"),
    [
        ("organizations", "/v2.0", {"redirect_uri": "https://elsewhere.example/return"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": "http://localhost:8000/Connect/microsoft/return"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": "http://127.0.0.1:8000/connect/microsoft/return"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": f"{RETURN}#part"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": f"{RETURN}?next=1"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": "http://[::1"}, 50011),
        ("organizations", "/v2.0", {"redirect_uri": ""}, 900971),
        ("organizations", "/v2.0", {"client_id": "11111111-1111-1111-1111-111111111111"}, 700016),
        ("organizations", "/v2.0", {"client_id": ""}, 900144),
        ("organizations", "/v2.0", {"scope": ""}, 900144),
        ("organizations", "/v2.0", {"scope": "https://graph.microsoft.com/Directory.Read.All"}, 70011),
        ("organizations", "/v2.0", {"scope": "https://vault.example/.default"}, 500011),
        ("common", "/v2.0", {}, 90133),
        ("consumers", "", {}, 90133),
        ("22222222-2222-2222-2222-222222222222", "/v2.0", {}, 90002),
    ],
)
def test_bad_request_stops_at_microsofts_page(browser: Browser, tenant: str, version: str, query: dict[str, str], number: int) -> None:
    browser.consent(tenant=tenant, version=version, **query)
    assert (browser.status, browser.left_for) == (400, None)
    assert f"AADSTS{number}:" in browser.page


def test_port_of_localhost_is_ignored(browser: Browser) -> None:
    elsewhere = RETURN.replace("8000", "9123")
    browser.consent(redirect_uri=elsewhere).sign_in().send(answer="accept")
    assert browser.left_for
    assert browser.left_for.startswith(f"{elsewhere}?")


def test_html_is_stripped_from_state_and_escaped_on_pages(browser: Browser) -> None:
    browser.consent(state="a<script>b</script>&c=1 d").sign_in()
    assert browser.send(answer="accept").answer["state"] == "ab&c=1 d"
    raw = requests.get(f"{browser.cloud.url}/organizations/v2.0/adminconsent?client_id=<script>alert(1)</script>", timeout=5)
    assert "<script>" not in raw.text
    assert "default-src 'none'" in raw.headers["Content-Security-Policy"]


def test_registration_of_one_tenant_is_used_at_that_tenants_address_only(browser: Browser) -> None:
    info = browser.cloud.info
    browser.cloud.order("registration", registration="reader", multi_tenant=False)
    assert "AADSTS50194" in browser.consent().page
    assert "AADSTS700016" in browser.consent(tenant=info["other_tenant_id"]).page
    assert browser.consent(tenant=info["tenant_id"]).sign_in().title == "Permissions requested"


def test_form_of_another_browser_is_refused(browser: Browser) -> None:
    browser.consent().sign_in()
    stranger = Browser(browser.cloud, page=browser.page)
    assert "AADSTS165000" in stranger.send(answer="accept").page
    assert not browser.cloud.cloud.consents


def test_consent_without_signing_in_leads_to_the_picker(browser: Browser) -> None:
    assert browser.consent().send(answer="accept").title == "Pick an account"
    assert not browser.cloud.cloud.consents
