"""Background indexing: everything in the end, the last used course first, after foreground requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import trio
import trio.testing

from coursefs.base.foreground import Foreground
from coursefs.catalog import Indexer, IndexingDelays, Node, Place, Sizes, Store, Tree, TreeAccount
from coursefs.errors import CoursefsError, NotAllowed, NotSignedIn, Unreachable
from coursefs.model import LEAVES_TRACES, Course, File, Item, Outline, Version
from tests.engine.fakes import FakeProvider, lecture, reading, section
from tests.engine.test_tree import opened, walk

PACE = IndexingDelays(first=60, pause=3, quiet=2, again=3600, failed=300)


def provider_of_two() -> FakeProvider:
    provider = FakeProvider([Course("c1", "one", "One"), Course("c2", "two", "Two")])
    for key in ("c1", "c2"):
        lessons = (section(f"{key}m", "Start", 1, lecture(f"{key}a", "A", 1), lecture(f"{key}b", "B", 2)),)
        provider.outlines[key] = Outline(lessons)
    return provider


class Filling:
    """A fill over a tree whose sizes come from nowhere."""

    def __init__(self) -> None:
        self.foreground = Foreground()
        self.measured: list[str] = []
        self.refused: set[str] = set()

    async def probe(self, node: Node, known: Version | None) -> Version:
        self.measured.append(node.key)
        if node.key in self.refused:
            raise NotAllowed("no")
        return Version(1000)


async def test_everything_is_indexed_the_last_used_course_first(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of_two(), Filling()
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        tree.store.enrolments.set_used(Place("coursera", "c2"), 5)
        provider.calls.clear()
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(59)
        assert provider.calls == []
        await trio.sleep(600)
        assert provider.calls == ["outline c2", "files item/c2a item/c2b", "outline c1", "files item/c1a item/c1b"]
        assert len(filling.measured) == 4
        assert (fill.progress.state, fill.progress.done, fill.progress.total) == ("done", 2, 2)
        assert (await walk(tree, "One", "01 Start", "01 A.mp4")).size == 1000
        await trio.sleep(7200)
        assert len(provider.calls) == 4 and len(filling.measured) == 4  # nothing that is fresh is asked for again
        nursery.cancel_scope.cancel()


async def test_it_pauses_for_each_item_and_each_size_that_it_has_asked_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Timed(FakeProvider):
        async def _asked(self, what: str) -> None:
            asked_at[what] = trio.current_time()
            await FakeProvider._asked(self, what)

    asked_at: dict[str, float] = {}
    usual, filling = provider_of_two(), Filling()
    provider = Timed(usual.listed, usual.outlines)
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(600)
        first, second = sorted(time for what, time in asked_at.items() if what.startswith("outline"))
        files = min(time for what, time in asked_at.items() if what.startswith("files"))
        assert first <= files <= first + PACE.quiet, "an outline is no item"
        assert 4 * PACE.pause <= second - files <= 4 * PACE.pause + PACE.quiet, "two films, and the sizes of both"
        nursery.cancel_scope.cancel()


async def test_a_folder_of_files_beside_a_reading_is_no_section(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of_two(), Filling()
    read = lecture("c1r", "Read", 1)
    provider.outlines["c1"] = Outline((section("c1m", "Start", 1, read),))
    provider.contents[read.key] = reading(read, "<p>Look", "ear")
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        for _ in range(2):  # the second round knows the folder
            await trio.sleep(3600)
            assert (fill.progress.state, fill.progress.done, fill.progress.total) == ("done", 2, 2)
        assert (await walk(tree, "One", "01 Start", "01 Read.files", "ear.png")).identity is not None
        nursery.cancel_scope.cancel()


async def test_what_leaves_traces_on_the_platform_is_left_until_the_course_is_opened(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of_two(), Filling()
    writing = replace(lecture("c1x", "X", 1), details={LEAVES_TRACES: "yes"})
    more = section("c1n", "Problems", 2, writing)
    provider.outlines["c1"] = Outline((*provider.outlines["c1"].sections, more))
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        provider.calls.clear()
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(600)
        assert fill.progress.state == "done"
        assert not [call for call in provider.calls if "item/c1x" in call]
        assert "files item/c1a item/c1b" in provider.calls
        tree.store.enrolments.set_used(Place("coursera", "c1"), 5)  # it was opened
        await trio.sleep(3700)
        assert "files item/c1x" in provider.calls
        nursery.cancel_scope.cancel()


async def test_its_progress_counts_all_that_is_known_so_far(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of_two(), Filling()
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await walk(tree, "One", "01 Start")
        await walk(tree, "Two", "01 Start")
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        assert fill.progress.state == "off"  # `status` shows that it is switched off
        seen: list[tuple[str, int, int]] = []
        fetch_all = tree.fetch_all

        async def indexed(directory: Node) -> None:
            seen.append((fill.progress.state, fill.progress.done, fill.progress.total))
            await fetch_all(directory)

        tree.fetch_all = indexed  # type: ignore[method-assign]  # to look at it in the middle
        nursery.start_soon(fill.run)
        await trio.testing.wait_all_tasks_blocked()
        assert fill.progress.state == "waiting"
        await trio.sleep(600)
        assert [one for one in dict.fromkeys(seen) if one[0] == "filling"] == [("filling", 0, 2), ("filling", 1, 2)]
        assert tree.store.count_sections() == 2
        provider.listed = [Course("c1", "one", "One")]
        await tree.update_courses("coursera")
        assert tree.store.count_sections() == 1  # those of a course that is gone are not counted
        nursery.cancel_scope.cancel()


async def test_it_gives_way_to_a_program_that_waits(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    provider, filling = provider_of_two(), Filling()
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        provider.calls.clear()
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        with filling.foreground.request():
            await trio.sleep(1000)
            assert provider.calls == [] and fill.progress.paused
        await trio.sleep(1.9)
        assert provider.calls == []
        await trio.sleep(0.2)
        assert provider.calls != [] and not fill.progress.paused
        nursery.cancel_scope.cancel()


async def test_one_broken_file_does_not_stop_it_and_no_network_makes_it_wait(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = provider_of_two(), Filling()
    filling.refused.add("item/c1a/video")
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        provider.failure = Unreachable("no network")
        nursery.start_soon(fill.run)
        await trio.sleep(100)
        assert fill.progress.state == "waiting"
        provider.failure = None
        await trio.sleep(600)
        assert fill.progress.state == "done"
        assert (await walk(tree, "Two", "01 Start", "01 A.mp4")).size == 1000
        nursery.cancel_scope.cancel()


async def test_a_course_that_is_refused_does_not_keep_the_others_from_being_filled(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    class Refusing(FakeProvider):
        async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            found = await FakeProvider.files(self, course, items)
            if course.key == "c1":
                raise NotAllowed("the session is over")
            return found

    filling, two = Filling(), provider_of_two()
    provider = Refusing(two.listed, two.outlines)
    provider.outlines["c1"] = Outline(tuple(section(f"s{n}", f"S{n}", n, lecture(f"{n}", "A", 1)) for n in range(1, 6)))
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        tree.store.enrolments.set_used(Place("coursera", "c1"), 5)
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(250)
        assert provider.calls.count("files item/c2a item/c2b") == 1
        assert sum(call.startswith("files item/") for call in provider.calls) == 3 + 1  # the refused one is left alone
        assert fill.progress.state == "done"
        nursery.cancel_scope.cancel()


async def test_files_whose_sizes_are_refused_do_not_keep_their_course_from_being_filled(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    provider, filling = FakeProvider([Course("c1", "one", "One")]), Filling()
    provider.outlines["c1"] = Outline(tuple(section(f"s{n}", f"S{n}", n, lecture(f"{n}", "A", 1)) for n in range(1, 6)))
    filling.refused = {f"item/{n}/video" for n in range(1, 6)}
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(250)
        assert set(filling.measured) == filling.refused and fill.progress.state == "done"
        nursery.cancel_scope.cancel()


async def test_an_account_whose_sign_in_has_ended_does_not_keep_the_others_from_being_filled(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    ended, good, filling = provider_of_two(), provider_of_two(), Filling()
    store = Store(tmp_path / "catalogue.sqlite")
    async with trio.open_nursery() as nursery:
        tree = Tree(store, [TreeAccount("ended", ended), TreeAccount("good", good)], nursery)
        for account in ("ended", "good"):
            await tree.update_courses(account)
        for key in ("c1", "c2"):
            store.enrolments.set_used(Place("ended", key), 5)
        ended.failure = NotSignedIn("ended")
        ended.calls.clear()
        fill = Indexer(tree, Sizes(store, filling.probe, nursery), store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(250)
        assert len(filling.measured) == 4 and len(ended.calls) == 1
        assert fill.progress.state == "waiting"
        ended.failure = None
        await trio.sleep(600)
        assert len(filling.measured) == 8 and fill.progress.state == "done"
        nursery.cancel_scope.cancel()
    store.close()


async def test_courses_of_an_account_that_the_settings_no_longer_have_do_not_stop_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    removed, provider, filling = provider_of_two(), provider_of_two(), Filling()
    async with opened(tmp_path, removed, name="old", folder="Old") as tree:
        await walk(tree, "Old", "One", "01 Start")
        await walk(tree, "Old", "Two", "01 Start")
        tree.store.enrolments.set_used(Place("old", "c1"), 5)
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        await tree.children(tree.node(1))
        fill = Indexer(tree, Sizes(tree.store, filling.probe, nursery), tree.store, filling.foreground.idle, PACE)
        nursery.start_soon(fill.run)
        await trio.sleep(250)
        assert (fill.progress.state, fill.progress.done, fill.progress.total) == ("done", 2, 2)
        nursery.cancel_scope.cancel()
    async with opened(tmp_path, removed, name="old", folder="Old") as tree:
        assert [node.name for node in await tree.children(await walk(tree, "Old"))] == ["One", "Two"]
