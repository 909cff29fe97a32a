"""The list of courses for commands: it leaves the catalogue to the process that has it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from coursefs.catalog import Layout, Store
from coursefs.catalog.node import ROOT
from coursefs.errors import Unreachable
from coursefs.library import AccountSource, LibrarySettings, Listed, list_all, open_library
from coursefs.model import Course, Wanted
from tests.engine.fakes import FakeProvider, made_by


async def test_listing_courses_changes_nothing_below_a_running_mount(tmp_path: Path) -> None:
    provider = FakeProvider([Course("c1", "graphics", "Graphics")])
    platforms = made_by("fake", provider)
    account = AccountSource("fake", "fake", {}, {}, "edX")
    settings = LibrarySettings(tmp_path / "state" / "catalogue.sqlite", tmp_path / "cache", [account], Wanted())
    other = replace(settings, accounts=[replace(account, folder=None)], layout=Layout.SLUG, wanted=Wanted(("de",)))

    (one,), _ = await list_all(settings, providers=platforms)
    assert (one.course.title, one.directory) == ("Graphics", None)
    assert not settings.catalogue.parent.exists()

    async with open_library(settings, providers=platforms) as library:
        (folder,) = await library.files.children(ROOT)
        await library.files.children(folder.inode)
        (one,), _ = await list_all(settings, providers=platforms)
        assert one.directory == "edX/Graphics"
        before = _contents(settings.catalogue)
        await list_all(other, providers=platforms)  # the settings were changed meanwhile
        assert _contents(settings.catalogue) == before
        assert [node.name for node in await library.files.children(ROOT)] == ["edX"]

    provider.failure = Unreachable("no network")
    (one,), notes = await list_all(settings, providers=platforms)
    assert one.directory == "edX/Graphics"
    assert notes == ["fake: no network; as last seen"]


def _contents(catalogue: Path) -> list[object]:
    store = Store(catalogue, read_only=True)
    try:
        return list(store._database._connection.iterdump())
    finally:
        store.close()


def test_every_field_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "courses.md").read_text()
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(documented) == sorted(Listed("x", Course("c", "s", "t"), None, True).record())
