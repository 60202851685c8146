"""The first start, people, tokens, registrations, the audit trail and the addresses for machines."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.test import Client

from consentry.accounts import services as accounts
from consentry.accounts.models import ApiToken, Person, Role
from consentry.connect.models import Registration

CLIENT_ID = "051ee30a-0fc0-56bf-97b2-17fe04c0ba17"


def test_the_set_up_link_makes_the_owner_once(anonymous: Client) -> None:
    token = accounts.make_setup_link()
    assert token
    fields = {"organisation": "Northfold", "name": "Ada", "email": "ada@demo.example", "password": "short"}
    weak = anonymous.post(f"/setup/{token}/", fields)
    assert weak.status_code == 422
    assert "too short" in weak.content.decode()
    made = anonymous.post(f"/setup/{token}/", {**fields, "password": "a long enough sentence"})
    assert made.status_code == 302
    person = Person.objects.get()
    assert (person.role, person.account.name) == (Role.OWNER, "Northfold")
    assert anonymous.get("/integrations/").status_code == 200, "signed in already"
    used = Client(headers={"host": "localhost"}).get(f"/setup/{token}/")
    assert used.status_code == 410
    assert "can&#x27;t be used" in used.content.decode() or "can't be used" in used.content.decode()


def test_signing_in_and_out(anonymous: Client, person_as: Callable[[str], Person]) -> None:
    person_as("viewer")
    wrong = anonymous.post("/accounts/login/", {"login": "viewer@demo.example", "password": "no"})
    assert "not correct" in wrong.content.decode()
    right = anonymous.post(
        "/accounts/login/?next=/plugins/", {"login": "viewer@demo.example", "password": "correct horse battery staple", "next": "/plugins/"}
    )
    assert right["Location"] == "/plugins/"
    assert anonymous.post("/accounts/logout/").status_code == 302
    assert anonymous.get("/plugins/").status_code == 302


def test_somebody_new_gets_a_link_that_works_once(as_role: Callable[[str], Client]) -> None:
    page = (
        as_role("owner").post("/administration/people/", {"email": "new@demo.example", "name": "New", "role": "analyst"}).content.decode()
    )
    found = re.search(r"<code>(http[^<]+)</code>", page)
    assert found
    address = urlsplit(unescape(found[1])).path
    stranger = Client(headers={"host": "localhost"})
    form = stranger.get(address, follow=True)
    assert form.status_code == 200
    password = {"password1": "a long enough sentence", "password2": "a long enough sentence"}
    stranger.post(form.request["PATH_INFO"], password)
    assert Person.objects.get(email="new@demo.example").check_password("a long enough sentence")
    again = Client(headers={"host": "localhost"}).get(address, follow=True).content.decode()
    assert "password1" not in again


def test_roles_change_and_the_last_owner_stays(as_role: Callable[[str], Client], person_as: Callable[[str], Person]) -> None:
    owner, viewer = as_role("owner"), person_as("viewer")
    owner.post(f"/administration/people/{viewer.pk}/role/", {"role": "analyst"})
    viewer.refresh_from_db()
    assert viewer.role == Role.ANALYST
    refused = owner.post(f"/administration/people/{person_as('owner').pk}/active/", {"active": "no"}, follow=True)
    assert "left without an owner" in refused.content.decode()
    owner.post(f"/administration/people/{viewer.pk}/active/", {"active": "no"})
    viewer.refresh_from_db()
    assert not viewer.is_active


def test_a_token_is_shown_once_and_can_be_revoked(as_role: Callable[[str], Client]) -> None:
    owner = as_role("owner")
    made = owner.post("/administration/tokens/", {"name": "nightly", "role": "viewer"}).content.decode()
    text = re.search(r"<code>(cst_[^<]+)</code>", made)
    assert text
    assert accounts.token_for(text[1]) is not None
    assert text[1] not in owner.get("/administration/tokens/").content.decode()
    owner.post(f"/administration/tokens/{ApiToken.objects.get().pk}/revoke/")
    assert accounts.token_for(text[1]) is None


def test_a_registration_is_kept_encrypted_and_never_shown(as_role: Callable[[str], Client]) -> None:
    owner = as_role("owner")
    address = "/administration/registrations/reader/"
    wrong = owner.post(address, {"reader-client_id": "not-an-id"})
    assert wrong.status_code == 422
    assert "looks like" in wrong.content.decode()
    owner.post(address, {"reader-client_id": CLIENT_ID, "reader-client_secret": "very-secret-value"})
    stored = Registration.objects.get()
    assert stored.secret is not None
    assert b"very-secret-value" not in bytes(stored.secret)
    page = owner.get("/administration/registrations/").content.decode()
    assert CLIENT_ID in page
    assert "very-secret-value" not in page
    assert "http://localhost:8000/connect/microsoft/return" in page
    assert "Powerful, off by default" in page
    assert owner.post("/administration/registrations/nonsense/").status_code == 404
    owner.post(address, {"deed": "delete"})
    assert not Registration.objects.exists()


@pytest.mark.usefixtures("registered")
def test_the_environments_registration_is_read_only(as_role: Callable[[str], Client]) -> None:
    page = as_role("owner").get("/administration/registrations/").content.decode()
    assert "From the environment" in page
    assert "only-for-tests" not in page
    assert "Change the reader registration" not in page


def test_deeds_are_on_the_audit_trail(as_role: Callable[[str], Client]) -> None:
    owner = as_role("owner")
    owner.post("/administration/tokens/", {"name": "nightly", "role": "viewer"})
    page = owner.get("/administration/audit/").content.decode()
    assert "accounts:token:created" in page
    assert "owner@demo.example" in page


def test_machines_get_their_answers(anonymous: Client) -> None:
    assert anonymous.get("/healthz").content == b"ok\n"
    ready = anonymous.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "database": True, "migrations": True, "worker": False}
    metrics = anonymous.get("/metrics").content.decode()
    assert "consentry_database_up 1.0" in metrics
    assert "consentry_workers 0.0" in metrics
    contact = anonymous.get("/.well-known/security.txt").content.decode()
    assert "Contact: " in contact
    assert "Expires: " in contact
