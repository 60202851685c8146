"""The demo as a person starts it, and a browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.browser import ARGUMENTS, executable


@dataclass(frozen=True)
class Demo:
    address: str
    user: str
    password: str
    microsoft_user: str
    microsoft_password: str
    folder: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    for parent in (folder, *folder.parents):
        if str(parent).startswith("/tmp/pytest"):
            parent.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONSENTRY_", "DJANGO_"))}
    environment["CONSENTRY_DATA_DIR"] = str(folder / "data")
    log = folder / "log"
    command = [sys.executable, "-m", "consentry.cli", "demo", "--port", str(port), "--plugins", "120", "--users", "200"]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 90
        while "Ctrl-C stops" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.3)
        text = log.read_text()

        def said(pattern: str) -> str:
            match = re.search(pattern, text)
            assert match, text
            return match[1]

        yield Demo(
            address=said(r"Consentry +(http\S+)"),
            user=said(r"User +(\S+)"),
            password=said(r"Password +(\S+)"),
            microsoft_user=said(r"Microsoft account +(\S+)"),
            microsoft_password=re.findall(r"Password +(\S+)", text)[1],
            folder=folder,
        )
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()
