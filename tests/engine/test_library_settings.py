"""What a change of an account's own settings does to its tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import trio.testing

from coursefs.catalog.inode import ROOT
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.model import Course, Outline, Wanted
from coursefs.providers import registry
from tests.engine.fakes import FakeProvider, lecture, section

COURSE = Course("c1", "graphics", "Graphics")


@pytest.mark.parametrize(
    ("changed", "asked"),
    [({"duplicates": "true"}, True), ({"requests_per_second": "1", "base_url": "https://mirror.example"}, False)],
)
async def test_what_is_shown_is_asked_for_again_where_it_may_be_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str], asked: bool
) -> None:
    provider = FakeProvider([COURSE], {"c1": Outline((section("m", "Start", 1, lecture("a", "Hello", 1)),))})
    monkeypatch.setattr(registry, "provider", lambda _: lambda account, transport: provider)

    async def look(own: Mapping[str, str]) -> None:
        account = AccountSource("fake", "fake", own, {})
        settings = LibrarySettings(tmp_path / "state" / "catalogue.sqlite", tmp_path / "cache", [account], Wanted())
        async with open_library(settings) as library:
            inode = ROOT
            for _ in range(3):
                (node,) = await library.children(inode)
                inode = node.inode
            await trio.testing.wait_all_tasks_blocked()

    await look({})
    provider.calls.clear()
    await look(changed)
    assert ("files item/a" in provider.calls) is asked
