"""A catalogue whose disk is full, or which another process has locked: everything goes on, and is saved later."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import Node, Place, Store, Tree, opening
from coursefs.catalog.difference import Changes
from coursefs.catalog.enrolments import SelectionRule
from coursefs.catalog.node import ROOT
from coursefs.errors import CatalogueError, CoursefsError
from coursefs.library import AccountSource, LibrarySettings, open_library
from coursefs.model import Wanted
from tests.engine.fakes import lecture, made_by
from tests.engine.test_tree import listing, opened, provider_of
from tests.unit.test_store import video

HELLO = lecture("a", "Hello", 1)
FILE = ("Graphics", "01 Start")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process that writes."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def full(store: Store) -> Iterator[None]:
    """A disk without room for one more page."""
    connection = store._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 1073741823")


def on_disk(path: Path) -> set[str]:
    """The names that the database on the disk has."""
    other = sqlite3.connect(path)
    names = {str(name) for (name,) in other.execute("SELECT name FROM node WHERE name <> ''")}
    other.close()
    return names


@pytest.mark.logs
async def test_what_is_listed_first_while_the_catalogue_is_locked_is_shown_at_once_and_saved_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "catalogue.sqlite"
    async with opened(tmp_path, provider_of(HELLO)) as tree:
        told: list[CoursefsError] = []
        tree.store.on_unsaved(told.append)
        with locked(path):
            started = time.monotonic()
            assert await listing(tree, *FILE) == ["01 Hello.mp4"]
            tree.store.enrolments.set_selection_rule("coursera", SelectionRule(named={"c1": True}))
            assert not tree.store.save()
            assert time.monotonic() - started < 1.0  # five seconds for each write before
            assert on_disk(path) == set()
        assert [str(error) for error in told] == [
            "cannot be written: database is locked; changes are kept in memory until it can"
        ]
        assert tree.store.save() and tree.store.save()
        assert on_disk(path) == {"Graphics", "01 Start", "01 Hello.mp4"}
        assert await listing(tree, *FILE) == ["01 Hello.mp4"]
        tree.store.fetch_log.set_fetched(Place("coursera", "c1"), 77)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    store = Store(path)
    assert store.fetch_log.fetched_ns(Place("coursera", "c1")) == 77
    assert store.enrolments.selection_rule("coursera") == SelectionRule(named={"c1": True})
    store.close()


@pytest.mark.logs
async def test_on_a_full_disk_everything_is_shown_and_is_saved_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    provider = provider_of(*(lecture(f"i{number}", f"L{number:03d} {'x' * 100}", number) for number in range(300)))
    async with opened(tmp_path, provider) as tree:
        with full(tree.store):
            assert len(await listing(tree, *FILE)) == 300
            assert len(on_disk(path)) < 300
            assert not tree.store.save()
        assert tree.store.save()
    assert len(on_disk(path)) == 302


@pytest.mark.logs
def test_a_transaction_that_fails_halfway_is_whole_in_memory(tmp_path: Path) -> None:
    store = Store(tmp_path / "catalogue.sqlite")
    with full(store):
        with store.transaction():
            store.fetch_log.set_fetched(Place("a"), 1)
            store.write(Changes(added=tuple(video(301 + n, f"{n}.mp4", f"i{n}") for n in range(500))))
            store.fetch_log.set_fetched(Place("b"), 2)
        assert store._database.is_unsaved
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.fetch_log.set_fetched(Place("c"), 3)
            raise ZeroDivisionError
    store.close()  # a last attempt
    store = Store(tmp_path / "catalogue.sqlite")
    assert [store.fetch_log.fetched_ns(Place(name)) for name in "abc"] == [1, 2, None]
    assert len(store.children(300)) == 500
    store.close()


@pytest.mark.logs
def test_what_could_not_be_saved_until_the_end_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path / "catalogue.sqlite")
    with locked(tmp_path / "catalogue.sqlite"):
        store.fetch_log.set_fetched(Place("a"), 1)
        store.close()
    assert "is lost" in caplog.text


@pytest.mark.logs
def test_a_catalogue_that_was_damaged_on_the_disk_meanwhile_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    store = Store(path)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    with locked(path):
        store.write(Changes(added=(video(302, "b.mp4", "i2"),)))
    other = sqlite3.connect(path)
    other.execute("DROP TABLE node")
    other.commit()
    other.close()
    assert not store.save() and store.save()
    assert [node.name for node in store.children(300)] == ["a.mp4", "b.mp4"]
    store.close()
    assert on_disk(path) == {"a.mp4", "b.mp4"}


@pytest.mark.logs
def test_a_disk_that_cannot_be_written_at_the_start_is_no_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalogue.sqlite"
    store = Store(path)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    store.close()

    def refused(*_: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(opening, "connect", refused)
        store = Store(path)
        assert store.notice is not None and "full" in store.notice
        store.write(Changes(added=(video(302, "b.mp4", "i2"),)))
        assert [node.name for node in store.children(300)] == ["a.mp4", "b.mp4"]
        assert not store.save()
    assert store.save()
    assert on_disk(path) == {"a.mp4", "b.mp4"}
    store.close()
    path.write_bytes(b"")
    with monkeypatch.context() as patched:
        patched.setattr(opening, "connect", refused)
        patched.setattr(opening, "copy", refused)
        Store(path).close()  # nothing is there that could be lost
        path.write_bytes(b"x")
        with pytest.raises(CatalogueError, match="cannot be read"):
            Store(path)


@pytest.mark.logs
async def test_a_value_that_cannot_be_stored_is_an_error_of_one_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "catalogue.sqlite")
    for place, at_ns in ((Place("a"), 2**63), (Place("\ud800"), 1)):
        with pytest.raises(CatalogueError, match="cannot be written"):
            store.fetch_log.set_fetched(place, at_ns)
    assert store.find(Place("a"), "x") is None
    store.fetch_log.set_fetched(Place("a"), 5)
    assert store.fetch_log.fetched_ns(Place("a")) == 5 and not store._database.is_unsaved
    store.close()


@pytest.mark.logs
async def test_a_library_saves_by_itself_and_shows_that_it_could_not(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider = provider_of(HELLO)
    path = tmp_path / "state" / "catalogue.sqlite"
    settings = LibrarySettings(path, tmp_path / "cache", [AccountSource("x", "x", {}, {})], Wanted())
    async with open_library(settings, contents=False, providers=made_by("x", provider)) as library:
        with locked(path):
            assert [node.name for node in await library.files.children(ROOT)] == ["Graphics"]
            await trio.sleep(100)
            assert [trouble.path for trouble in library._activity.troubles] == ["catalogue"]
        await trio.sleep(61)
        assert on_disk(path) == {"Graphics"}


@pytest.mark.logs
async def test_a_library_whose_catalogue_is_damaged_while_it_is_open_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(HELLO)
    path = tmp_path / "state" / "catalogue.sqlite"
    settings = LibrarySettings(path, tmp_path / "cache", [AccountSource("x", "x", {}, {}, folder="mine")], Wanted())
    async with open_library(settings, contents=False, providers=made_by("x", provider)) as library:
        told: list[tuple[int, str]] = []
        library.on_change(lambda _, names: told.extend(names))
        before = await _find(library._tree, "mine", "Graphics", "01 Start", "01 Hello.mp4")
        other = sqlite3.connect(path)
        other.execute("UPDATE node SET kind = 'cinema' WHERE kind = 'module'")
        other.commit()
        other.close()
        course = await _find(library._tree, "mine", "Graphics")
        kept = [library._tree.node(inode) for inode in (ROOT, course.parent)]
        library._store._cache.clear()
        library._store._cache.add(kept)
        with pytest.raises(CatalogueError):
            await library.files.children(course.inode)
        assert library.notice is not None and library._activity.troubles[-1].path == "catalogue"
        await trio.testing.wait_all_tasks_blocked()
        assert (ROOT, "mine") in told
        after = await _find(library._tree, "mine", "Graphics", "01 Start", "01 Hello.mp4")
        assert (after.inode, after.remote) == (before.inode, before.remote)


async def _find(tree: Tree, *names: str) -> Node:
    node = tree.node(ROOT)
    for name in names:
        child = await tree.child(node, name)
        assert child is not None, name
        node = child
    return node
