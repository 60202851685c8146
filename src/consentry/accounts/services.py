"""The only writers of accounts, people, tokens and entitlements."""

from __future__ import annotations

import secrets as randomness
from datetime import date, timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q

from consentry.accounts.models import Account, ApiToken, Entitlement, Person, Role, SetupLink
from consentry.audit import services as audit
from consentry.core.clock import now
from consentry.core.errors import ConsentryError
from consentry.core.secrets import hash_token, new_token

SETUP_LINK_HOURS = 24
CASB = "casb"


def default_account() -> Account:
    """The installation's first account, made with CASB granted when there is none."""
    account = Account.objects.order_by("created_at").first()
    if account is None:
        with transaction.atomic():
            account, created = Account.objects.get_or_create(slug="default", defaults={"name": "My organisation"})
            if created:
                Entitlement.objects.create(account=account, feature=CASB)
    return account


def account_named(slug: str | None) -> Account:
    """The account with this slug, or the default one. Raises ``ConsentryError`` for an unknown slug."""
    if slug is None:
        return default_account()
    account = Account.objects.filter(slug=slug).first()
    if account is None:
        raise ConsentryError("account_unknown", f"There is no account called {slug}.", "Run 'consentry licence show' to see the accounts.")
    return account


def has_casb(account: Account) -> bool:
    """True when the account's CASB licence holds today."""
    return (
        Entitlement.objects.filter(account=account, feature=CASB, revoked_at__isnull=True)
        .filter(Q(until__isnull=True) | Q(until__gte=now().date()))
        .exists()
    )


@transaction.atomic
def grant_casb(account: Account, *, until: date | None, actor: str) -> Entitlement:
    """Grant CASB to the account until the end of that day, or without an end."""
    entitlement, _ = Entitlement.objects.update_or_create(account=account, feature=CASB, defaults={"until": until, "revoked_at": None})
    audit.record(account.id, actor=actor, action="accounts:licence:granted", subject=CASB, until=until.isoformat() if until else None)
    return entitlement


@transaction.atomic
def revoke_casb(account: Account, *, actor: str) -> None:
    """Take CASB away: nothing is collected from now on; what was collected stays."""
    Entitlement.objects.filter(account=account, feature=CASB).update(revoked_at=now())
    audit.record(account.id, actor=actor, action="accounts:licence:revoked", subject=CASB)


def casb(account: Account) -> Entitlement | None:
    """The account's CASB entitlement as it stands, also an expired or revoked one."""
    return Entitlement.objects.filter(account=account, feature=CASB).first()


@transaction.atomic
def add_person(account: Account, email: str, *, role: str, actor: str, name: str = "", password: str | None = None) -> tuple[Person, str]:
    """Add somebody and return the person and the password to hand over (generated unless given).

    Raises ``ConsentryError`` for a malformed or taken address, a weak password or an unknown role.
    """
    try:
        validate_email(email)
        if password is not None:
            validate_password(password)
    except ValidationError as error:
        raise ConsentryError("person_invalid", " ".join(error.messages), "Correct it and try again.") from error
    if role not in Role.values:
        raise ConsentryError("role_unknown", f"There is no role called {role}.", f"Choose one of {', '.join(Role.values)}.")
    if Person.objects.filter(email=email.lower()).exists():
        raise ConsentryError("person_exists", f"{email} is already here.", "Change the role under Administration > People.")
    chosen = password or randomness.token_urlsafe(12)
    person = Person.objects.create_user(email, chosen, account=account, role=role, name=name)
    audit.record(account.id, actor=actor, action="accounts:person:added", subject=person.email, role=role)
    return person, chosen


def ensure_person(email: str, *, name: str, password: str) -> None:
    """An owner with this address and password in the default account, made when missing."""
    if not Person.objects.filter(email=email).exists():
        add_person(default_account(), email, role=Role.OWNER, actor="demo", name=name, password=password)


@transaction.atomic
def change_role(person: Person, role: str, *, actor: str) -> None:
    """Give ``person`` another role. Raises ``ConsentryError`` when it would leave the account without an owner."""
    _keep_an_owner(person, stays_owner=role == Role.OWNER)
    person.role = Role(role)
    person.save(update_fields=["role"])
    audit.record(person.account_id, actor=actor, action="accounts:person:role_changed", subject=person.email, role=role)


@transaction.atomic
def set_active(person: Person, active: bool, *, actor: str) -> None:
    """Let ``person`` sign in or not. Raises ``ConsentryError`` when it would leave the account without an owner."""
    _keep_an_owner(person, stays_owner=active and person.role == Role.OWNER)
    person.is_active = active
    person.save(update_fields=["is_active"])
    deed = "reactivated" if active else "deactivated"
    audit.record(person.account_id, actor=actor, action=f"accounts:person:{deed}", subject=person.email)


def _keep_an_owner(person: Person, *, stays_owner: bool) -> None:
    others = Person.objects.select_for_update().filter(account_id=person.account_id, role=Role.OWNER, is_active=True).exclude(pk=person.pk)
    if person.role == Role.OWNER and not stays_owner and not others.exists():
        raise ConsentryError("last_owner", "The account would be left without an owner.", "Make somebody else an owner first.")


def make_setup_link() -> str | None:
    """A one-time token for ``/setup/<token>/``, valid for a day; None when somebody can sign in already."""
    if Person.objects.exists():
        return None
    token = new_token()
    SetupLink.objects.create(token_hash=hash_token(token), expires_at=now() + timedelta(hours=SETUP_LINK_HOURS))
    return token


def setup_link_valid(token: str) -> bool:
    """True when the link is known, unused, in time, and nobody has been made yet."""
    return (
        not Person.objects.exists()
        and SetupLink.objects.filter(token_hash=hash_token(token), used_at__isnull=True, expires_at__gt=now()).exists()
    )


@transaction.atomic
def use_setup_link(token: str, *, email: str, name: str, password: str, organisation: str = "") -> Person:
    """Make the first owner, once. Raises ``ConsentryError`` for a used, expired or unknown link."""
    link = SetupLink.objects.select_for_update().filter(token_hash=hash_token(token)).first()
    if link is None or link.used_at or link.expires_at <= now() or Person.objects.exists():
        raise ConsentryError(
            "setup_link_invalid", "This set-up link was used or has expired.", "Start 'consentry up' again: it prints a new one."
        )
    account = default_account()
    if organisation:
        account.name = organisation
        account.save(update_fields=["name"])
    person, _ = add_person(account, email, role=Role.OWNER, actor="set-up link", name=name, password=password)
    link.used_at = now()
    link.save(update_fields=["used_at"])
    return person


@transaction.atomic
def create_token(account: Account, *, name: str, role: str, actor: str) -> tuple[ApiToken, str]:
    """A new API token and its text, which is shown this once."""
    if role not in Role.values:
        raise ConsentryError("role_unknown", f"There is no role called {role}.", f"Choose one of {', '.join(Role.values)}.")
    text = f"cst_{new_token()}"
    token = ApiToken.objects.create(account=account, name=name, role=role, token_hash=hash_token(text))
    audit.record(account.id, actor=actor, action="accounts:token:created", subject=name, role=role)
    return token, text


@transaction.atomic
def revoke_token(account: Account, token_id: UUID, *, actor: str) -> None:
    """End an API token at once."""
    token = ApiToken.objects.get(account=account, pk=token_id)
    token.revoked_at = now()
    token.save(update_fields=["revoked_at"])
    audit.record(account.id, actor=actor, action="accounts:token:revoked", subject=token.name)


def token_for(text: str) -> ApiToken | None:
    """The living token with this text, its last use noted at most once a minute."""
    token = ApiToken.objects.select_related("account").filter(token_hash=hash_token(text), revoked_at__isnull=True).first()
    if token and (token.last_used_at is None or now() - token.last_used_at > timedelta(minutes=1)):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now())
    return token
