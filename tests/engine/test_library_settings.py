"""What a change of an account's own settings does to its tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import trio.testing

from coursefs.catalog.node import ROOT
from coursefs.errors import UsageError
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.model import Course, Outline, Wanted
from tests.engine.fakes import FakeProvider, lecture, made_by, section

COURSE = Course("c1", "graphics", "Graphics")


@pytest.mark.parametrize(
    ("changed", "asked"),
    [({"duplicates": "true"}, True), ({"requests_per_second": "1", "base_url": "https://mirror.example"}, False)],
)
async def test_what_is_shown_is_asked_for_again_where_it_may_be_other_files(
    tmp_path: Path, changed: Mapping[str, str], asked: bool
) -> None:
    provider = FakeProvider([COURSE], {"c1": Outline((section("m", "Start", 1, lecture("a", "Hello", 1)),))})

    async def look(own: Mapping[str, str]) -> None:
        account = AccountSource("fake", "coursera", own, {})
        settings = LibrarySettings(tmp_path / "state" / "catalogue.sqlite", tmp_path / "cache", [account], Wanted())
        async with open_library(settings, providers=made_by("coursera", provider)) as library:
            inode = ROOT
            for _ in range(3):
                (node,) = await library.files.children(inode)
                inode = node.inode
            await trio.testing.wait_all_tasks_blocked()

    await look({})
    provider.calls.clear()
    await look(changed)
    assert ("files item/a" in provider.calls) is asked


async def test_the_platforms_that_are_given_are_the_only_ones(tmp_path: Path) -> None:
    provider = FakeProvider([COURSE])
    settings = LibrarySettings(
        tmp_path / "c.sqlite", tmp_path / "cache", [AccountSource("a", "coursera", {}, {})], Wanted()
    )
    with pytest.raises(UsageError, match="unknown provider 'coursera'"):
        async with open_library(settings, providers=made_by("fake", provider)):
            pass
    async with open_library(settings, providers=made_by("coursera", provider)) as library:  # not the installed one
        assert [course.key for course in await library.courses.refresh("a")] == ["c1"]
