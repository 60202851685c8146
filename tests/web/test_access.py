"""Who may open what, and what strangers get."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from consentry.accounts.models import Account, ApiToken, Person
from consentry.connect.models import Connector, Integration

OPEN = ("healthz", "readyz", "metrics", ".well-known/security.txt", "setup/", "accounts/")
UUID = "11111111-1111-1111-1111-111111111111"


def addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for entry in patterns:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, here)
        else:
            yield here


def own_addresses() -> list[str]:
    found = []
    for pattern in addresses(get_resolver().url_patterns):
        filled = (
            pattern.replace("<uuid:pk>", UUID)
            .replace("<str:role>", "reader")
            .replace("<str:tab>", "integrated")
            .replace("<str:form>", "csv")
        )
        if not filled.startswith((*OPEN, "api/")) and "<" not in filled and "(" not in filled:
            found.append("/" + filled)
    return found


@pytest.mark.parametrize("address", own_addresses())
def test_a_stranger_is_sent_to_sign_in(anonymous: Client, address: str) -> None:
    for answer in (anonymous.get(address), anonymous.post(address)):
        if answer.status_code == 405:
            continue
        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/accounts/login/?next=")


def test_a_stranger_behind_htmx_gets_no_page_in_a_fragment(anonymous: Client) -> None:
    answer = anonymous.get("/integrations/table/integrated/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Refresh"] == "true"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("role", "address", "status"),
    [
        ("viewer", "/integrations/", 200),
        ("viewer", "/administration/licence/", 200),
        ("viewer", "/administration/people/", 403),
        ("analyst", "/administration/tokens/", 403),
        ("analyst", "/administration/audit/", 403),
        ("analyst", "/integrations/connectors/new/", 403),
        ("administrator", "/administration/people/", 200),
        ("administrator", "/administration/registrations/", 200),
        ("administrator", "/integrations/connectors/new/", 200),
        ("owner", "/administration/audit/", 200),
    ],
)
def test_each_role_reaches_its_pages(as_role: Callable[[str], Client], role: str, address: str, status: int) -> None:
    assert as_role(role).get(address).status_code == status


def test_a_refusal_names_the_role_that_is_needed(as_role: Callable[[str], Client]) -> None:
    page = as_role("viewer").get("/administration/people/").content.decode()
    assert "Your role does not reach here" in page
    assert "Administrator" in page
    assert "Viewer" in page


def test_a_viewer_sees_the_tables_without_the_buttons(as_role: Callable[[str], Client], integration: Integration) -> None:
    page = as_role("viewer").get("/integrations/").content.decode()
    assert "Main tenant" in page
    assert "Details" in page
    for button in ("Re-authorise", "Disconnect", "Delete", "authorise/"):
        assert button not in page


@pytest.mark.parametrize("deed", ["authorise", "disconnect", "delete", "sync", "edit"])
def test_a_viewer_can_change_nothing_by_hand(as_role: Callable[[str], Client], connector: Connector, deed: str) -> None:
    assert as_role("viewer").post(f"/integrations/connectors/{connector.pk}/{deed}/").status_code == 403
    connector.refresh_from_db()
    assert connector.status == "connected"


def test_only_an_owner_touches_owners_and_the_licence(as_role: Callable[[str], Client], person_as: Callable[[str], Person]) -> None:
    owner, administrator = person_as("owner"), as_role("administrator")
    assert administrator.post(f"/administration/people/{owner.pk}/active/", {"active": "no"}).status_code == 403
    assert administrator.post(f"/administration/people/{owner.pk}/link/").status_code == 403
    assert administrator.post("/administration/people/", {"email": "new@demo.example", "role": "owner"}).status_code == 403
    assert administrator.post("/administration/licence/", {"deed": "revoke"}).status_code == 403
    person = person_as("administrator")
    assert administrator.post(f"/administration/people/{person.pk}/role/", {"role": "owner"}).status_code == 403
    assert not Person.objects.filter(email="new@demo.example").exists()


def test_another_accounts_things_do_not_exist(as_role: Callable[[str], Client]) -> None:
    other = Account.objects.create(name="Other", slug="other")
    theirs = Connector.objects.create(account=other, name="Theirs")
    switched = Integration.objects.create(connector=theirs)
    token = ApiToken.objects.create(account=other, name="theirs", role="viewer", token_hash=b"x")
    owner = as_role("owner")
    for place in (f"connectors/{theirs.pk}", str(switched.pk)):
        for part in ("", "details/", "edit/", "delete/", "disconnect/"):
            assert owner.get(f"/integrations/{place}/{part}").status_code == 404
        assert owner.post(f"/integrations/{place}/delete/").status_code == 404
    assert owner.post(f"/administration/tokens/{token.pk}/revoke/").status_code == 404
    assert owner.get(f"/syncs/{theirs.pk}/progress").status_code == 404
    assert Connector.objects.filter(pk=theirs.pk).exists()


def test_a_form_without_its_token_is_refused(person_as: Callable[[str], Person]) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    client.force_login(person_as("owner"), backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.post("/integrations/connectors/new/", {"kind": "ms_tenant", "name": "Forged"})
    assert answer.status_code == 403
    assert "This form was open for too long" in answer.content.decode()
    assert not Connector.objects.exists()
