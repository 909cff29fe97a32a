"""`coursefs open`: what opens the browser, and what is said where the web server's packages are missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coursefs.cli.open import opener_for
from coursefs.daemon.opening import Opening
from coursefs.errors import CoursefsError
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.model import Wanted
from tests.engine.fakes import FakeProvider, made_by


@pytest.mark.parametrize(
    ("environment", "has_program", "opener"),
    [
        ({"DISPLAY": ":0"}, True, "/bin/xdg-open"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, "/bin/xdg-open"),
        ({"DISPLAY": ":0"}, False, None),
        ({"DISPLAY": ""}, True, None),
        ({}, True, None),
    ],
)
def test_a_browser_is_opened_where_there_is_a_display(
    environment: dict[str, str], has_program: bool, opener: str | None
) -> None:
    assert opener_for(environment, lambda name: f"/bin/{name}" if has_program else None) == opener


async def test_a_missing_package_is_one_line_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = AccountSource("fake", "fake", {}, {})
    settings = LibrarySettings(tmp_path / "c.sqlite", tmp_path / "cache", [account], Wanted(), fill=False)
    monkeypatch.setitem(sys.modules, "hypercorn.config", None)
    monkeypatch.delitem(sys.modules, "coursefs.daemon.web_server", raising=False)
    async with open_library(settings, providers=made_by("fake", FakeProvider([], {}, {}))) as library:
        with pytest.raises(CoursefsError, match=r"^the package hypercorn is missing; to add it: .*hypercorn$"):
            async for _ in Opening(library).command({"targets": []}):
                pass
