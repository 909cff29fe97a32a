"""What is said before the command's name and holds for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from coursefs.places import Places, places


@dataclass(frozen=True, slots=True)
class Globals:
    """`coursefs [-v] [--config FILE] COMMAND`."""

    config: Path | None = None
    verbose: bool = False

    def places(self, below: str | None = None) -> Places:
        """Where this invocation keeps its things; `below` as in `coursefs.places.places`."""
        return places(self.config, below)


pass_globals = click.make_pass_decorator(Globals)
