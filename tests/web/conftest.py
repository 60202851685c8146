"""Accounts, people of every role and a browserless client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from consentry.accounts import services as accounts
from consentry.accounts.models import Account, Person
from consentry.connect.models import Connector, Integration, Status
from consentry.core.clock import now

TENANT = UUID("cd613e30-d8f1-4adf-91b7-584a2265b1f5")
PASSWORD = "correct horse battery staple"


@pytest.fixture
def account(db: None) -> Account:
    return accounts.default_account()


@pytest.fixture
def person_as(account: Account) -> Callable[[str], Person]:
    def make(role: str) -> Person:
        found = Person.objects.filter(email=f"{role}@demo.example").first()
        return (
            found or accounts.add_person(account, f"{role}@demo.example", role=role, actor="test", name=role.title(), password=PASSWORD)[0]
        )

    return make


@pytest.fixture
def as_role(person_as: Callable[[str], Person]) -> Callable[[str], Client]:
    def make(role: str) -> Client:
        client = Client(headers={"host": "localhost"})
        client.force_login(person_as(role), backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make


@pytest.fixture
def anonymous(db: None) -> Client:
    return Client(headers={"host": "localhost"})


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_ID", "051ee30a-0fc0-56bf-97b2-17fe04c0ba17")
    monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_SECRET", "only-for-tests")


@pytest.fixture
def connector(account: Account) -> Connector:
    return Connector.objects.create(
        account=account,
        name="Main tenant",
        tenant_id=TENANT,
        tenant_name="Northfold",
        tenant_domains=["northfold.example"],
        status=Status.CONNECTED,
        licence={"m365_e3": True, "skus": ["Microsoft 365 E3"], "checked_at": now().isoformat()},
    )


@pytest.fixture
def integration(connector: Connector) -> Integration:
    return Integration.objects.create(connector=connector, status=Status.CONNECTED, next_sync_at=now() + timedelta(hours=1))
