"""The simulated cloud in a thread, and a browser of sorts that fills in its forms."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from consentry.simulator import server
from consentry.simulator.options import SimulatorOptions
from consentry.simulator.state import Cloud

RETURN = "http://localhost:8000/connect/microsoft/return"


@dataclass
class Running:
    """A cloud that answers requests."""

    cloud: Cloud
    info: dict[str, str]

    @property
    def url(self) -> str:
        return self.info["login_url"]

    def order(self, name: str, **body: Any) -> requests.Response:
        """Send a control order."""
        answer = requests.post(f"{self.url}/_simulator/{name}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer

    def client(self, kind: str) -> tuple[str, str]:
        """Id and secret of a registration."""
        prefix = "" if kind == "reader" else f"{kind}_"
        return self.info[f"{prefix}client_id"], self.info[f"{prefix}client_secret"]

    def token(self, kind: str = "reader", tenant: str | None = None, **form: str) -> requests.Response:
        """Ask for a token with the registration's secret; ``form`` replaces parameters, an empty one leaves it out."""
        client_id, secret = self.client(kind)
        given = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": f"{self.url}/.default",
            **form,
        }
        data = {name: value for name, value in given.items() if value}
        return requests.post(f"{self.url}/{tenant or self.info['tenant_id']}/oauth2/v2.0/token", data=data, timeout=5)


@contextmanager
def running(**options: Any) -> Iterator[Running]:
    """A cloud on a free port, small and without delays unless told otherwise."""
    settings = SimulatorOptions(**{"plugins": 8, "users": 20, "consent_delay_seconds": 0.0, **options})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        runner, info, cloud = asyncio.run_coroutine_threadsafe(server.start(settings), loop).result(30)
        try:
            yield Running(cloud, info)
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Browser:
    """Follows pages as a person would; stops where the browser leaves for the application."""

    cloud: Running
    session: requests.Session = field(default_factory=requests.Session)
    url: str = ""
    page: str = ""
    status: int = 0
    left_for: str | None = None

    def consent(self, kind: str = "reader", tenant: str = "organizations", *, version: str = "/v2.0", **query: str) -> Browser:
        """Open an admin consent address; an empty parameter is left out."""
        asked = {
            "client_id": self.cloud.client(kind)[0],
            "scope": "https://graph.microsoft.com/.default" if version else "",
            "redirect_uri": RETURN,
            "state": "state-1",
            **query,
        }
        given = urlencode({name: value for name, value in asked.items() if value})
        return self.open(f"{self.cloud.url}/{tenant}{version}/adminconsent?{given}")

    def open(self, url: str) -> Browser:
        self.url, self.left_for = url, None
        return self._follow(self.session.get(url, allow_redirects=False, timeout=5))

    def send(self, **fields: str) -> Browser:
        """Submit the page's form, hidden fields included."""
        hidden = re.findall(r'<input type="(?:hidden|text)" name="([^"]+)" value="([^"]*)"', self.page)
        action = re.search(r'<form method="post" action="([^"]+)"', self.page)
        assert action, self.page
        data = {**{name: unescape(value) for name, value in hidden}, **fields}
        self.url = self.cloud.url + unescape(action[1])
        return self._follow(self.session.post(self.url, data=data, allow_redirects=False, timeout=5))

    def sign_in(self, upn: str | None = None, password: str | None = None) -> Browser:
        """Pick an account and enter its password."""
        self.send(upn=upn or self.cloud.info["admin"])
        return self.send(password=password or self.cloud.info["password"])

    @property
    def title(self) -> str:
        found = re.search(r"<title>([^<]*)</title>", self.page)
        assert found, self.page
        return found[1]

    @property
    def answer(self) -> dict[str, str]:
        """What the application would get."""
        assert self.left_for, self.page
        return {name: values[0] for name, values in parse_qs(urlsplit(self.left_for).query).items()}

    def _follow(self, response: requests.Response) -> Browser:
        while response.status_code == 303:
            target = response.headers["Location"]
            if not target.startswith("/"):
                self.left_for, self.page = target, ""
                return self
            self.url = self.cloud.url + target
            response = self.session.get(self.url, allow_redirects=False, timeout=5)
        self.page, self.status = unescape(response.text), response.status_code
        return self
