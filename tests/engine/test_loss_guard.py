"""The loss guard: known content stays while a reply that removes it is doubted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from coursefs.catalog import Tree, TreeAccount
from coursefs.catalog.loss_guard import kinds_lost, outline_loss
from coursefs.catalog.node import ROOT, Node, Place, StoredItem
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.library.accounts import updated
from coursefs.model import Course, File, Identity, Item, Kind, Outline, Page, Placement
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.test_tree import COURSE, listing, opened, walk

NOTES = [lecture(key, f"Note {key}", number) for number, key in enumerate("abcdef", 1)]
EARS = Course("c2", "ears", "Ears")
DAY_NS = 24 * 3600 * 10**9


def locked_page(item: Item) -> list[File]:
    """What a provider makes of a text that the platform does not show."""
    body = Page("<p>not open to you")
    return [File(f"{item.key}/page", Kind.LINK, Placement.MARKED, "locked", ".html", "text/html", body)]


@dataclass
class Campus(FakeProvider):
    """A platform whose session may end by itself, after so many answers, and may lock texts on its own."""

    answers_left: int | None = None  # until the session is dead; None: it lives
    api_lives: bool = False  # the API goes on when the session of the pages is dead
    user: str = "1"
    locked_texts: set[str] = field(default_factory=set)

    async def whoami(self) -> Identity:
        await self._asked("whoami")
        if self.answers_left == 0 and not self.api_lives:
            raise NotSignedIn("coursera: the session has ended")
        return Identity(self.user)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        await self._asked("files " + " ".join(item.key for item in items))
        return {item.key: self._text(item) for item in items}

    def _text(self, item: Item) -> Sequence[File] | CoursefsError:
        if self.answers_left == 0 or item.key in self.locked_texts:
            return locked_page(item)
        if self.answers_left is not None:
            self.answers_left -= 1
        return self.contents.get(item.key, reading(item, f"<p>{item.title}"))


def campus() -> Campus:
    """Two courses, one of them with six texts in two modules."""
    provider = Campus(listed=[COURSE, EARS])
    provider.outlines["c1"] = Outline((section("m", "Start", 1, *NOTES[:3]), section("n", "End", 2, *NOTES[3:])))
    provider.outlines["c2"] = Outline((section("m", "Start", 1, lecture("z", "Hear", 1)),))
    return provider


async def looked_at(tree: Tree) -> dict[str, bytes]:
    """Every file that the tree shows, with its page: what a backup made now would hold."""
    found: dict[str, bytes] = {}

    async def look(node: Node, path: str) -> None:
        for child in await tree.children(node):
            if child.is_directory:
                await look(child, f"{path}/{child.name}")
            else:
                found[f"{path}/{child.name}"] = tree.store.page(child.inode) or b""

    await look(tree.node(ROOT), "")
    return found


async def update(tree: Tree) -> CoursefsError | None:
    """Refresh everything, as `coursefs update` does; what it ends with."""
    try:
        async for _ in updated(tree, ["coursera"], lambda: tree.store.children(ROOT)):
            pass
    except CoursefsError as error:
        return error
    return None


async def test_a_session_that_dies_in_the_middle_of_an_update_loses_nothing(tmp_path: Path) -> None:
    for answers in range(7):
        provider = campus()
        async with opened(tmp_path / str(answers), provider) as tree:
            before = await looked_at(tree)
            assert len(before) == 7
            provider.answers_left = answers
            assert isinstance(await update(tree), NotSignedIn)
            assert isinstance(tree.refresher.trouble("coursera"), NotSignedIn)
            assert await looked_at(tree) == before


async def test_pages_whose_own_session_is_dead_lose_nothing_although_the_api_knows_the_user(tmp_path: Path) -> None:
    for answers in range(7):
        provider = campus()
        provider.api_lives = True
        async with opened(tmp_path / str(answers), provider) as tree:
            before = await looked_at(tree)
            provider.answers_left = answers
            error = await update(tree)
            assert isinstance(error, BadReply)
            assert "no longer shows the content of" in str(error)
            assert "the old files are kept" in str(tree.refresher.trouble("coursera"))
            assert await looked_at(tree) == before
            provider.answers_left = None
            assert await update(tree) is None, "the refresh is repeated, and all is well"
            assert tree.refresher.trouble("coursera") is None


async def test_files_of_an_account_that_is_taken_out_while_a_loss_is_checked_are_not_used(tmp_path: Path) -> None:
    @dataclass
    class Slow(Campus):
        asked: trio.Event = field(default_factory=trio.Event)
        go_on: trio.Event = field(default_factory=trio.Event)

        async def whoami(self) -> Identity:
            self.asked.set()
            await self.go_on.wait()
            return await Campus.whoami(self)

    usual = campus()
    provider = Slow(listed=usual.listed, outlines=usual.outlines)
    async with opened(tmp_path, provider) as tree:
        await looked_at(tree)
        provider.locked_texts = {NOTES[0].key}
        directory = await walk(tree, "Graphics", "01 Start")
        before = tree.store.items.in_directory(directory.inode)

        async def ask() -> None:
            with pytest.raises(Gone, match="no longer in the settings"):
                await tree.refresher.files(TreeAccount("coursera", provider), directory, before[0].place, before)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await provider.asked.wait()
            tree.refresher.hide(["coursera"])
            provider.go_on.set()
        assert tree.store.items.in_directory(directory.inode) == before


async def test_a_text_that_is_really_locked_is_followed_within_one_refresh(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        await looked_at(tree)
        provider.locked_texts = {NOTES[0].key}
        provider.calls.clear()
        assert await update(tree) is None
        assert await listing(tree, "Graphics", "01 Start") == [
            "01 Note a (locked).html",
            "02 Note b.html",
            "03 Note c.html",
        ]
        assert provider.calls.count("whoami") == 1
        assert provider.calls.count(f"files {NOTES[1].key}") == 1, "another text was asked for afterwards"


async def test_a_module_that_is_really_locked_is_followed_because_another_is_not(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        await looked_at(tree)
        provider.locked_texts = {item.key for item in NOTES[:3]}
        assert await update(tree) is None
        assert all("(locked)" in name for name in await listing(tree, "Graphics", "01 Start"))
        assert not any("(locked)" in name for name in await listing(tree, "Graphics", "02 End"))


async def test_other_kinds_of_content_are_no_proof(tmp_path: Path) -> None:
    provider = campus()
    for item in NOTES:
        provider.contents[item.key] = [video(item), *reading(item, "<p>text")]
    async with opened(tmp_path, provider) as tree:
        before = await looked_at(tree)
        for item in NOTES:  # the films are still there, the texts are not
            provider.contents[item.key] = [video(item), *locked_page(item)]
        assert isinstance(await update(tree), BadReply)
        assert await looked_at(tree) == before


async def test_a_unit_that_is_really_removed_is_followed_within_one_refresh(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        await looked_at(tree)
        provider.outlines["c1"] = Outline((section("m", "Start", 1, *NOTES[1:3]), section("n", "End", 2, *NOTES[3:])))
        provider.calls.clear()
        assert await update(tree) is None
        assert await listing(tree, "Graphics", "01 Start") == ["02 Note b.html", "03 Note c.html"]
        assert provider.calls.count("whoami") == 1


@pytest.mark.parametrize(
    "outline",
    [
        Outline(()),
        Outline((section("m", "Start", 1), section("n", "End", 2))),
        Outline((section("m", "Start", 1, *(replace(item, locked="pay first") for item in NOTES)),)),
        Outline((section("x", "Another", 1, lecture("other", "Other", 1)),)),
    ],
    ids=["empty", "sections without items", "everything locked", "another course"],
)
async def test_an_outline_that_leaves_nothing_of_a_course_is_not_believed(tmp_path: Path, outline: Outline) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        before = await looked_at(tree)
        provider.outlines["c1"] = outline
        for _ in range(3):
            assert isinstance(await update(tree), BadReply)
            assert await looked_at(tree) == before
        assert isinstance(tree.refresher.trouble("coursera"), BadReply)


async def test_another_outline_is_believed_after_a_day_of_the_same_answer(tmp_path: Path) -> None:
    provider = campus()
    place = Place("coursera", "c1")
    async with opened(tmp_path, provider) as tree:
        await looked_at(tree)
        provider.outlines["c1"] = Outline((section("x", "Another", 1, lecture("other", "Other", 1)),))
        assert isinstance(await update(tree), BadReply)
        first_ns = tree.store.fetch_log.doubted_since(place, 2**62)
        tree.store.fetch_log.doubted_since(place, first_ns - DAY_NS)  # as if it had begun a day before
        assert await update(tree) is None
        assert await listing(tree, "Graphics") == ["01 Another"]


async def test_a_dead_session_makes_no_outline_of_it(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        before = await looked_at(tree)
        provider.answers_left = 0
        provider.outlines["c1"] = Outline((section("m", "Start", 1, *NOTES[:2]),))
        assert isinstance(await update(tree), NotSignedIn)
        assert await looked_at(tree) == before


async def test_a_list_of_other_courses_is_not_believed(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        before = await looked_at(tree)
        provider.listed = [Course("c9", "noses", "Noses")]
        assert isinstance(await update(tree), BadReply)
        assert await looked_at(tree) == before
        provider.listed = [EARS]
        assert await update(tree) is None
        assert await listing(tree) == ["Ears"]


async def test_another_users_sign_in_takes_nothing_away(tmp_path: Path) -> None:
    provider = campus()
    async with opened(tmp_path, provider) as tree:
        tree.store.set_fingerprint("coursera", "title", "1")
        before = await looked_at(tree)
        provider.user, provider.listed = "2", [EARS]
        error = await update(tree)
        assert isinstance(error, BadReply)
        assert "another user" in str(error)
        assert await looked_at(tree) == before


async def test_a_refusal_of_half_the_courses_loses_nothing(tmp_path: Path) -> None:
    class Refusing(Campus):
        async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
            if course.key == "c1" and self.answers_left == 0:
                raise NotAllowed("the platform refuses it")
            return await FakeProvider.outline(self, course, tag=tag)

    provider = Refusing(**vars(campus()))
    async with opened(tmp_path, provider) as tree:
        before = await looked_at(tree)
        provider.answers_left, provider.api_lives = 0, True
        assert isinstance(await update(tree), CoursefsError)
        assert await looked_at(tree) == before


def test_what_counts_as_a_loss() -> None:
    item = NOTES[0]
    both = [video(item), *reading(item, "<p>")]
    assert kinds_lost({Kind.VIDEO, Kind.READING}, both) == set()
    assert kinds_lost({Kind.VIDEO, Kind.READING}, [video(item), *locked_page(item)]) == {Kind.READING}
    assert kinds_lost({Kind.READING}, []) == {Kind.READING}
    assert kinds_lost({Kind.LINK, Kind.SUBTITLE, Kind.IMAGE}, []) == set(), "no content by themselves"


def test_what_an_outline_takes_away() -> None:
    place = Place("coursera", "c1")
    stored_items = [
        StoredItem(place, 1, one.title, one.title, one, fetched_ns=None if n else 1) for n, one in enumerate(NOTES[:3])
    ]
    both = Outline((section("m", "Start", 1, *NOTES[:3]),))
    assert outline_loss(stored_items, both).looked_at == 0
    assert outline_loss(stored_items, Outline((), tuple(NOTES[1:]))).looked_at == 1
    assert not outline_loss(stored_items, Outline((), tuple(NOTES[1:]))).is_all
    assert outline_loss(stored_items, Outline((), tuple(NOTES[:1]))).looked_at == 0, "the others were never fetched"
    assert outline_loss(stored_items, Outline((), tuple(NOTES[3:]))).is_all
