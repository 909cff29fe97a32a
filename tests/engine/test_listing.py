"""The list of courses for commands: it leaves the catalogue to whoever has it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from coursefs.catalog import Layout, Store
from coursefs.catalog.inode import ROOT
from coursefs.errors import Unreachable
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.listing import Listed, list_all
from coursefs.model import Course, Wanted
from coursefs.providers import registry
from tests.engine.fakes import FakeProvider


async def test_listing_courses_changes_nothing_below_a_running_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = FakeProvider([Course("c1", "graphics", "Graphics")])
    monkeypatch.setattr(registry, "provider", lambda _: lambda account, transport: provider)
    account = AccountSource("fake", "fake", {}, {}, "edX")
    settings = LibrarySettings(tmp_path / "state" / "catalogue.sqlite", tmp_path / "cache", [account], Wanted())
    other = replace(settings, accounts=[replace(account, folder=None)], layout=Layout.SLUG, wanted=Wanted(("de",)))

    (one,), _ = await list_all(settings)
    assert (one.course.title, one.directory) == ("Graphics", None)
    assert not settings.catalogue.parent.exists()

    async with open_library(settings) as library:
        (folder,) = await library.children(ROOT)
        await library.children(folder.inode)
        (one,), _ = await list_all(settings)
        assert one.directory == "edX/Graphics"
        before = _contents(settings.catalogue)
        await list_all(other)  # the settings were changed meanwhile
        assert _contents(settings.catalogue) == before
        assert [node.name for node in await library.children(ROOT)] == ["edX"]

    provider.failure = Unreachable("no network")
    (one,), notes = await list_all(settings)
    assert one.directory == "edX/Graphics"
    assert notes == ["fake: no network; as last seen"]


def _contents(catalogue: Path) -> list[object]:
    store = Store(catalogue, read_only=True)
    try:
        return list(store._database.iterdump())
    finally:
        store.close()


def test_every_field_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "courses.md").read_text()
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(documented) == sorted(Listed("x", Course("c", "s", "t"), None, True).record())
