"""The catalogue on disk: what is written comes back, and what is damaged is set aside."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from coursefs.catalog import opening, schema
from coursefs.catalog.difference import Changes
from coursefs.catalog.enrolments import SelectionRule
from coursefs.catalog.node import ROOT, DesiredNode, Node, Place, Space, StoredItem, digest_of, distrusted, locator_of
from coursefs.catalog.store import Store
from coursefs.errors import CatalogueDamaged, CatalogueError
from coursefs.model import Course, Deadline, Item, Kind, Remote, Version

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
    page = Node(302, 300, "b.html", "b.html", PLACE, "item/i2/page", Kind.READING, 7, size=3, page=b"<p>")
    page = replace(page, etag=digest_of(b"<p>"))
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


def test_a_damaged_page_is_marked_at_once_and_once(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    page = Node(302, 300, "b.html", "b.html", PLACE, "item/i2/page", Kind.READING, 7, size=3, page=b"<p>")
    store.write(Changes(added=(replace(page, etag=digest_of(b"<p>")),)))
    (shown,) = store.children(300)
    for _ in range(2):
        store.distrust_page(shown)
        (shown,) = store.children(300)
        assert shown == store.node(302)
        assert shown.etag == distrusted(digest_of(b"<p>"))
        assert store.page(302) is None
    store.close()


def test_a_path_is_that_of_the_directories_above_also_of_what_is_gone(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    folder = Node(200, ROOT, "Platform", "Platform", Place("coursera"), "", Kind.ACCOUNT, 5)
    course = Node(300, 200, "Course", "Course", Place("coursera"), "c1", Kind.COURSE, 5)
    store.write(Changes(added=(folder, course, video(301, "a.mp4"))))
    store.write(Changes(gone=(video(301, "a.mp4"),)))
    root = store.node(ROOT)
    assert root is not None
    assert [store.path_of(node) for node in (root, course, video(301, "a.mp4"))] == [
        "",
        "Platform/Course",
        "Platform/Course/a.mp4",
    ]
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


def test_a_full_node_cache_is_cleared_and_nodes_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.catalog.node_cache._MAX_NODES", 3)
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
    entry = DesiredNode(PLACE, "item/i1/video", Kind.VIDEO, 300, "a.mp4", "a.mp4")
    assert store.former_nodes([entry])[PLACE, "item/i1/video"].inode == 301
    store.close()


def test_many_nodes_are_found_at_once(tmp_path: Path) -> None:
    """In more than one statement, each once, whatever became of them; not those of another course."""
    store = store_at(tmp_path)
    nodes = [video(301 + number, f"{number}.mp4", f"item/i{number}/video") for number in range(1201)]
    store.write(Changes(added=tuple(nodes)))
    store.write(Changes(gone=(nodes[7],)))
    asked = [*(node.id for node in nodes), "item/never/video", nodes[0].id]
    found = store.find_all(PLACE, asked)
    assert {name: node.inode for name, node in found.items()} == {node.id: node.inode for node in nodes}
    assert [node.inode for node in found.values() if node.is_gone] == [308]
    assert store.find_all(Place(PLACE.account, "other"), asked) == store.find_all(PLACE, ()) == {}
    store.close()


def test_the_nodes_of_many_items_are_found_at_once(tmp_path: Path) -> None:
    """Wherever they are, and without those that are gone, of other items, or of another course."""
    store = store_at(tmp_path)
    nodes = [
        replace(video(301 + number, f"{number}.mp4", f"item/i{number}/video"), item=f"i{number // 2}")
        for number in range(1201)
    ]
    nodes[5] = replace(nodes[5], parent=299)
    elsewhere = replace(video(5000, "x.mp4"), place=Place(PLACE.account, "other"), item="i3")
    store.write(Changes(added=(*nodes, elsewhere)))
    store.write(Changes(gone=(nodes[7],)))
    assert {node.inode for node in store.of_items(PLACE, ["i2", "i3", "i2", "never"])} == {305, 306, 307}
    every = store.of_items(PLACE, (node.item for node in nodes))
    assert sorted(node.inode for node in every) == [node.inode for node in nodes if node is not nodes[7]]
    assert store.of_items(PLACE, ()) == []
    store.close()


def test_the_nodes_of_a_course_are_found_by_kind(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    film = video(301, "a.mp4")
    text = replace(video(302, "a.txt", "item/i1/text"), kind=Kind.TRANSCRIPT)
    store.write(Changes(added=(film, text)))
    assert store.of_place(PLACE, (Kind.VIDEO, Kind.AUDIO)) == [film]
    assert len(store.of_place(PLACE, (Kind.VIDEO, Kind.TRANSCRIPT))) == len(store.of_place(PLACE)) == 2
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
    with pytest.raises(CatalogueError, match="conflicts"):
        store.write(Changes(added=(video(302, "b.mp4", "item/i2/video"), clash)))
    assert [node.name for node in store.children(300)] == ["a.mp4"]
    store.close()


def test_text_that_is_no_text_is_kept_legible(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.enrolments.set_courses("coursera", [Course("c1", "s", "bad \ud800 title", None)])
    store.items.replace(
        PLACE, [StoredItem(PLACE, 300, "x", "x", Item("i1", "\udfff", "", 1, "lecture", details={"a": "b"}))]
    )
    assert store.enrolments.courses("coursera")[0].title == "bad ? title"
    (stored,) = store.items.in_directory(300)
    assert stored.item.title == "?" and stored.item.details == {"a": "b"} and stored.fetched_ns is None
    store.close()


def test_a_forgotten_account_leaves_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.enrolments.set_courses("coursera", [Course("c1", "s", "t")])
    store.fetch_log.set_fetched(Place("coursera"), 9)
    store.write(Changes(added=(video(301, "a.mp4"),)))
    store.forget_account("coursera")
    assert (store.enrolments.courses("coursera"), store.fetch_log.fetched_ns(Place("coursera")), store.node(301)) == (
        [],
        None,
        None,
    )
    assert store.node(ROOT) is not None
    store.close()


def damaged(path: Path, damage: str) -> None:
    """A catalogue of many nodes with this damage."""
    store = Store(path)
    store.write(Changes(added=tuple(video(301 + n, f"{n}.mp4", f"item/i{n}/video") for n in range(300))))
    store.close()
    data = bytearray(path.read_bytes())
    match damage:
        case "garbage":
            data = bytearray(b"this is no database" * 1000)
        case "cut short":
            data = data[: len(data) // 2]
        case "empty head":
            data[:100] = bytes(100)
        case "holes":
            # in the last third are nodes alone: without its schema it is no database, which is noticed earlier
            for page in range(len(data) * 2 // 3 // 4096 * 4096, len(data), 2 * 4096):
                data[page : page + 4096] = b"\xff" * 4096
        case "newer" | "other":
            other = sqlite3.connect(path)
            if damage == "other":
                other.executescript("PRAGMA user_version = 0; DROP TABLE step; CREATE TABLE letters (a)")
            else:
                other.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
            other.commit()
            other.close()
            return
    path.write_bytes(data)


@pytest.mark.logs
@pytest.mark.parametrize("damage", ["garbage", "cut short", "empty head", "holes", "newer", "other"])
def test_a_damaged_or_newer_catalogue_is_set_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "catalogue.sqlite"
    damaged(path, damage)
    before = path.read_bytes()
    copy = Store(path, read_only=True)  # as commands have it beside a mount
    assert copy.totals()[0] in {1, 301}
    assert len(copy.children(300)) in {0, 300}
    copy.close()
    store = Store(path)
    assert (store.node(ROOT) is not None, store.totals(), store.children(300)) == (True, (1, 0), ())
    store.write(Changes(added=(video(301, "a.mp4"),)))
    store.close()
    (aside,) = tmp_path.glob("*.set-aside-*")
    assert aside.read_bytes() == before
    assert "set aside" in caplog.text and str(aside) in caplog.text


@pytest.mark.logs
@pytest.mark.parametrize("was_closed", [True, False])
def test_a_large_catalogue_is_checked_only_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_closed: bool
) -> None:
    monkeypatch.setattr("coursefs.catalog.opening._ALWAYS_CHECKED", 0)
    path = tmp_path / "catalogue.sqlite"
    damaged(path, "holes")
    if not was_closed:
        path.with_name(f"{path.name}-wal").write_bytes(b"what the process before has left")
    looked: list[bool] = []
    require_sound = opening._require_sound

    def looks(connection: sqlite3.Connection, path: Path, *, also_large: bool = False) -> None:
        looked.append(also_large)
        require_sound(connection, path, also_large=also_large)

    monkeypatch.setattr(opening, "_require_sound", looks)
    store = Store(path)
    assert looked[0] is not was_closed
    for _ in range(2):  # found where the damage lies, and only once
        with suppress(CatalogueDamaged):
            store.children(300)
    assert store.children(300) == () and store.totals() == (1, 0)
    store.close()
    assert len(list(tmp_path.glob("*.set-aside-*[0-9]"))) == 1


def test_a_catalogue_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    database = sqlite3.connect(path)
    digest = digest_of(b"<p>")
    database.executescript(
        f"""{schema.MIGRATIONS[0]}
        INSERT INTO course VALUES ('a', 'c', 'slug', 'Title', 'https://x', 7, 0, 0);
        INSERT INTO node VALUES
            (1, 1, '', '', '', '', '', 'root', 3, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (300, 1, 'Title', 'Title', 'a', '', 'c', 'course', 4, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (301, 300, '01 A.mp4', '01 A.mp4', 'a', 'c', 'i/video', 'video', 5, 'i', 'https://x/i', 'video/mp4', 1000,
             '"e"', 5, 'video/i', '{{"item": "i"}}', NULL),
            (302, 300, NULL, '02 B.html', 'a', 'c', 'j/page', 'reading', 6, 'j', NULL, 'text/html', 3, '{digest}', NULL,
             NULL, NULL, x'3c703e');
        INSERT INTO step VALUES
            ('a', 'c', 'i', 300, '01 A', '01 A', 'A', 'a', 1, 'lecture', NULL, NULL, '{{"k": "v"}}', 9, NULL);
        INSERT INTO fetched VALUES ('a', '', 8), ('a', 'c', 9);
        PRAGMA user_version = 1;"""
    )
    database.close()
    store = Store(path)
    assert store.enrolments.courses("a") == [Course("c", "slug", "Title", "https://x", 7)]
    (course,) = store.children(ROOT)
    (video_node,) = store.children(300)
    assert (course.inode, course.kind, video_node.inode, video_node.mtime_ns) == (300, Kind.COURSE, 301, 5)
    assert (video_node.version, video_node.remote) == (Version(1000, '"e"', 5), Remote("video/i", {"item": "i"}))
    gone = store.find(Place("a", "c"), "j/page", Space.FILE)
    assert gone is not None and gone.is_gone and store.page(302) == b"<p>"
    (stored,) = store.items.in_directory(300)
    assert (stored.item, stored.fetched_ns) == (Item("i", "A", "a", 1, "lecture", details={"k": "v"}), 9)
    assert (
        store.fetch_log.fetched_ns(Place("a")),
        store.fetch_log.fetched_ns(Place("a", "c")),
        store.fetch_log.tag(Place("a", "c")),
    ) == (8, 9, None)
    store.write(Changes(gone=(video_node,)))
    store.enrolments.set_used(Place("a", "c"), 10)
    assert [node.inode for node in store.courses_by_use()] == [300]
    store.close()
    assert not list(tmp_path.glob("*.set-aside-*"))


def test_every_step_of_the_schema_can_be_taken_one_by_one(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    for version in range(schema.VERSION + 1):
        schema.migrate(database, version)
        assert schema.version_of(database) == version
    database.close()


def test_a_catalogue_of_before_there_was_a_choice_shows_everything(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    database = sqlite3.connect(path)
    schema.migrate(database, 2)
    database.execute("INSERT INTO course VALUES ('coursera', 'c1', 's', 't', NULL, NULL, 0, 0)")
    database.commit()
    database.close()
    store = Store(path)
    (course,) = store.enrolments.courses("coursera")
    assert store.enrolments.selection_rule("coursera").shows(course)
    assert store.enrolments.added("coursera") == []
    store.enrolments.set_selection_rule("coursera", SelectionRule(others=False, named={"c1": True}))
    store.enrolments.add("coursera", Course("c2", "s2", "t2", "https://x.example"))
    store.close()
    store = Store(path)
    assert store.enrolments.selection_rule("coursera") == SelectionRule(others=False, named={"c1": True})
    assert store.enrolments.selection_rule("other") == SelectionRule()
    assert store.enrolments.added("coursera") == [Course("c2", "s2", "t2", "https://x.example")]
    store.forget_account("coursera")
    assert (store.enrolments.selection_rule("coursera"), store.enrolments.added("coursera")) == (SelectionRule(), [])
    store.close()


def test_due_dates_come_back_and_leave_with_their_account(tmp_path: Path) -> None:
    path, place = tmp_path / "catalogue.sqlite", Place("coursera", "c1")
    due = [Deadline("First", 5, "module/m", "https://x.example"), Deadline("Second \ud800", 2**63 - 1)]
    store = Store(path)
    assert (store.due_dates.of_course(place), store.due_dates.asked_ns(place)) == ([], None)
    assert store.due_dates.replace(place, due, 7)
    store.close()
    store = Store(path)
    kept = [due[0], Deadline("Second ?", 2**63 - 1)]
    assert (store.due_dates.of_course(place), store.due_dates.asked_ns(place)) == (kept, 7)
    assert not store.due_dates.replace(place, kept, 8), "nothing has changed"
    assert store.due_dates.asked_ns(place) == 8
    store.forget_account("coursera")
    assert (store.due_dates.of_course(place), store.due_dates.asked_ns(place)) == ([], None)
    store.close()


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
        assert copy.courses_by_use() == []
        copy.close()
        assert list(tmp_path.glob("*set-aside*")) == []


def test_how_long_an_item_takes_comes_back_and_is_asked_for_after_an_upgrade(tmp_path: Path) -> None:
    path, place = tmp_path / "catalogue.sqlite", Place("a", "c")
    database = sqlite3.connect(path)
    schema.migrate(database, 10)
    database.executescript(
        """INSERT INTO fetched (account, course, at_ns, tag) VALUES ('a', '', 8, 'x'), ('a', 'c', 9, '"old"');
        INSERT INTO step VALUES
            ('a', 'c', 'i', 300, '01 A', '01 A', 'A', 'a', 1, 'lecture', NULL, NULL, '{}', 9, NULL, 0);
        """
    )
    database.close()
    store = Store(path)
    (stored,) = store.items.of_course(place)
    assert stored.item.duration is None
    # without the tag, the next refresh brings the outline also if it is "not modified"; it is due when it was due
    assert (store.fetch_log.tag(place), store.fetch_log.fetched_ns(place)) == (None, 9)
    for duration in (248.5, 60.0, None):
        again = replace(stored, item=replace(stored.item, duration=duration))
        store.items.replace(place, [again])
        assert store.items.of_course(place) == [again]
    store.close()


def test_when_a_due_date_became_what_it_is(tmp_path: Path) -> None:
    path, place = tmp_path / "catalogue.sqlite", Place("a", "c")
    database = sqlite3.connect(path)
    schema.migrate(database, 11)
    database.executescript(
        """INSERT INTO deadline VALUES ('a', 'c', 0, 'Quiz', 5, 'i', NULL), ('b', 'd', 0, 'Exam', 5, NULL, NULL);
        INSERT INTO deadlines_asked VALUES ('a', 'c', 7);"""
    )
    database.close()
    store = Store(path)
    quiz, exam = Deadline("Quiz", 5, "i"), Deadline("Exam", 6)
    assert store.due_dates.with_changes(place) == [(quiz, 7)], "of before an upgrade: when it was asked for"
    assert store.due_dates.with_changes(Place("b", "d")) == [(Deadline("Exam", 5), 0)]
    for at_ns, deadlines, changed in (
        (8, [quiz, exam], [7, 8]),
        (9, [quiz, exam], [7, 8]),
        (10, [replace(quiz, due_ns=6), exam], [10, 8]),
        (11, [replace(exam, title="Final exam")], [11]),
    ):
        store.due_dates.replace(place, deadlines, at_ns)
        assert store.due_dates.with_changes(place) == list(zip(deadlines, changed, strict=True))
    store.close()
