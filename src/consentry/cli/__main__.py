from __future__ import annotations

from consentry.cli import main

main()
