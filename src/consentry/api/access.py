"""Who calls: a bearer token or somebody signed in to the console."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from consentry.accounts import services as accounts
from consentry.accounts.models import Account, Person, Role
from consentry.api.problems import Problem


class Caller:
    """An account, a role, and the name that stands in the audit trail."""

    def __init__(self, account: Account, role: str, name: str) -> None:
        self.account = account
        self.role = Role(role)
        self.name = name


class ApiRequest(HttpRequest):
    """A request that passed authentication."""

    auth: Caller


class Token(HttpBearer):
    """``Authorization: Bearer cst_…``, made by ``consentry token create`` or under Administration > API tokens."""

    openapi_name = "token"

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        """The token's account and role; None for one that is unknown or revoked."""
        found = accounts.token_for(token)
        return Caller(found.account, found.role, f"token {found.name}") if found else None


class Session(APIKeyCookie):
    """The console's own session, with the anti-forgery token on everything that writes."""

    param_name = "sessionid"
    openapi_name = "session"

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """The person who is signed in."""
        person = request.user
        return Caller(person.account, person.role, person.email) if isinstance(person, Person) else None


def require(request: ApiRequest, role: Role) -> None:
    """Let only callers go on whose role includes ``role``. Raises ``Problem`` 403."""
    if not request.auth.role.includes(role):
        raise Problem(403, "role_too_low", f"This needs the role {role.value}; yours is {request.auth.role.value}.")
