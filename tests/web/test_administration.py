"""The first start, people, tokens, registrations, the audit trail and the addresses for machines."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client

import consentry
from consentry.accounts import services as accounts
from consentry.accounts.models import Account, ApiToken, Person, Role
from consentry.audit import services as audit
from consentry.connect.models import Registration
from consentry.policy.models import AlertState, Policy
from consentry.policy.predefined import BY_KEY as PREDEFINED
from consentry.risk.signals import BY_KEY as SIGNALS
from consentry.web.audit_words import ACTIONS

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


def audit_rows(client: Client) -> list[str]:
    """The rows of the audit trail as text, newest first, without the time."""
    page = client.get("/administration/audit/").content.decode()
    rows = re.findall(r"<tr><td>.*?</td>(.*?)</tr>", page, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]


def test_the_audit_trail_speaks_in_words(as_role: Callable[[str], Client], account: Account) -> None:
    owner = as_role("owner")
    own = Policy.objects.create(account=account, key="custom-1", title="Mail copiers", severity="low", rule=[])
    deeds: list[tuple[str, str, dict[str, object]]] = [
        ("risk:weights:changed", "Risk weights", {"factors": {"permission_reach": 0.5, "gone_signal": 0}}),
        ("risk:weights:changed", "Risk weights", {"factors": {}}),
        ("policy:alert:dismissed", "Acme", {"policy": "impersonation", "reason": "Ours\u202e"}),
        ("policy:alert:resolved", "Acme", {"policy": own.key, "reason": ""}),
        ("policy:alert:resolved", "Acme", {"policy": "custom-gone", "reason": ""}),
        ("notify:channel:switched", "Ours", {"enabled": False}),
        ("respond:plugin:decided", "Acme", {"state": "risk_accepted"}),
        ("accounts:licence:granted", "CASB", {"until": None}),
        ("later:thing:done", "Acme", {"how_often": 0, "why": ["a"]}),
    ]
    for action, subject, detail in deeds:
        audit.record(account.pk, actor="me", action=action, subject=subject, **detail)
    assert audit_rows(owner)[: len(deeds)] == [
        "me later:thing:done Acme Why: ['a'] How often: 0",
        "me Granted a licence accounts:licence:granted CASB —",
        "me Decided on a plugin respond:plugin:decided Acme State: Risk accepted",
        "me Switched a channel on or off notify:channel:switched Ours Switched: off",
        "me Resolved an alert policy:alert:resolved Acme Policy: custom-gone",
        "me Resolved an alert policy:alert:resolved Acme Policy: Mail copiers",
        f"me Dismissed an alert policy:alert:dismissed Acme Policy: {PREDEFINED['impersonation'].title} Reason: Ours[U+202E]",
        "me Changed the risk weights risk:weights:changed Risk weights Weights: all as delivered",
        f"me Changed the risk weights risk:weights:changed Risk weights Weights: gone_signal × 0, {SIGNALS['permission_reach'].title} × 0.5",
    ]


def test_every_action_that_is_recorded_has_words() -> None:
    source = "\n".join(path.read_text() for path in Path(consentry.__file__).parent.rglob("*.py"))
    written = set(re.findall(r'action="([a-z_:]+)"', source))
    prefixes = set(re.findall(r'action=f"([a-z_:]+)\{', source))
    assert written <= set(ACTIONS)
    assert {f"policy:alert:{state}" for state in AlertState.values} <= set(ACTIONS)
    assert all(any(action.startswith(prefix) for action in set(ACTIONS) - written) for prefix in prefixes)
    assert all(action in written or action.startswith(tuple(prefixes)) for action in ACTIONS), "nothing that is never recorded"


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
