"""The tree: what is asked for and when, what stays, and what a refresh does to what was shown."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.base.foreground import background_work
from coursefs.catalog import Ages, Layout, Node, PackedListing, Place, Store, Tree, TreeAccount
from coursefs.catalog.difference import Changes
from coursefs.catalog.node import ROOT
from coursefs.errors import BadReply, CoursefsError, NotAllowed, NotSignedIn, Unreachable
from coursefs.model import Course, File, Item, Kind, Outline, Placement, ProvisionalFiles, Remote
from coursefs.providers.base import FEW, Provider
from tests.engine.fakes import FakeProvider, lecture, reading, section, video

COURSE = Course("c1", "graphics", "Graphics ", "https://x/learn/graphics")
HELLO = lecture("a", "Hello", 1)
AGAIN = lecture("b", "Again", 2)
#: everything is old at once
NOW = Ages(courses=0, outline=0, files=0, failed=0, broken_item=0)


def provider_of(*items: object, **more: object) -> FakeProvider:
    provider = FakeProvider(listed=[COURSE], **more)  # type: ignore[arg-type]
    provider.outlines["c1"] = Outline((section("m", "Start", 1, *items),))  # type: ignore[arg-type]
    return provider


@asynccontextmanager
async def opened(
    path: Path,
    provider: Provider,
    *,
    ages: Ages | None = None,
    folder: str | None = None,
    layout: Layout = Layout.TITLE,
    name: str = "coursera",
) -> AsyncIterator[Tree]:
    store = Store(path / "catalogue.sqlite")
    try:
        async with trio.open_nursery() as nursery:
            account = TreeAccount(name, provider, folder)
            tree = Tree(store, [account], nursery, layout=layout, ages=ages)
            tree.refresher.settle()
            yield tree
            nursery.cancel_scope.cancel()
    finally:
        store.close()


async def walk(tree: Tree, *names: str) -> Node:
    node = tree.node(ROOT)
    for name in names:
        child = await tree.child(node, name)
        assert child is not None, name
        node = child
    return node


async def listing(tree: Tree, *names: str) -> list[str]:
    return [node.name for node in await tree.children(await walk(tree, *names))]


async def test_provisional_files_are_shown_at_once_and_completed_a_few_at_a_time(tmp_path: Path) -> None:
    lectures = [lecture(f"{number:02d}", f"L{number:02d}", number) for number in range(1, 46)]
    provider = provider_of(*lectures)
    complete = {item.key: [video(item), *reading(item, "<p>text")] for item in lectures}
    gate = trio.Event()

    async def files(course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        provider.calls.append(f"files {len(items)}")
        if len(items) > FEW:
            return {item.key: ProvisionalFiles([video(item)]) for item in items}
        await gate.wait()
        return {item.key: complete[item.key] for item in items}

    provider.files = files  # type: ignore[method-assign]
    async with opened(tmp_path, provider) as tree:
        place = await walk(tree, "Graphics", "01 Start")
        provider.calls.clear()
        assert len(await tree.children(place)) == 45
        gate.set()
        await tree.fetch_all(place)
        assert provider.calls == ["files 45", "files 20", "files 20", "files 5"]
        assert len(await tree.children(place)) == 90
        # asked anew, provisional files take nothing away, and are completed again
        await tree.update_course(await walk(tree, "Graphics"))
        assert len(await tree.children(place)) == 90
        await tree.fetch_all(place)
        assert provider.calls[4:] == ["outline c1", "files 45", "files 20", "files 20", "files 5"]


async def test_provisional_files_of_a_few_items_are_not_fetched_for_ever(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    provider.contents[HELLO.key] = ProvisionalFiles([video(HELLO)])  # type: ignore[assignment]
    async with opened(tmp_path, provider) as tree:
        place = await walk(tree, "Graphics", "01 Start")
        await tree.fetch_all(place)
        assert [call for call in provider.calls if call.startswith("files")] == [
            f"files {HELLO.key} {AGAIN.key}",
            f"files {HELLO.key}",
        ]


async def test_each_level_is_asked_for_when_it_is_looked_at(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    async with opened(tmp_path, provider) as tree:
        assert provider.calls == []
        assert await listing(tree) == ["Graphics"]
        assert provider.calls == ["courses"]
        assert await listing(tree, "Graphics") == ["01 Start"]
        assert provider.calls == ["courses", "outline c1"]
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.mp4", "02 Again.mp4"]
        assert provider.calls == ["courses", "outline c1", "files item/a item/b"]
        await listing(tree, "Graphics", "01 Start")
        assert len(provider.calls) == 3


async def test_after_a_restart_nothing_is_asked_and_nothing_has_moved(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
    provider.calls.clear()
    async with opened(tmp_path, provider) as tree:
        assert await walk(tree, "Graphics", "01 Start", "01 Hello.mp4") == before
    assert provider.calls == []


async def test_a_lost_catalogue_is_rebuilt_with_the_same_inodes(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path / "1", provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
    async with opened(tmp_path / "2", provider) as tree:
        after = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
    assert (before.inode, before.parent) == (after.inode, after.parent)


async def test_many_readers_wait_for_one_request_and_a_killed_one_takes_nothing_away(tmp_path: Path) -> None:
    provider = provider_of(HELLO, gate=trio.Event())
    seen: list[list[str]] = []
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:

        async def read() -> None:
            seen.append(await listing(tree))

        with trio.move_on_after(0):
            await read()
        for _ in range(5):
            nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert provider.gate is not None
        provider.gate.set()
    assert seen == [["Graphics"]] * 5
    assert provider.calls == ["courses"]


async def test_what_is_old_is_served_at_once_and_refreshed_behind(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    changes: list[Changes] = []
    async with opened(tmp_path, provider, ages=NOW) as tree:
        await listing(tree)
        provider.listed = [COURSE, Course("c2", "ears", "Ears")]
        provider.gate = trio.Event()
        tree.refresher.on_change = changes.append
        assert await listing(tree) == ["Graphics"]
        provider.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [node.name for change in changes for node in change.added] == ["Ears"]
        assert await listing(tree) == ["Ears", "Graphics"]


async def test_a_root_of_which_nothing_is_known_is_an_error(tmp_path: Path) -> None:
    provider = FakeProvider(failure=Unreachable("no network"))
    async with opened(tmp_path, provider) as tree:
        with pytest.raises(Unreachable):
            await listing(tree)
        provider.failure = None
        assert await listing(tree) == []


@pytest.mark.parametrize("failure", [Unreachable("no network"), NotSignedIn("ended"), BadReply("?")])
async def test_a_refresh_that_fails_leaves_what_is_known(tmp_path: Path, failure: NotSignedIn) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        before = await listing(tree, "Graphics", "01 Start")
        provider.failure = failure
        assert await listing(tree, "Graphics", "01 Start") == before
        await trio.testing.wait_all_tasks_blocked()
        assert await listing(tree, "Graphics", "01 Start") == before
        await trio.testing.wait_all_tasks_blocked()
        assert tree.refresher.trouble("coursera") is not None


async def test_an_empty_answer_does_not_delete_a_tree(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        await listing(tree, "Graphics", "01 Start")
        provider.listed, provider.outlines["c1"] = [], Outline(())
        for _ in range(2):
            assert await listing(tree) == ["Graphics"]
            assert await listing(tree, "Graphics") == ["01 Start"]
            await trio.testing.wait_all_tasks_blocked()
        assert "lists nothing in the course any more" in str(tree.refresher.trouble("coursera"))  # as `status` says
        provider.listed, provider.outlines["c1"] = [COURSE], Outline((section("m", "Start", 1, HELLO),))
        await listing(tree)
        await listing(tree, "Graphics")
        await trio.testing.wait_all_tasks_blocked()
        assert tree.refresher.trouble("coursera") is None


async def test_one_broken_item_never_breaks_its_lesson(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    provider.contents["item/a"] = NotAllowed("Item is locked")
    async with opened(tmp_path, provider, ages=NOW) as tree:
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello (unavailable).html", "02 Again.mp4"]
        page = await walk(tree, "Graphics", "01 Start", "01 Hello (unavailable).html")
        assert b"Item is locked" in (tree.store.page(page.inode) or b"")
        del provider.contents["item/a"]
        await listing(tree, "Graphics", "01 Start")
        await trio.testing.wait_all_tasks_blocked()
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.mp4", "02 Again.mp4"]
        provider.contents["item/a"] = BadReply("?")  # what was there once is better than a page that says why not
        for _ in range(2):
            assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.mp4", "02 Again.mp4"]
            await trio.testing.wait_all_tasks_blocked()


async def test_rename_move_and_removal_keep_inodes_and_readers(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        hello = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        again = await walk(tree, "Graphics", "01 Start", "02 Again.mp4")
        provider.outlines["c1"] = Outline(
            (
                section("m", "Start", 1, replace(HELLO, title="Hallo")),
                section("n", "Next", 2, replace(AGAIN, position=1)),
            )
        )
        await listing(tree, "Graphics")
        await trio.testing.wait_all_tasks_blocked()
        await listing(tree, "Graphics", "01 Start")
        await trio.testing.wait_all_tasks_blocked()
        assert (await walk(tree, "Graphics", "01 Start", "01 Hallo.mp4")).inode == hello.inode
        moved = await walk(tree, "Graphics", "02 Next", "01 Again.mp4")
        assert (moved.inode, moved.mtime_ns) == (again.inode, again.mtime_ns)
        provider.outlines["c1"] = Outline((section("m", "Start", 1, replace(HELLO, title="Hallo")),))
        await listing(tree, "Graphics")
        await trio.testing.wait_all_tasks_blocked()
        assert await listing(tree, "Graphics") == ["01 Start"]
        assert tree.node(again.inode).remote == again.remote


async def test_a_refresh_without_news_changes_nothing(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    provider.contents["item/a"] = list(reading(HELLO, "<p>", "ear"))
    changes: list[Changes] = []
    async with opened(tmp_path, provider, ages=NOW) as tree:
        before = await walk(tree, "Graphics", "01 Start")
        await listing(tree, "Graphics", "01 Start")
        tree.refresher.on_change = changes.append
        for _ in range(2):
            await listing(tree, "Graphics", "01 Start", "01 Hello.files")
            await trio.testing.wait_all_tasks_blocked()
        assert changes == []
        assert await walk(tree, "Graphics", "01 Start") == before


async def test_a_refresh_without_news_writes_nothing_but_when_it_was(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    lessons = [section(f"s{key}", f"Part {key}", 9 - key, lecture(f"x{key}", "X", 1)) for key in range(5)]
    provider.outlines["c1"] = Outline((*provider.outlines["c1"].sections, *lessons))
    async with opened(tmp_path, provider, ages=NOW) as tree:
        await listing(tree, "Graphics", "01 Start")
        await trio.testing.wait_all_tasks_blocked()
        written: list[str] = []
        tree.store._database._connection.set_trace_callback(written.append)
        provider.calls.clear()
        await listing(tree)
        await listing(tree, "Graphics")
        await listing(tree, "Graphics", "01 Start")
        await trio.testing.wait_all_tasks_blocked()
        assert {call.split()[0] for call in provider.calls} == {"courses", "outline", "files"}
        when = ("INSERT OR REPLACE INTO fetched", "UPDATE step SET fetched_ns")
        assert [one for one in written if one.startswith(when)] != []
        assert [one for one in written if not one.startswith((*when, "SELECT", "BEGIN", "COMMIT"))] == []


async def test_a_walk_reads_a_directory_once_from_the_catalogue(tmp_path: Path) -> None:
    """What is listed is known as a node as well if it is a directory, which a walk opens next."""
    async with opened(tmp_path, provider_of(HELLO)) as tree:
        course = await walk(tree, "Graphics")
        module = await walk(tree, "Graphics", "01 Start")
        await tree.children(module)
        tree.store._cache.clear()
        read: list[str] = []
        tree.store._database._connection.set_trace_callback(read.append)
        tree.store.packed_listing(course.inode)
        assert len(read) == 2  # the course and its entries
        assert tree.store.node(module.inode) == module
        assert len(read) == 2


async def test_times_move_with_content_alone(tmp_path: Path) -> None:
    provider = provider_of(HELLO, AGAIN)
    provider.contents["item/a"] = list(reading(HELLO, "<p>"))
    async with opened(tmp_path, provider, ages=NOW) as tree:
        page = await walk(tree, "Graphics", "01 Start", "01 Hello.html")
        film = await walk(tree, "Graphics", "01 Start", "02 Again.mp4")
        provider.outlines["c1"] = Outline(
            (section("m", "Start", 1, replace(HELLO, title="Hallo", url="https://x/a"), replace(AGAIN, title="Noch")),)
        )
        provider.contents["item/b"] = [replace(video(AGAIN), url="https://x/b", mime_type="video/x")]
        await tree.update_course(await walk(tree, "Graphics"))
        renamed = await walk(tree, "Graphics", "01 Start", "01 Hallo.html")
        assert (renamed.inode, renamed.mtime_ns) == (page.inode, page.mtime_ns)
        renamed = await walk(tree, "Graphics", "01 Start", "02 Noch.mp4")
        assert (renamed.inode, renamed.mtime_ns, renamed.url) == (film.inode, film.mtime_ns, "https://x/b")
        other = replace(video(AGAIN), body=Remote("another", {}))
        provider.contents |= {"item/a": list(reading(HELLO, "<p>Other")), "item/b": [other]}
        await tree.update_course(await walk(tree, "Graphics"))
        assert (await walk(tree, "Graphics", "01 Start", "01 Hallo.html")).mtime_ns > page.mtime_ns
        assert (await walk(tree, "Graphics", "01 Start", "02 Noch.mp4")).mtime_ns > film.mtime_ns


async def test_a_reading_links_to_the_files_beside_it(tmp_path: Path) -> None:
    from coursefs.pages import beside_url

    provider = provider_of(HELLO)
    provider.contents["item/a"] = reading(HELLO, f'<img src="{beside_url("item/a/asset/ear 1")}">', "ear 1")
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.files", "01 Hello.html"]
        assert await listing(tree, "Graphics", "01 Start", "01 Hello.files") == ["ear 1.png"]
        page = await walk(tree, "Graphics", "01 Start", "01 Hello.html")
        assert tree.store.page(page.inode) == b'<img src="01%20Hello.files/ear%201.png">'
        assert page.size == len(tree.store.page(page.inode) or b"")


async def test_an_account_with_a_folder(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider, folder="edX") as tree:
        assert await listing(tree) == ["edX"]
        assert await listing(tree, "edX") == ["Graphics"]
        assert await listing(tree, "edX", "Graphics") == ["01 Start"]


async def test_a_listing_that_repeats_its_keys_is_taken_once(tmp_path: Path) -> None:
    provider = provider_of(HELLO, HELLO)
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, "Graphics", "01 Start") == ["01 Hello.mp4"]


async def test_hidden_courses_are_not_shown_and_twins_get_their_ids(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    provider.listed = [COURSE, Course("c2", "graphics-2", "graphics"), Course("c3", "old", "Old", hidden=True)]
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree) == ["Graphics (c1)", "graphics (c2)"]


async def test_twins_that_have_a_mark_are_told_apart_by_it(tmp_path: Path) -> None:
    runs = [Course(f"course-v1:O+C+{run}", f"O+C+{run}", "Circuits", mark=run) for run in ("1T2026", "2T2026")]
    provider = FakeProvider(listed=runs)
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree) == ["Circuits (1T2026)", "Circuits (2T2026)"]


async def test_a_page_links_to_the_files_of_its_item_in_the_same_folder(tmp_path: Path) -> None:
    html = '<p><a href="coursefs-beside:item%2Fa%2Fslides">x</a> <a href="coursefs-beside:item%2Fb%2Fslides">y</a></p>'
    slides = File("item/a/slides", Kind.ATTACHMENT, Placement.ATTACHED, "Slides?", ".pdf", "x/y", Remote("s", {}))
    provider = provider_of(HELLO, contents={"item/a": [*reading(HELLO, html), slides]})
    async with opened(tmp_path, provider) as tree:
        await tree.children(await walk(tree, "Graphics", "01 Start"))
        page = await walk(tree, "Graphics", "01 Start", "01 Hello.html")
        text = (tree.store.page(page.inode) or b"").decode()
    assert text == '<p><a href="01%20Hello%20-%20Slides%3F.pdf">x</a> <a href="#">y</a></p>'


async def test_enrolments_of_an_account_that_is_gone_are_not_shown(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        await listing(tree)
    store = Store(tmp_path / "catalogue.sqlite")
    assert store.fetch_log.fetched_ns(Place("coursera")) is not None
    async with trio.open_nursery() as nursery:
        tree = Tree(store, [TreeAccount("other", FakeProvider())], nursery)
        assert await tree.children(tree.node(ROOT)) == []
        assert await tree.child(tree.node(ROOT), "Graphics") is None
        nursery.cancel_scope.cancel()
    store.close()


async def test_what_is_known_and_fresh_needs_no_waiting(tmp_path: Path) -> None:
    async with opened(tmp_path, provider_of(HELLO)) as tree:
        lesson = await walk(tree, "Graphics", "01 Start")
        assert tree.known_listing(lesson.inode) is None
        await tree.children(lesson)
        assert tree.known_listing(lesson.inode) == PackedListing.of(lesson.parent, await tree.children(lesson))
        assert tree.known_child(lesson.inode, "01 Hello.mp4") == await walk(
            tree, "Graphics", "01 Start", "01 Hello.mp4"
        )
        assert tree.known_child(lesson.inode, "nothing") is None
        course = await walk(tree, "Graphics")
        assert tree.known_listing(course.inode) == PackedListing.of(course.parent, await tree.children(course))
        await tree.update_course(course)
        assert tree.known_listing(course.inode) is None, "the outline may be another one now"
        await tree.children(tree.node(ROOT))
        assert tree.known_listing(ROOT) is None, "what accounts have is looked up each time"
    async with opened(tmp_path, provider_of(HELLO), ages=NOW) as tree:
        for names in (["Graphics"], ["Graphics", "01 Start"]):
            directory = await walk(tree, *names)
            await tree.children(directory)
            assert tree.known_listing(directory.inode) is None


async def test_who_looks_into_a_course_is_noticed_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, provider_of(HELLO)) as tree:
        course = await walk(tree, "Graphics")
        await tree.children(course)
        assert tree.known_listing(course.inode) is not None
        later = time.time_ns() + 61 * 10**9
        monkeypatch.setattr("coursefs.catalog.revalidation.time.time_ns", lambda: later)
        assert tree.known_listing(course.inode) is None


async def test_what_no_program_waits_for_is_no_look_into_a_course(tmp_path: Path) -> None:
    async with opened(tmp_path, provider_of(HELLO)) as tree:
        course = await walk(tree, "Graphics")
        with background_work():
            await tree.children(course)
        assert tree.known_listing(course.inode) is None, "who looks next is to be noted"
        await tree.children(course)
        assert tree.known_listing(course.inode) is not None


async def test_a_name_that_is_no_longer_lawful_is_renamed_once_and_keeps_its_inode(tmp_path: Path) -> None:
    """A catalogue of an older coursefs: names that begin with a dash, or hold invisible characters."""
    provider = provider_of(HELLO, lecture("d", "--dash", None))
    provider.listed = [replace(COURSE, title="--checkpoint=1")]
    start = provider.outlines["c1"].sections[0]
    provider.outlines["c1"] = Outline((replace(start, position=None, title="St\u200bart"),), tag="t")
    item = start.items[1]
    provider.contents["item/d"] = [
        video(item),
        File("item/d/i", Kind.IMAGE, Placement.BESIDE, "-i", ".png", "image/png", Remote("i", {"i": "i"})),
    ]
    new = (("checkpoint=1",), ("checkpoint=1", "Start"), ("checkpoint=1", "Start", "dash.mp4"))
    beside = ("checkpoint=1", "Start", "dash.files", "i.png")
    async with opened(tmp_path, provider) as tree:
        before = [(await walk(tree, *names)).inode for names in (*new, beside)]
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as old, old:
        for inode, name in zip(before, ("--checkpoint=1", "St\u200bart", "--dash.mp4", "-i.png"), strict=True):
            old.execute("UPDATE node SET name = ?, wanted = ? WHERE inode = ?", (name, name, inode))
        old.execute("UPDATE node SET name = '--dash.files', wanted = '--dash.files' WHERE name = 'dash.files'")
        old.execute("UPDATE step SET stem = '--dash', wanted = '--dash' WHERE key = 'item/d'")
        # of later steps
        old.executescript("DROP TABLE deadline; DROP TABLE deadlines_asked")
        old.executescript("DROP TABLE finished; DROP TABLE finished_asked")
        old.execute("ALTER TABLE step DROP COLUMN duration")
        old.execute("ALTER TABLE course DROP COLUMN image")
        old.execute("UPDATE node SET sum = NULL")  # there was none of names
        old.execute("PRAGMA user_version = 7")  # as before the step that looks for such names
    async with opened(tmp_path, provider) as tree:
        assert [(await walk(tree, *names)).inode for names in (*new, beside)] == before
        shown = await listing(tree, "checkpoint=1", "Start")
        assert not [name for name in shown if name.startswith("-")]
        provider.calls.clear()
    async with opened(tmp_path, provider) as tree:
        assert [(await walk(tree, *names)).inode for names in (*new, beside)] == before
    assert provider.calls == []


ACTIVE = "html htm xhtml svg hta desktop js vbs bat cmd exe scr lnk url jar ps1 sh mht swf xml HTML".split()


@pytest.mark.parametrize("layout", Layout)
async def test_a_file_that_would_act_has_a_name_that_does_not(layout: Layout, tmp_path: Path) -> None:
    def attached(number: int, title: str, extension: str, placement: Placement) -> File:
        remote = Remote(f"r{number}", {"r": str(number)})
        return File(f"item/a/{number}", Kind.ATTACHMENT, placement, title, extension, "text/html", remote)

    odd = [("evil.desktop.", ""), ("evil.h\u200bta", ""), ("evil.exe..", ""), ("evil", ".JAR ")]
    names = [(f"f{number}", f".{extension}") for number, extension in enumerate(ACTIVE)] + odd
    files = [
        attached(number, title, extension, placement)
        for number, ((title, extension), placement) in enumerate(
            (name, placement) for name in names for placement in (Placement.ATTACHED, Placement.BESIDE)
        )
    ]
    harmless = [attached(1000, "data", ".py", Placement.ATTACHED), attached(1001, "html", ".pdf", Placement.ATTACHED)]
    item = lecture("a", "evil.hta", 1)
    main = attached(2000, "", "", Placement.MAIN)
    provider = provider_of(item)
    provider.contents["item/a"] = [main, *files, *harmless, *reading(item, "<p>x</p>")]
    async with opened(tmp_path, provider, layout=layout) as tree:
        course = (await tree.children(tree.node(ROOT)))[0]
        (start,) = [node for node in await tree.children(course) if node.is_directory]
        shown = await tree.children(start)
        (folder,) = [node for node in shown if node.is_directory]
        for node in [*shown, *await tree.children(folder)]:
            if node.is_directory or node.key.endswith("/page"):
                assert not node.name.endswith(".txt")
            elif int(node.key.rpartition("/")[2]) in {1000, 1001}:
                assert node.name.endswith((".py", ".pdf")) and node.mime_type == "text/html"
            else:
                assert node.name.endswith(".txt") and node.mime_type == "text/plain", node.name
        assert len(shown) + len(await tree.children(folder)) == 1 + 1 + len(files) + 2 + 1
