"""Puts the man pages into the wheel; an installation in place needs none.  A free-threaded Python is refused.

They are made while the wheel is built, so that `pipx install .` brings them too. Where they cannot be made (a build
without isolation that lacks click-man), those in build/man are taken, if scripts/package has made some.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if "t" in sys.abiflags:  # before an installer builds packages that have no wheels for it
    sys.exit(
        "coursefs does not run on a free-threaded build of Python;"
        " name an ordinary one: pipx install --python /usr/bin/python3 ."
    )


class ManPages(BuildHookInterface):
    """Adds the man pages as share/man/man1/*.1."""

    def dependencies(self) -> list[str]:
        """What scripts/make-man imports; the installer has it while the wheel is built."""
        return ["click>=8.1", "click-man>=0.5.1", "platformdirs>=4.14"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the pages, and name them; called before the wheel is made."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._scratch = tempfile.TemporaryDirectory()
        folder = Path(self._scratch.name)
        pages = _made(Path(self.root), folder, self.metadata) or Path(self.root, "build", "man")
        for page in sorted(pages.glob("*.1")):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # hatchling's signature
        """Remove what was made; called after the wheel was made."""
        if scratch := getattr(self, "_scratch", None):
            scratch.cleanup()


def _made(root: Path, scratch: Path, metadata: Any) -> Path | None:
    """The folder with the pages; None, with a warning, if they cannot be made."""
    # the platforms are found by their entry points, so the package has to look as if it were installed
    installed = scratch / "site" / f"{metadata.core.name}-{metadata.version}.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(f"Name: {metadata.core.name}\nVersion: {metadata.version}\n", encoding="utf-8")
    groups = metadata.core.entry_points.items()
    lines = [line for group, entries in groups for line in (f"[{group}]", *(f"{a} = {b}" for a, b in entries.items()))]
    (installed / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = os.pathsep.join([str(root), str(installed.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(root / "scripts" / "make-man"), str(scratch / "man")],
        env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return scratch / "man"
    print(f"no man pages are made: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)  # noqa: T201
    return None
