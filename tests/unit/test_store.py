"""The catalogue on disk: what is written comes back, and what is damaged is set aside."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from coursefs.catalog import schema
from coursefs.catalog.inode import ROOT
from coursefs.catalog.node import Entry, Node, Place, Step, locator_of
from coursefs.catalog.refresh import Changes
from coursefs.catalog.store import Store
from coursefs.model import Course, Item, Kind, Remote, Version

PLACE = Place("coursera", "c1")
REMOTE = Remote("video/c1~i1/720p.mp4", {"item": "i1"})


def video(inode: int, name: str, key: str = "item/i1/video") -> Node:
    return Node(
        inode,
        300,
        name,
        name,
        PLACE,
        key,
        Kind.VIDEO,
        5,
        item="item/i1",
        identity=REMOTE.identity,
        locator=locator_of(REMOTE),
    )


def store_at(path: Path) -> Store:
    return Store(path / "catalogue.sqlite")


def test_nodes_come_back_after_a_restart(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    page = Node(302, 300, "b.html", "b.html", PLACE, "item/i2/page", Kind.READING, 7, size=3, etag="d", page=b"<p>")
    store.write(Changes(added=(video(301, "a.mp4"), page)))
    store.set_version(301, Version(1000, '"e"', 42), 42)
    store.close()
    store = store_at(tmp_path)
    a, b = store.children(300)
    assert (a.size, a.etag, a.modified_ns, a.mtime_ns, a.remote) == (1000, '"e"', 42, 42, REMOTE)
    assert a == store.node(301) == store.child(300, "a.mp4") == store.find(PLACE, "item/i1/video")
    assert b == replace(page, page=None)
    assert store.page(302) == b"<p>"
    store.write(Changes(changed=((b, replace(b, name="c.html")),)))
    assert store.page(302) == b"<p>"
    assert store.totals() == (3, 1003)
    store.close()


def test_a_listing_is_the_same_object_until_something_in_it_changes(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(Changes(added=(video(301, "a.mp4"), video(302, "b.mp4", "item/i2/video"))))
    before = store.children(300)
    assert store.children(300) is before and [store.node(node.inode) for node in before] == list(before)
    store.set_version(302, Version(7), 5)
    assert [node.size for node in store.children(300)] == [None, 7]
    store.write(Changes(gone=(before[0],)))
    assert [node.name for node in store.children(300)] == ["b.mp4"]
    store.close()


def test_what_memory_has_no_room_for_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.catalog.store._KEPT_NODES", 3)
    store = store_at(tmp_path)
    nodes = [video(301 + number, f"{number}.mp4", f"item/i{number}/video") for number in range(6)]
    store.write(Changes(added=tuple(nodes)))
    assert store.children(300) == tuple(nodes)
    for node in nodes:
        assert store.node(node.inode) == node
        store.set_version(node.inode, Version(node.inode), 5)
        assert [one.size for one in store.children(300) if one.size is not None] == list(range(301, node.inode + 1))
    store.close()


def test_what_is_gone_keeps_its_inode_and_comes_back_with_it(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    store.write(Changes(gone=(video(301, "a.mp4"),)))
    assert store.children(300) == ()
    old = store.node(301)
    assert old is not None and old.name == "a.mp4" and old.is_gone and old.remote == REMOTE
    entry = Entry(PLACE, "item/i1/video", Kind.VIDEO, 300, "a.mp4", "a.mp4")
    assert store.past([entry])[PLACE, "item/i1/video"].inode == 301
    store.close()


def test_two_siblings_may_swap_their_names(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    a, b = video(301, "a.mp4"), video(302, "b.mp4", "item/i2/video")
    store.write(Changes(added=(a, b)))
    store.write(Changes(changed=((a, replace(a, name="b.mp4")), (b, replace(b, name="a.mp4")))))
    assert {node.name: node.inode for node in store.children(300)} == {"a.mp4": 302, "b.mp4": 301}
    store.close()


def test_a_write_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    clash = video(303, "a.mp4", "item/i3/video")
    with pytest.raises(sqlite3.IntegrityError):
        store.write(Changes(added=(video(302, "b.mp4", "item/i2/video"), clash)))
    assert [node.name for node in store.children(300)] == ["a.mp4"]
    store.close()


def test_text_that_is_no_text_is_kept_legible(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.set_courses("coursera", [Course("c1", "s", "bad \ud800 title", None)])
    store.set_steps(PLACE, [Step(PLACE, 300, "x", "x", Item("i1", "\udfff", "", 1, "lecture", details={"a": "b"}))])
    assert store.courses("coursera")[0].title == "bad ? title"
    (step,) = store.steps(300)
    assert step.item.title == "?" and step.item.details == {"a": "b"} and step.fetched_ns is None
    store.close()


def test_a_forgotten_account_leaves_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.set_courses("coursera", [Course("c1", "s", "t")])
    store.set_fetched(Place("coursera"), 9)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    store.forget_account("coursera")
    assert (store.courses("coursera"), store.fetched_ns(Place("coursera")), store.node(301)) == ([], None, None)
    assert store.node(ROOT) is not None
    store.close()


@pytest.mark.logs
@pytest.mark.parametrize("damage", ["garbage", "newer"])
def test_a_damaged_or_newer_catalogue_is_set_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "catalogue.sqlite"
    if damage == "garbage":
        path.write_bytes(b"this is no database" * 1000)
    else:
        newer = sqlite3.connect(path)
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        newer.close()
    store = Store(path)
    assert store.node(ROOT) is not None
    store.close()
    assert len(list(tmp_path.glob("*.set-aside-*"))) == 1
    assert "set aside" in caplog.text


def test_every_step_of_the_schema_can_be_taken_one_by_one(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    for version in range(schema.VERSION + 1):
        schema.migrate(database, version)
        assert schema.version_of(database) == version
    database.close()


def test_a_copy_changes_nothing_on_the_disk(tmp_path: Path) -> None:
    for has_writer in (False, True):
        folder = tmp_path / f"x?{has_writer}"
        store = store_at(folder)
        store.write(Changes(added=(video(301, "a.mp4"),)))
        if not has_writer:
            store.close()
        before = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
        copy = Store(folder / "catalogue.sqlite", read_only=True)
        assert [node.name for node in copy.children(300)] == ["a.mp4"]
        copy.touch(301, 99)
        copy.forget_account("coursera")
        copy.close()
        after = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
        if has_writer:
            assert after == before
            store.touch(301, 7)
            store.close()
        else:
            assert {name: data for name, data in after.items() if data} == before  # an empty log may appear


@pytest.mark.parametrize("there", [None, b"no database at all" * 100])
def test_a_copy_of_what_cannot_be_read_is_empty(tmp_path: Path, there: bytes | None) -> None:
    path = tmp_path / "catalogue.sqlite"
    if there is not None:
        path.write_bytes(there)
    copy = Store(path, read_only=True)
    assert copy.totals() == (1, 0)
    copy.close()
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == ([(path.name, there)] if there else [])


def test_a_copy_of_a_newer_catalogue_is_empty_and_of_an_older_one_is_brought_up_to_date(tmp_path: Path) -> None:
    for version, names in ((schema.VERSION + 1, []), (1, ["a.mp4"])):
        path = tmp_path / f"{version}.sqlite"
        database = sqlite3.connect(path)
        schema.migrate(database, min(version, schema.VERSION))
        database.execute(f"PRAGMA user_version = {version}")
        database.execute(
            "INSERT INTO node (inode, parent, name, wanted, account, course, key, kind, mtime_ns, item)"
            " VALUES (301, 300, 'a.mp4', 'a.mp4', 'a', 'c', 'k', 'video', 5, 'i')"
        )
        database.commit()
        database.close()
        copy = Store(path, read_only=True)
        assert [node.name for node in copy.children(300)] == names
        assert copy.by_use() == []
        copy.close()
        assert list(tmp_path.glob("*set-aside*")) == []
