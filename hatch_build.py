"""Puts the man pages into the wheel where scripts/package has made them; an installation in place needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):
    """Adds build/man/*.1 as share/man/man1/*.1."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the pages that are there; called before the wheel is made."""
        if self.target_name == "wheel" and version != "editable":
            for page in sorted(Path(self.root, "build", "man").glob("*.1")):
                build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"
