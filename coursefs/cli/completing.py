"""What stands behind Tab: names that are known here, looked up without starting anything."""

from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import click

from coursefs.errors import CoursefsError
from coursefs.places import Places, places


def accounts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The accounts of the settings file."""
    with suppress(OSError, ValueError, CoursefsError):
        known = tomllib.loads(_places(ctx).config_file.read_text(encoding="utf-8")).get("accounts", {})
        return sorted(name for name in known if name.startswith(incomplete))
    return []


def courses(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The slugs of the courses that are known: unlike titles they have no blanks, over which shells stumble."""
    # plain SQL, because opening the catalogue itself takes ten times as long as a person waits for Tab
    with suppress(OSError, sqlite3.Error, CoursefsError):
        file = quote(str(_places(ctx).state_dir / "catalogue.sqlite"))
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=0.2)) as catalogue:
            slugs = [
                row[0] for row in catalogue.execute("SELECT DISTINCT slug FROM course WHERE NOT hidden ORDER BY slug")
            ]
        return [slug for slug in [*slugs, "all"] if slug.startswith(incomplete)]
    return []


def _places(ctx: click.Context) -> Places:
    config = ctx.find_root().params.get("config")
    return places(Path(config) if config else None)
