"""The tree while platforms, settings or clocks are wrong."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import Layout, Store, Tree, TreeAccount
from coursefs.catalog.node import ROOT
from coursefs.errors import BadReply, CoursefsError, NotAllowed, Unreachable
from coursefs.model import Course, File, Item, Outline, Section
from tests.engine.fakes import FakeProvider, lecture, section, video
from tests.engine.test_tree import AGAIN, COURSE, HELLO, NOW, listing, opened, provider_of, walk

LESSON = ("Graphics", "01 Start")


async def test_an_item_that_fails_twice_keeps_what_it_showed(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider, ages=NOW) as tree:
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]
        provider.contents["item/a"] = NotAllowed("not now")
        for _ in range(3):
            await listing(tree, *LESSON)
            await trio.testing.wait_all_tasks_blocked()
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]


async def test_a_new_item_that_cannot_be_asked_for_does_not_take_its_siblings_away(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]
        provider.outlines["c1"] = provider_of(HELLO, AGAIN).outlines["c1"]
        account = TreeAccount("coursera", provider)
        await tree.refresher.outline(account, await walk(tree, "Graphics"))  # what happens every six hours
        provider.failure = Unreachable("offline")
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]


async def test_a_lesson_without_files_is_listed_while_the_platform_is_away(tmp_path: Path) -> None:
    """Every item of the lesson was asked for, and none has a file: it is known to be empty, and served so at once.

    Were it taken for a lesson that was never asked for, `ls` would wait for the platform, and fail while it is away.
    """
    provider = provider_of(HELLO)
    provider.contents["item/a"] = []
    async with opened(tmp_path, provider, ages=NOW) as tree:
        assert await listing(tree, *LESSON) == []
        await trio.testing.wait_all_tasks_blocked()
        provider.failure = Unreachable("no network")
        assert await listing(tree, *LESSON) == []
        await trio.testing.wait_all_tasks_blocked()
    assert provider.calls.count("files item/a") > 1, "it is asked again in the background"


async def test_what_lies_beside_the_modules_does_not_keep_them_back(tmp_path: Path) -> None:
    class Refusing(FakeProvider):
        async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            await FakeProvider.files(self, course, items)
            raise Unreachable("no network")

    provider = Refusing(listed=[COURSE])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO),), (lecture("r", "Resources", None),))
    async with opened(tmp_path, provider) as tree:
        for _ in range(3):
            assert await listing(tree, "Graphics") == ["01 Start"]
    assert provider.calls.count("files item/r") == 1, "and is not asked for at every look"


async def test_what_lies_beside_the_modules_belongs_to_the_first_listing(tmp_path: Path) -> None:
    provider = FakeProvider(listed=[replace(COURSE, enrolled_ns=7)])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO),), (lecture("r", "Resources", None),))
    async with opened(tmp_path, provider) as tree:
        assert (await walk(tree, "Graphics")).mtime_ns == 7
        assert await listing(tree, "Graphics") == ["01 Start", "Resources.mp4"]
        assert (await walk(tree, "Graphics")).mtime_ns == 7, "it was never listed before"
        provider.contents["item/r"] = []
        directory = await walk(tree, "Graphics")
        stored_items = tree.store.items.in_directory(directory.inode)
        await tree.refresher.files(TreeAccount("coursera", provider), directory, stored_items[0].place, stored_items)
        assert await listing(tree, "Graphics") == ["01 Start"]
        assert (await walk(tree, "Graphics")).mtime_ns > 7


async def test_an_item_that_moves_while_it_is_asked_for_shows_in_its_new_place(tmp_path: Path) -> None:
    class Slow(FakeProvider):
        slow: trio.Event | None = None

        async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            if self.slow is not None:
                await self.slow.wait()
            return await FakeProvider.files(self, course, items)

    provider = Slow(listed=[COURSE])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO), section("n", "Next", 2)))
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        provider.slow = trio.Event()
        nursery.start_soon(listing, tree, *LESSON)
        await trio.testing.wait_all_tasks_blocked()
        provider.outlines["c1"] = Outline((section("m", "Start", 1), section("n", "Next", 2, HELLO)))
        await tree.refresher.outline(TreeAccount("coursera", provider), await walk(tree, "Graphics"))
        provider.slow.set()
        await trio.testing.wait_all_tasks_blocked()
        assert await listing(tree, "Graphics", "02 Next") == ["01 Hello.mp4"]


async def test_an_item_that_is_unlocked_while_it_is_asked_for_is_asked_for_again(tmp_path: Path) -> None:
    class Slow(FakeProvider):
        slow: trio.Event | None = None

        async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
            if self.slow is not None:
                await self.slow.wait()
            self.calls.append("files " + " ".join(f"{item.key} {item.locked}" for item in items))
            return {item.key: [video(item)] for item in items}

    locked = replace(HELLO, locked="pay first")
    provider = Slow(listed=[COURSE])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, locked),))
    async with opened(tmp_path, provider) as tree, trio.open_nursery() as nursery:
        provider.slow = trio.Event()
        nursery.start_soon(listing, tree, *LESSON)
        await trio.testing.wait_all_tasks_blocked()
        provider.outlines["c1"] = Outline((section("m", "Start", 1, HELLO),))
        await tree.refresher.outline(TreeAccount("coursera", provider), await walk(tree, "Graphics"))
        provider.slow.set()
        await trio.testing.wait_all_tasks_blocked()
        await listing(tree, *LESSON)
        await trio.testing.wait_all_tasks_blocked()
        assert "files item/a None" in provider.calls


async def test_taking_the_folder_out_of_the_settings_does_not_empty_the_root(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider, folder="edX") as tree:
        assert await listing(tree, "edX") == ["Graphics"]
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree) == ["Graphics"]


async def test_putting_a_folder_into_the_settings_moves_the_courses(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree) == ["Graphics"]
    async with opened(tmp_path, provider, folder="edX") as tree:
        assert await listing(tree) == ["edX"]
        assert await listing(tree, "edX") == ["Graphics"]


async def test_another_layout_in_the_settings_shows_after_a_remount(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        await listing(tree, *LESSON)
        tree.store.set_fingerprint("coursera", "title", None)
    async with opened(tmp_path, provider, layout=Layout.SLUG) as tree:
        tree.store.set_fingerprint("coursera", "slug", None)
        assert await listing(tree) == ["graphics"]
        assert await listing(tree, "graphics") == ["01_start"]
        assert await listing(tree, "graphics", "01_start") == ["01_hello.mp4"]


async def test_another_layout_offline_leaves_what_is_known(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        await listing(tree, *LESSON)
        tree.store.set_fingerprint("coursera", "title", None)
        tree.store.set_fingerprint("coursera", "slug", None)
        provider.failure = Unreachable("offline")
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]


async def test_an_account_under_another_name_gets_plain_names_and_the_first_has_its_own_again(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    for name in ("coursera", "mine", "coursera"):
        async with opened(tmp_path, provider, name=name) as tree:
            assert await listing(tree) == ["Graphics"]


async def test_another_user_of_an_account_does_not_see_the_first_ones_courses(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        tree.store.set_fingerprint("coursera", "title", "1")
        await listing(tree)
        tree.store.set_fingerprint("coursera", "title", None)  # the user is unknown: nothing is deleted
        assert tree.store.enrolments.courses("coursera")
        tree.store.set_fingerprint("coursera", "title", "2")
        assert tree.store.enrolments.courses("coursera") == [] and tree.store.children(ROOT) == ()


async def test_what_was_listed_while_the_clock_was_wrong_is_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(HELLO)
    right = time.time_ns
    async with opened(tmp_path, provider) as tree:
        monkeypatch.setattr(time, "time_ns", lambda: right() + 10 * 365 * 86400 * 10**9)
        await listing(tree)
        monkeypatch.setattr(time, "time_ns", right)
        provider.calls.clear()
        await listing(tree)
        await trio.testing.wait_all_tasks_blocked()
        assert provider.calls == ["courses"]


async def test_a_twin_that_goes_and_comes_back_has_its_old_name(tmp_path: Path) -> None:
    provider = provider_of(HELLO)
    twins = [COURSE, Course("c2", "graphics-2", "Graphics")]
    provider.listed = twins
    account = TreeAccount("coursera", provider)
    async with opened(tmp_path, provider) as tree:
        before = await listing(tree)
        provider.listed = twins[:1]
        await tree.update_courses(account.name)
        provider.listed = twins
        await tree.update_courses(account.name)
        assert await listing(tree) == before


async def test_an_item_that_goes_and_comes_back_has_its_old_name(tmp_path: Path) -> None:
    twin = lecture("t", "Hello", 1)
    both, one = provider_of(HELLO, twin).outlines["c1"], provider_of(twin).outlines["c1"]
    provider = provider_of(HELLO, twin)
    async with opened(tmp_path, provider) as tree:
        before = await tree.children(await walk(tree, *LESSON))
        assert [node.name for node in before] == ["01 Hello (a).mp4", "01 Hello (t).mp4"]
        for outline in (one, both):
            provider.outlines["c1"] = outline
            await tree.update_course(await walk(tree, "Graphics"))
            await listing(tree, *LESSON)
        after = await tree.children(await walk(tree, *LESSON))
        assert [(node.name, node.inode, node.mtime_ns) for node in after] == [
            (node.name, node.inode, node.mtime_ns) for node in before
        ]


async def test_a_new_section_that_wants_the_name_of_a_file(tmp_path: Path) -> None:
    loose = replace(lecture("x", "Notes", None))
    provider = FakeProvider(listed=[COURSE])
    provider.outlines["c1"] = Outline((), (loose,))
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, "Graphics") == ["Notes.mp4"]
        named = replace(section("m", "Notes.mp4", 1), position=None)
        provider.outlines["c1"] = Outline((named,), (loose,))
        await tree.refresher.outline(TreeAccount("coursera", provider), await walk(tree, "Graphics"))
        assert len(await listing(tree, "Graphics")) == 2


async def test_what_went_wrong_is_remembered_without_the_reply(tmp_path: Path) -> None:
    """Of each course that could not be listed: else a platform fills the memory with replies that are of no use."""

    class Reply:
        pass

    kept: list[weakref.ref[Reply]] = []

    class Wrong(FakeProvider):
        async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
            reply = Reply()
            kept.append(weakref.ref(reply))
            raise BadReply("not understood")

    async with opened(tmp_path, Wrong(listed=[COURSE])) as tree:
        directory = await walk(tree, "Graphics")
        gc.disable()
        try:
            with pytest.raises(BadReply):
                await tree.refresher.outline(tree.accounts[0], directory)
            assert tree.refresher.trouble("coursera") is not None
            assert len(kept) == 1
            assert kept[0]() is None
        finally:
            gc.enable()


@pytest.mark.parametrize("title", ["e" + "\u0301" * 200, "\u0301" * 300, "\u200d" * 200])
async def test_a_name_is_never_empty(tmp_path: Path, title: str) -> None:
    provider = FakeProvider(listed=[replace(COURSE, title=title, slug="")])
    async with opened(tmp_path, provider) as tree:
        (name,) = await listing(tree)
        assert name and name.strip() and not name.startswith(".")


@pytest.mark.parametrize("sections", [(section("m", "Start", 1),), (section("m", "Start", 1), section("n", "Next", 2))])
async def test_an_outline_without_any_item_does_not_delete_a_tree(tmp_path: Path, sections: Sequence[Section]) -> None:
    provider = provider_of(HELLO)
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]
        provider.outlines["c1"] = Outline(tuple(sections))
        with pytest.raises(BadReply):
            await tree.update_course(await walk(tree, "Graphics"))
        assert await listing(tree, "Graphics") == ["01 Start"]
        assert await listing(tree, *LESSON) == ["01 Hello.mp4"]
        assert "lists nothing" in str(tree.refresher.trouble("coursera"))


async def test_a_course_that_has_no_items_yet_has_its_sections(tmp_path: Path) -> None:
    provider = provider_of()
    async with opened(tmp_path, provider) as tree:
        assert await listing(tree, "Graphics") == ["01 Start"]
        provider.outlines["c1"] = Outline((section("m", "Start", 1), section("n", "Next", 2)))
        await tree.update_course(await walk(tree, "Graphics"))
        assert await listing(tree, "Graphics") == ["01 Start", "02 Next"]


async def test_lone_surrogates_in_ids_do_not_hide_the_other_courses(tmp_path: Path) -> None:
    provider = FakeProvider(listed=[COURSE, Course("\ud800", "x", "X")])
    async with opened(tmp_path, provider) as tree:
        assert "Graphics" in await listing(tree)


@pytest.mark.logs
async def test_an_unexpected_error_of_a_background_refresh_is_logged_and_not_repeated_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(FakeProvider):
        odd = False

        async def courses(self) -> Sequence[Course]:
            found = await FakeProvider.courses(self)
            if self.odd:
                raise KeyError("elements")
            return found

    provider = Odd(listed=[COURSE])
    async with opened(tmp_path, provider, ages=replace(NOW, failed=60)) as tree:
        await listing(tree)
        provider.odd = True
        provider.calls.clear()
        for _ in range(5):
            await listing(tree)
            await trio.testing.wait_all_tasks_blocked()
        assert provider.calls == ["courses"], "asked again and again"
        assert caplog.records, "it is not logged"


async def test_an_account_that_hangs_does_not_keep_the_others_from_being_listed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    good, hanging = provider_of(HELLO), FakeProvider(gate=trio.Event())
    store = Store(tmp_path / "catalogue.sqlite")
    async with trio.open_nursery() as nursery:
        tree = Tree(store, [TreeAccount("good", good), TreeAccount("hanging", hanging)], nursery)
        await tree.update_courses("good")
        shown: list[str] = []
        for _ in range(2):  # the second time at the latest it is known that the other one does not answer
            with trio.move_on_after(62):
                shown = [node.name for node in await tree.children(tree.node(ROOT))]
        nursery.cancel_scope.cancel()
    store.close()
    assert shown == ["Graphics"]
