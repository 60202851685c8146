"""The HTML of the simulated sign-in and permissions pages. Every value is escaped."""

from __future__ import annotations

from html import escape

from aiohttp import web

from consentry.simulator.permissions import phrase
from consentry.simulator.state import Person, Registration

_CSS = """
:root{color-scheme:light dark;--card:#fff;--page:#e9eef4;--ink:#1b1b1b;--soft:#5b5f66;--line:#d5d9df;--main:#0067b8}
@media(prefers-color-scheme:dark){:root{--card:#23262b;--page:#14161a;--ink:#f2f3f5;--soft:#a9b0ba;--line:#3c4149;--main:#3b9bea}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--ink);
font:16px/1.45 "Segoe UI",system-ui,sans-serif;padding:16px}main{width:100%;max-width:460px;background:var(--card);padding:40px;
border-radius:4px;box-shadow:0 2px 12px #0003}h1{font-size:1.5rem;font-weight:600;margin:8px 0 16px}label{display:block;margin:0 0 4px}
input{width:100%;padding:9px 10px;font:inherit;color:inherit;background:transparent;border:1px solid var(--soft);border-radius:3px}
.row{display:flex;gap:8px;justify-content:flex-end;margin-top:24px;flex-wrap:wrap}button,a.button{font:inherit;padding:8px 22px;border:1px solid var(--line);
background:transparent;color:inherit;border-radius:3px;cursor:pointer;text-decoration:none}button.main{background:var(--main);border-color:var(--main);color:#fff}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}.account{display:block;width:100%;text-align:left;margin:0 0 8px;padding:12px}
.soft{color:var(--soft);font-size:.9rem}.error{color:#d13438;font-weight:600}ul{padding-left:20px}li{margin:6px 0}footer{margin-top:28px;border-top:1px solid var(--line);padding-top:12px}
.brand{font-weight:600;color:var(--soft)}
@media(max-width:480px){main{padding:24px}}
"""


def stylesheet() -> web.Response:
    """The style sheet."""
    return web.Response(text=_CSS, content_type="text/css")


def _page(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        content_type="text/html",
        text=(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="stylesheet" href="/_simulator/style.css">'
            f'</head><body><main><div class="brand">Microsoft</div>{body}'
            '<footer class="soft">Simulated Microsoft sign-in. Nothing here reaches Microsoft.</footer></main></body></html>'
        ),
    )


def _form(action: str, body: str) -> str:
    return f'<form method="post" action="{escape(action)}">{body}</form>'


def pick_account(action: str, people: list[Person]) -> web.Response:
    """The account picker."""
    accounts = "".join(
        f'<button class="account" name="upn" value="{escape(person.upn)}"><strong>{escape(person.display_name)}</strong><br>'
        f'<span class="soft">{escape(person.upn)}</span></button>'
        for person in people
    )
    other = '<button class="account" name="upn" value="">Use another account</button>'
    return _page("Pick an account", "<h1>Pick an account</h1>" + _form(action, accounts + other))


def enter_email(action: str, error: str = "") -> web.Response:
    """The address step."""
    message = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    field = '<label for="upn">Email, phone, or Skype</label><input id="upn" name="upn" type="email" autofocus required autocomplete="username">'
    return _page("Sign in", "<h1>Sign in</h1>" + _form(action, f'{message}{field}<div class="row"><button class="main">Next</button></div>'))


def enter_password(action: str, upn: str, error: str = "") -> web.Response:
    """The password step."""
    message = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    fields = (
        f'<input type="hidden" name="upn" value="{escape(upn)}"><p class="soft">{escape(upn)}</p>{message}<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autofocus required autocomplete="current-password">'
    )
    return _page(
        "Enter password", "<h1>Enter password</h1>" + _form(action, f'{fields}<div class="row"><button class="main">Sign in</button></div>')
    )


def permissions(action: str, registration: Registration, person: Person, new: list[str], old: list[str]) -> web.Response:
    """The permissions page: what is asked for, in plain words."""
    asked = "".join(f"<li>{escape(phrase(value))}</li>" for value in new)
    held = f'<p class="soft">Already accepted: {escape(", ".join(phrase(value) for value in old))}</p>' if old else ""
    body = (
        f'<p class="soft">{escape(person.upn)}</p><h1>Permissions requested</h1><p>Review for your organization</p>'
        f"<p><strong>{escape(registration.display_name)}</strong><br>"
        f'<span class="soft">{escape(registration.publisher)} &middot; unverified</span></p>'
        f"<p>This app would like to:</p><ul>{asked or '<li>Keep the access that it already has</li>'}</ul>{held}"
        '<p class="soft">If you accept, this app will get access to the specified resources for all users in your organization. '
        "No one else will be prompted to review these permissions.</p>"
    )
    buttons = '<div class="row"><button name="answer" value="cancel">Cancel</button><button class="main" name="answer" value="accept">Accept</button></div>'
    return _page("Permissions requested", body + _form(action, buttons))


def need_admin(action: str, registration: Registration, person: Person) -> web.Response:
    """What somebody sees who may not consent for the organisation."""
    body = (
        f'<p class="soft">{escape(person.upn)}</p><h1>Need admin approval</h1><p><strong>{escape(registration.display_name)}</strong> needs permission '
        "to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.</p>"
    )
    buttons = (
        '<div class="row"><button name="answer" value="switch">Have an admin account? Sign in with that account</button>'
        '<button name="answer" value="back">Return to the application without granting consent</button></div>'
    )
    return _page("Need admin approval", body + _form(action, buttons))


def failure(number: int, text: str) -> web.Response:
    """Microsoft's own error page: no redirect follows."""
    return _page(
        "Sign in", f'<h1>Sorry, but we\'re having trouble signing you in.</h1><p class="error" role="alert">AADSTS{number}: {escape(text)}</p>', 400
    )
