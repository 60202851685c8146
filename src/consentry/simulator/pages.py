"""The pages of the simulated sign-in: templates filled with escaped values.

Wording follows Microsoft's own pages, so that people find what the guide describes; the footer says that they are simulated.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from aiohttp import web

from consentry.simulator.directory import Row
from consentry.simulator.state import Person, Registration

_FOLDER = Path(__file__).with_name("templates")
_HEADERS = {
    "Cache-Control": "no-store",
    # No form-action: browsers apply it to redirects too, and a consent ends with one to the application.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_INVALID = 'aria-invalid="true" aria-describedby="error"'


class Html(str):
    """Text that is HTML already; any other text is escaped."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Form:
    """Where a page's form goes, and the token that proves it was shown to the same browser."""

    action: str
    canary: str

    def around(self, body: Html) -> Html:
        """The body as a form."""
        return render("form", action=self.action, canary=self.canary, body=body)


def render(template: str, /, **values: object) -> Html:
    """Fill a template. Every value that is not ``Html`` is escaped; a missing one raises ``KeyError``."""
    safe = {key: value if isinstance(value, Html) else escape(str(value)) for key, value in values.items()}
    return Html(_template(template).substitute(safe))


def stylesheet() -> web.Response:
    """The style sheet of all pages."""
    return web.Response(text=(_FOLDER / "style.css").read_text("utf-8"), content_type="text/css", headers={"Cache-Control": "max-age=300"})


def pick_account(form: Form, people: Sequence[Person], signed_in: Collection[str]) -> web.Response:
    """The account picker."""
    accounts = Html(
        "".join(
            render(
                "account",
                upn=person.upn,
                name=person.display_name,
                initials=_initials(person.display_name),
                state="Signed in" if person.upn in signed_in else "Signed out",
            )
            for person in people
        )
    )
    return _page("Pick an account", form.around(render("pick_account", accounts=accounts)))


def enter_email(form: Form, error: str = "") -> web.Response:
    """The address step."""
    return _page("Sign in", form.around(render("enter_email", error=_error(error), invalid=Html(_INVALID if error else ""))))


def enter_password(form: Form, upn: str, error: str = "") -> web.Response:
    """The password step."""
    body = render("enter_password", upn=upn, error=_error(error), invalid=Html(_INVALID if error else ""))
    return _page("Enter password", form.around(body))


def permissions(
    form: Form, registration: Registration, person: Person, organisation: str, new: Sequence[Row], held: Sequence[Row]
) -> web.Response:
    """The permissions page: app roles that are new, then those that the organisation has accepted before."""
    asked = _permission_list("This app would like to:", new) + _permission_list("Already accepted for your organisation:", held)
    if not new:
        asked = render("nothing_new") + asked
    body = render(
        "permissions",
        upn=person.upn,
        app=registration.display_name,
        initials=_initials(registration.display_name),
        publisher=registration.publisher,
        organisation=organisation,
        asked=Html(asked),
    )
    return _page("Permissions requested", form.around(body))


def need_admin(form: Form, registration: Registration, person: Person) -> web.Response:
    """What somebody sees who may not consent for the organisation."""
    name = registration.display_name
    return _page("Need admin approval", form.around(render("need_admin", upn=person.upn, app=name, initials=_initials(name))))


def failure(number: int, text: str, *, form: Form | None = None, status: int = 400) -> web.Response:
    """Microsoft's own error page: no redirect follows. With ``form`` another account can be tried."""
    body = render(
        "failure",
        number=number,
        text=text,
        request_id=uuid.uuid4(),
        correlation_id=uuid.uuid4(),
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        again=form.around(render("again")) if form else Html(""),
    )
    return _page("Sign in to your account", body, status)


def see_other(url: str) -> web.Response:
    """Go on at another address."""
    return web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})


def _page(title: str, body: Html, status: int = 200) -> web.Response:
    return web.Response(text=render("base", title=title, body=body), status=status, content_type="text/html", headers=_HEADERS)


def _error(text: str) -> Html:
    return render("error", text=text) if text else Html("")


def _permission_list(heading: str, roles: Sequence[Row]) -> Html:
    items = Html(
        "".join(render("permission", title=role["displayName"], description=role["description"], value=role["value"]) for role in roles)
    )
    return render("permission_list", heading=heading, items=items) if roles else Html("")


def _initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


@cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text("utf-8"))
