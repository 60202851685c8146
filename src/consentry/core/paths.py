"""Where this installation keeps its files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import platformdirs

from consentry.core.errors import ConsentryError


def data_dir() -> Path:
    """The data folder (``CONSENTRY_DATA_DIR`` or the platform's), made when missing.

    Raises ``ConsentryError`` when it can't be made or written to.
    """
    configured = os.environ.get("CONSENTRY_DATA_DIR")
    folder = Path(configured).expanduser().resolve() if configured else Path(platformdirs.user_data_dir("consentry"))
    probe = folder / f".write-probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"consentry")
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ConsentryError("disk_full", f"The disk that holds {folder} is full.", "Free some space and start again.") from error
        raise ConsentryError(
            "data_dir_not_writable",
            f"The data folder {folder} can't be written to.",
            "Give this user write access to it, or set CONSENTRY_DATA_DIR to another folder.",
        ) from error
    return folder
