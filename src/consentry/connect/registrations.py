"""Our app registrations: from the environment, or entered under Administration and stored encrypted."""

from __future__ import annotations

import os
from pathlib import Path

from django.db import transaction

from consentry.accounts.models import Account
from consentry.audit import services as audit
from consentry.connect.models import Connector, RegistrationRole
from consentry.connect.models import Registration as Stored
from consentry.connect.provider import Registration
from consentry.connect.registry import provider
from consentry.core import secrets
from consentry.core.errors import ConsentryError
from consentry.core.secrets import Secret

_PREFIX = {
    RegistrationRole.READER: "CONSENTRY_MICROSOFT_",
    RegistrationRole.TENANT: "CONSENTRY_MICROSOFT_TENANT_",
    RegistrationRole.RESPONDER: "CONSENTRY_MICROSOFT_RESPONDER_",
}


def from_environment(role: str) -> Registration | None:
    """The registration that the environment gives for a role, or None. Raises ``ConsentryError`` for unreadable files."""
    prefix = _PREFIX[RegistrationRole(role)]
    client_id = os.environ.get(f"{prefix}CLIENT_ID")
    if not client_id:
        return None
    secret = os.environ.get(f"{prefix}CLIENT_SECRET")
    certificate_file = os.environ.get(f"{prefix}CERTIFICATE_FILE")
    certificate = _read(certificate_file) if certificate_file else ""
    key_file = os.environ.get(f"{prefix}PRIVATE_KEY_FILE") or certificate_file
    return Registration(
        role=role,
        client_id=client_id.strip(),
        secret=Secret(secret) if secret else None,
        certificate_pem=certificate,
        private_key=Secret(_read(key_file)) if key_file else None,
        from_environment=True,
    )


def registration(account: Account, role: str) -> Registration | None:
    """The registration of a role: environment, then database; the reader serves the parent connector where it has none."""
    found = from_environment(role) or stored(account, role)
    if found is None and role == RegistrationRole.TENANT:
        found = registration(account, RegistrationRole.READER)
    return found


def required(account: Account, role: str) -> Registration:
    """As ``registration``. Raises ``ConsentryError`` when there is none."""
    found = registration(account, role)
    if found is None:
        raise ConsentryError(
            "registration_missing",
            "No app registration is configured.",
            "Enter one under Administration > Registrations, or set CONSENTRY_MICROSOFT_CLIENT_ID and its secret or certificate.",
        )
    return found


def stored(account: Account, role: str) -> Registration | None:
    """The registration of a role that was entered under Administration, or None."""
    row = Stored.objects.filter(account=account, role=role).first()
    if row is None:
        return None
    box = secrets.box()
    return Registration(
        role=role,
        client_id=row.client_id,
        secret=box.decrypt(bytes(row.secret), context=f"connect.registration.secret:{row.pk}") if row.secret else None,
        certificate_pem=row.certificate_pem,
        private_key=box.decrypt(bytes(row.private_key), context=f"connect.registration.private_key:{row.pk}") if row.private_key else None,
        tenant_hint=row.tenant_hint,
    )


@transaction.atomic
def save(
    account: Account, role: str, *, client_id: str, secret: str, certificate_pem: str, private_key: str, tenant_hint: str, actor: str
) -> None:
    """Keep a registration. An empty secret or key keeps the stored one."""
    row, _ = Stored.objects.get_or_create(account=account, role=role, defaults={"client_id": client_id})
    row.client_id, row.certificate_pem, row.tenant_hint = client_id.strip(), certificate_pem, tenant_hint.strip()
    if secret:
        row.secret = secrets.box().encrypt(secret.strip(), context=f"connect.registration.secret:{row.pk}")
    if private_key:
        row.private_key = secrets.box().encrypt(private_key, context=f"connect.registration.private_key:{row.pk}")
    row.save()
    audit.record(account.id, actor=actor, action="connect:registration:saved", subject=role, client_id=row.client_id)


@transaction.atomic
def forget(account: Account, role: str, *, actor: str) -> None:
    """Delete a stored registration with its secrets."""
    Stored.objects.filter(account=account, role=role).delete()
    audit.record(account.id, actor=actor, action="connect:registration:deleted", subject=role)


def check(account: Account, role: str) -> list[str]:
    """What is wrong with the registration of a role, a sentence each; with a connected tenant a token is really asked for."""
    found = registration(account, role)
    if found is None:
        return ["No registration is configured."]
    known = Connector.objects.filter(account=account, tenant_id__isnull=False).order_by("created_at").first()
    tenant = str(known.tenant_id) if known else found.tenant_hint or None
    return provider("microsoft").check_registration(found, tenant)


def client_ids(account: Account) -> set[str]:
    """The client ids of all our registrations: their service principals are the console itself and no plugins."""
    found = (registration(account, role) for role in RegistrationRole.values)
    return {entry.client_id.lower() for entry in found if entry}


def _read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConsentryError(
            "certificate_unreadable", f"The file {path} can't be read.", "Check the path and its permissions; PEM text is expected."
        ) from error
