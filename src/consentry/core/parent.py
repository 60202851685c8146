"""Children that do not outlive the process that watches them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_it() -> None:
    """Ask Linux to end this process when its parent ends, also by kill -9 (prctl(2)). Elsewhere this does nothing."""
    if sys.platform == "linux" and os.environ.get("CONSENTRY_SUPERVISED") == "1":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
