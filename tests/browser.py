"""Finds the browser of the browser tests; run as a program it installs Playwright's where the machine has none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str | None:
    """Path of a Chromium: ``CONSENTRY_TEST_CHROMIUM``, the system's or Playwright's; None when there is none."""
    configured = os.environ.get("CONSENTRY_TEST_CHROMIUM")
    if configured:
        return configured
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
    return bundled if Path(bundled).exists() else None


if __name__ == "__main__" and executable() is None:
    sys.exit(subprocess.run([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=False).returncode)
