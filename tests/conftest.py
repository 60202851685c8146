"""The test session's database: one embedded PostgreSQL in a folder of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything imports Django's settings.
_FOLDER = Path(tempfile.mkdtemp(prefix="consentry-tests-"))
_FOLDER.chmod(0o755)
for _name in [name for name in os.environ if name.startswith("CONSENTRY_") and not name.startswith("CONSENTRY_TEST_")]:
    del os.environ[_name]
os.environ["CONSENTRY_DATA_DIR"] = str(_FOLDER)
os.environ["CONSENTRY_BASE_URL"] = "http://localhost:8000"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's synchronous loop trips Django's guard

from consentry.core import boot  # noqa: E402

boot.setup()

pytest_plugins = ["tests.world"]  # its imports need the settings


@pytest.fixture(scope="session", autouse=True)
def _data_folder() -> Iterator[None]:
    yield
    shutil.rmtree(_FOLDER, ignore_errors=True)
