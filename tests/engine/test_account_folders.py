"""Where the courses of several accounts are: a folder each, and no path that was shown changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from coursefs.catalog.node import ROOT
from coursefs.library import AccountSource, LibrarySettings, Node, open_library
from coursefs.model import Course, Kind, Wanted
from tests.engine.fakes import FakeProvider, made_by

FACTORIES = {
    **made_by("coursera", FakeProvider([Course("c1", "graphics", "Graphics")])),
    **made_by("openedx", FakeProvider([Course("c2", "stars", "Stars")])),
    **made_by("fake", FakeProvider([Course("c3", "birds", "Birds")])),
}


def account(name: str, provider: str | None = None, folder: str | None = None) -> AccountSource:
    return AccountSource(name, provider or name, {}, {}, folder)


async def courses(tmp_path: Path, *accounts: AccountSource, ask: bool = True) -> Mapping[str, int]:
    """The path of each course, with its inode number, after the library was opened with these accounts."""
    settings = LibrarySettings(tmp_path / "state" / "catalogue.sqlite", tmp_path / "cache", accounts, Wanted())
    found: dict[str, int] = {}
    async with open_library(settings, providers=FACTORIES) as library:
        if ask:
            for one in accounts:
                await library.courses.refresh(one.name)
        below: list[Node] = list(await library.files.children(ROOT))
        while below:
            node = below.pop()
            if node.kind is Kind.ACCOUNT:
                below += await library.files.children(node.inode)
            else:
                found[library.files.path(node)] = node.inode
    return found


async def test_an_account_alone_has_the_root_and_two_have_a_folder_each(tmp_path: Path) -> None:
    assert set(await courses(tmp_path / "alone", account("coursera"))) == {"Graphics"}
    both = await courses(tmp_path / "both", account("coursera"), account("campus", "openedx"), account("fake"))
    assert set(both) == {"Coursera/Graphics", "edX/Stars", "Fake/Birds"}


async def test_an_account_that_was_alone_keeps_its_place_when_others_come_and_go(tmp_path: Path) -> None:
    alone = await courses(tmp_path, account("coursera"))
    both = await courses(tmp_path, account("coursera"), account("openedx"))
    assert set(both) == {"Graphics", "edX/Stars"}
    assert both["Graphics"] == alone["Graphics"]
    assert await courses(tmp_path, account("coursera"), account("openedx"), ask=False) == both
    assert await courses(tmp_path, account("openedx")) == {"edX/Stars": both["edX/Stars"]}
    assert await courses(tmp_path, account("openedx"), account("coursera")) == both


async def test_two_accounts_that_an_older_catalogue_has_at_the_root_stay_there(tmp_path: Path) -> None:
    at_root = await courses(tmp_path, account("coursera", folder=""), account("openedx", folder=""))
    assert set(at_root) == {"Graphics", "Stars"}
    assert await courses(tmp_path, account("coursera"), account("openedx")) == at_root


async def test_the_settings_move_an_account_and_its_inode_numbers_stay(tmp_path: Path) -> None:
    alone = await courses(tmp_path, account("coursera"))
    moved = await courses(tmp_path, account("coursera", folder="Mine"))
    assert moved == {"Mine/Graphics": alone["Graphics"]}
    assert await courses(tmp_path, account("coursera", folder="")) == alone


async def test_two_accounts_on_one_platform_are_told_apart(tmp_path: Path) -> None:
    both = await courses(tmp_path, account("one", "fake"), account("two", "fake"))
    assert set(both) == {"Fake/Birds", "Fake (two)/Birds"}
    assert await courses(tmp_path, account("two", "fake"), account("one", "fake")) == both
