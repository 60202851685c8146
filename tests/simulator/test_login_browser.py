"""The pages in a real browser: by keyboard alone, on a small screen, and back to the application."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Playwright, expect
from tests import browser
from tests.simulator.cloud import Running, running


class _Application(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Application</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def application() -> Iterator[str]:
    """The address that a consent returns to; its port is not the registered one."""
    server = HTTPServer(("127.0.0.1", 0), _Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/connect/microsoft/return"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def small_screen(playwright: Playwright) -> Iterator[Page]:
    """A small dark screen."""
    executable = browser.executable()
    if executable is None:
        pytest.skip("no Chromium")
    chromium = playwright.chromium.launch(executable_path=executable, args=browser.ARGUMENTS)
    yield chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark").new_page()
    chromium.close()


def test_keyboard_alone_leads_through_sign_in_and_consent(cloud: Running, application: str, small_screen: Page) -> None:
    page = small_screen
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    asked = {
        "client_id": cloud.info["client_id"],
        "scope": "https://graph.microsoft.com/.default",
        "redirect_uri": application,
        "state": "s",
    }
    page.goto(f"{cloud.url}/organizations/v2.0/adminconsent?{urlencode(asked)}")
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()
    page.get_by_role("button", name="Use another account").press("Enter")
    expect(page.get_by_label("Email, phone, or Skype")).to_be_focused()
    page.keyboard.type(cloud.info["admin"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Enter password")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("incorrect")
    expect(page.get_by_label("Password")).to_have_attribute("aria-describedby", "error")
    page.keyboard.type(cloud.info["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.get_by_text("Read directory data", exact=True).press("Enter")
    expect(page.get_by_text("Directory.Read.All", exact=True)).to_be_visible()
    page.get_by_role("button", name="Accept").press("Enter")
    expect(page).to_have_title("Application")
    assert f"tenant={cloud.info['tenant_id']}" in page.url
    assert [text for text in messages if "Security" in text or "refused" in text.lower()] == []
