"""Takes the pictures of the documentation from a running demo: ADDRESS USER PASSWORD FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser import ARGUMENTS, executable

PAGES = {
    "dashboard": "/",
    "plugins": "/plugins/",
    "integrations": "/integrations/",
    "people": "/people/",
    "alerts": "/alerts/",
    "policies": "/policies/",
    "registrations": "/administration/registrations/",
}


def main(address: str, user: str, password: str, folder: str) -> None:
    """Every page at 1440 and 390 pixels, light and dark."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        for scheme in ("light", "dark"):
            for width in (1440, 390):
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page = context.new_page()
                page.goto(address)
                page.get_by_label("E-mail").fill(user)
                page.get_by_label("Password", exact=True).fill(password)
                page.get_by_role("button", name="Sign in", exact=True).click()
                page.wait_for_load_state("networkidle")
                for name, path in PAGES.items():
                    page.goto(f"{address}{path}")
                    page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png")
                page.goto(f"{address}/plugins/?q=PERFECT")
                page.get_by_role("link", name="PERFECTDATA SOFTWARE").click()
                page.wait_for_load_state()
                page.screenshot(path=f"{folder}/plugin-{width}-{scheme}.png")
                context.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:5])
