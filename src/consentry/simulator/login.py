"""Signing in: which accounts a browser has signed in with, the account picker, the address and password steps.

A session is one browser, known by a cookie. Forms carry a canary bound to that session and address, as Microsoft's do.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from aiohttp import web

from consentry.simulator import pages
from consentry.simulator.pages import Form
from consentry.simulator.state import Cloud, Person

COOKIE = "simulated_microsoft"
NO_SUCH_ACCOUNT = "We couldn't find an account with that username. Try another, or get a new Microsoft account."
NO_ADDRESS = "Enter a valid email address, phone number, or Skype name."
WRONG_PASSWORD = "Your account or password is incorrect. If you don't remember your password, reset it now."


@dataclass(slots=True)
class Session:
    """One browser: the accounts it has signed in with, and the one it goes on with."""

    id: str
    signed_in: set[str] = field(default_factory=set)
    current: str | None = None


class Login:
    """The sign-in steps of one cloud."""

    def __init__(self, cloud: Cloud, key: bytes) -> None:
        self.cloud = cloud
        self._key = key
        self._sessions: dict[str, Session] = {}

    def session(self, request: web.Request) -> Session:
        """The browser's session; a new one for a browser that is not known."""
        known = self._sessions.get(request.cookies.get(COOKIE, ""))
        return known or Session(secrets.token_urlsafe(24))

    def remember(self, session: Session, response: web.StreamResponse) -> web.StreamResponse:
        """Keep the session and give the browser its cookie."""
        self._sessions[session.id] = session
        response.set_cookie(COOKIE, session.id, httponly=True, samesite="Lax")
        return response

    def form(self, session: Session, action: str) -> Form:
        """The form of a page that is shown to this session."""
        return Form(action, hmac.new(self._key, f"{session.id} {action}".encode(), hashlib.sha256).hexdigest())

    def person(self, session: Session) -> Person | None:
        """Who goes on, or None when nobody has been chosen."""
        return self._find(session.current) if session.current else None

    def picker(self, session: Session, form: Form) -> web.Response:
        """The account picker, with the people that this cloud offers."""
        session.current = None
        return pages.pick_account(form, list(self._people()), session.signed_in)

    def step(self, session: Session, form: Form, fields: dict[str, str]) -> web.Response | None:
        """Answer a picked account, an address or a password; None once somebody is signed in."""
        upn = fields["upn"].strip()
        if not upn:
            return pages.enter_email(form, NO_ADDRESS if fields["upn"] else "")
        person = self._find(upn)
        if person is None:
            return pages.enter_email(form, NO_SUCH_ACCOUNT)
        if person.upn not in session.signed_in:
            if "password" not in fields:
                return pages.enter_password(form, person.upn)
            if not secrets.compare_digest(fields["password"].encode(), person.password.encode()):
                return pages.enter_password(form, person.upn, WRONG_PASSWORD)
            session.signed_in.add(person.upn)
        session.current = person.upn
        return None

    def _people(self) -> list[Person]:
        return [person for tenant in self.cloud.tenants.values() for person in tenant.people]

    def _find(self, upn: str) -> Person | None:
        return next((person for person in self._people() if person.upn.lower() == upn.lower()), None)
