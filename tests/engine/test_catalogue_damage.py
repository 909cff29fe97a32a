"""A damaged catalogue is read as it was written, or set aside and replaced by an empty one."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from coursefs.catalog import Node, Place, Store
from coursefs.catalog.enrolments import SelectionRule
from coursefs.catalog.node import ROOT
from coursefs.errors import CatalogueDamaged, CatalogueError, CoursefsError, Unreachable
from coursefs.model import Course, Outline, Version
from tests.engine.fakes import FakeProvider, lecture, reading, section, video
from tests.engine.test_tree import NOW, listing, opened, provider_of, walk

PAGE = 4096


def large_provider() -> FakeProvider:
    provider = FakeProvider([Course(f"c{n}", f"course-{n}", f"Course {n}", f"https://x/{n}", n) for n in range(4)])
    for course in provider.listed:
        items = [lecture(f"{course.key}i{n}", f"Läcture {n}", n, url=f"https://x/{n}") for n in range(30)]
        provider.outlines[course.key] = Outline(
            tuple(section(f"{course.key}m{n}", f"Part {n}", n, *items[6 * n : 6 * n + 6]) for n in range(5)), tag="t"
        )
        for number, item in enumerate(items):
            page = reading(item, f"<p>{item.title}</p>" * (40 if number % 5 == 0 else 3))
            provider.contents[item.key] = [video(item), *page]
    return provider


async def written(folder: Path) -> bytes:
    """The bytes of a catalogue in which there is something in every table."""
    async with opened(folder, large_provider()) as tree:
        for course in await tree.children(tree.node(ROOT)):
            for part in await tree.children(course):
                for node in await tree.children(part):
                    if node.identity is not None:
                        tree.store.set_version(node.inode, Version(1000, '"e"', 5), 5)
        tree.store.enrolments.set_used(Place("coursera", "c1"), 7)
        tree.store.enrolments.set_selection_rule("coursera", SelectionRule(named={"c3": True}))
        tree.store.enrolments.add("coursera", Course("c9", "s", "t", "https://x"))
        tree.store.set_fingerprint("coursera", "shape", "1")
    return (folder / "catalogue.sqlite").read_bytes()


def damage(data: bytes, chance: random.Random) -> bytes:
    """The bytes with something wrong with them."""
    broken = bytearray(data)
    at = chance.randrange(len(broken))
    page = chance.randrange(1, len(broken) // PAGE) * PAGE
    match chance.randrange(8):
        case 0:
            broken[at] ^= 1 << chance.randrange(8)
        case 1:
            for _ in range(chance.randrange(1, 40)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
        case 2:
            broken[at : at + chance.randrange(1, 600)] = b""
        case 3:
            del broken[at:]
        case 4:
            del broken[len(broken) // PAGE * PAGE - PAGE * chance.randrange(1, 20) :]
        case 5:
            broken[page : page + PAGE] = bytes(PAGE)
        case 6:
            broken[page : page + PAGE] = chance.randbytes(PAGE)
        case 7:
            other = chance.randrange(len(broken) // PAGE) * PAGE
            broken[page : page + PAGE] = broken[other : other + PAGE]
    return bytes(broken)


def read_all(store: Store) -> None:
    """Everything that a mount reads of its store."""
    store.totals()
    store.count_sections()
    store.courses_by_use()
    seen: list[Node] = [node for node in [store.node(ROOT)] if node is not None]
    for directory in seen:
        for node in store.children(directory.inode):
            assert node.name.encode() and "/" not in node.name and isinstance(node.mtime_ns, int)
            assert store.node(node.inode) == node == store.child(directory.inode, node.name)
            store.find(node.place, node.key)
            _ = (node.remote, node.version)
            if node.is_directory:
                seen.append(node)
                store.items.in_directory(node.inode)
                store.items.fetch_times(node.inode)
            elif node.identity is None:
                page = store.page(node.inode)
                assert page is None or page.startswith((b"<p>", b"<!"))
        assert len(seen) < 1000
    for account in ("coursera", "other"):
        store.enrolments.selection_rule(account)
        store.enrolments.added(account)
        for course in store.enrolments.courses(account):
            place = Place(account, course.key)
            store.enrolments.course(place)
            store.of_place(place)
            store.fetch_log.fetched_ns(place)
            store.fetch_log.tag(place)
            store.items.of_course(place)
            store.items.of_course(place, gone=True)


def variants(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(count):
        yield damage(data, chance)


@pytest.mark.logs
@pytest.mark.parametrize("seed", range(4))
async def test_a_catalogue_that_was_damaged_before_it_is_opened_raises_nothing(tmp_path: Path, seed: int) -> None:
    data = await written(tmp_path / "sound")
    aside = 0
    for number, broken in enumerate(variants(data, seed, 60)):
        path = tmp_path / str(number) / "catalogue.sqlite"
        path.parent.mkdir()
        path.write_bytes(broken)
        store = Store(path)
        read_all(store)
        aside += store.notice is not None
        assert (store.notice is None) == (not list(path.parent.glob("*.set-aside-*")))
        store.close()
    assert 20 < aside < 60


@pytest.mark.logs
@pytest.mark.parametrize("seed", range(4))
async def test_damage_that_is_found_while_it_is_open_is_an_error_once(tmp_path: Path, seed: int) -> None:
    data = await written(tmp_path / "sound")
    found = 0
    for number, broken in enumerate(variants(data, 200 + seed, 60)):
        path = tmp_path / str(number) / "catalogue.sqlite"
        path.parent.mkdir()
        path.write_bytes(data)
        store = Store(path)
        path.write_bytes(broken)  # below the open database
        store._database._connection.execute("PRAGMA cache_size = 0")
        store._database._connection.execute("PRAGMA shrink_memory")
        for _ in range(2):
            try:
                read_all(store)
            except CatalogueDamaged:
                found += 1
                assert store.notice is not None and store.totals() == (1, 0)
            except CatalogueError as error:
                pytest.fail(str(error))
        read_all(store)
        store.close()
    assert found > 10


@pytest.mark.logs
async def test_what_was_chosen_outlives_the_catalogue_where_it_can_be_read(tmp_path: Path) -> None:
    data = await written(tmp_path / "sound")
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(data.replace(b'{"key": "item/c1i3/video"}', b'{"key": "item/c1i4/video"}'))
    store = Store(path)
    assert store.notice is not None and store.totals() == (1, 0)
    assert store.enrolments.selection_rule("coursera") == SelectionRule(named={"c3": True})
    assert [course.key for course in store.enrolments.added("coursera")] == ["c9"]
    store.close()


def corrupt(path: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    """Change a catalogue in a way that leaves the database sound."""
    with sqlite3.connect(path) as other:
        assert other.execute(statement, values).rowcount > 0
    other.close()


@pytest.mark.logs
async def test_a_damaged_page_is_never_served_and_comes_back_as_it_was(tmp_path: Path) -> None:
    item = lecture("a", "Hello", 1)
    provider = provider_of(item)
    provider.contents["item/a"] = list(reading(item, "<p>text"))
    async with opened(tmp_path, provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.html")
        page = await tree.page(before)
        corrupt(tmp_path / "catalogue.sqlite", "UPDATE node SET page = ? WHERE page IS NOT NULL", (b"<p>texT",))
        tree.store._cache.clear()
        provider.failure = Unreachable("no network")
        for _ in range(2):
            with pytest.raises(CoursefsError, match="no network"):
                await tree.page(before)
        provider.failure = None
        assert await tree.page(before) == page
        assert await walk(tree, "Graphics", "01 Start", "01 Hello.html") == before  # its date too


@pytest.mark.logs
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE node SET kind = 'cinema' WHERE kind = 'video'",
        "UPDATE node SET name = x'ff00' WHERE kind = 'video'",
        "UPDATE node SET name = '01 Jello.mp4' WHERE kind = 'video'",
        "UPDATE node SET item = 'item/b' WHERE kind = 'video'",
        "UPDATE node SET size = 'many' WHERE kind = 'video'",
        "UPDATE node SET locator = '{\"key\": \"item/other\"}' WHERE kind = 'video'",
        "UPDATE step SET details = '[1'",
        "UPDATE fetched SET at_ns = 'soon'",
        "UPDATE course SET title = x'00'",
        "DROP TABLE step",
    ],
)
async def test_a_row_that_cannot_be_read_under_a_tree_is_asked_for_again(tmp_path: Path, statement: str) -> None:
    provider = provider_of(lecture("a", "Hello", 1))
    async with opened(tmp_path, provider, ages=NOW) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        tree.store.on_reset = lambda *_: tree.reset()
        await trio.testing.wait_all_tasks_blocked()  # or what is refreshed now would mend it
        _execute(tmp_path / "catalogue.sqlite", statement)
        tree.store._cache.clear()
        tree._revalidation.forget()
        for _ in range(3):
            with suppress(CatalogueDamaged):
                await listing(tree)
                await listing(tree, "Graphics", "01 Start")
            await trio.testing.wait_all_tasks_blocked()
        assert list(tmp_path.glob("*.set-aside-*[0-9]"))
        after = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        assert (after.inode, after.name, after.remote) == (before.inode, before.name, before.remote)


async def test_checksums_of_an_older_version_are_believed(tmp_path: Path) -> None:
    provider = provider_of(lecture("a", "Hello", 1))
    async with opened(tmp_path, provider) as tree:
        before = await walk(tree, "Graphics", "01 Start", "01 Hello.mp4")
        old = zlib.crc32(f"{before.identity}\0{before.locator}".encode())
        corrupt(tmp_path / "catalogue.sqlite", "UPDATE node SET sum = ? WHERE kind = 'video'", (old,))
        tree.store._cache.clear()
        assert await walk(tree, "Graphics", "01 Start", "01 Hello.mp4") == before


def _execute(path: Path, statement: str) -> None:
    other = sqlite3.connect(path)
    other.execute(statement)
    other.commit()
    other.close()


async def test_a_directory_that_a_new_catalogue_does_not_know_is_not_listed_as_empty(tmp_path: Path) -> None:
    provider = provider_of(lecture("a", "Hello", 1))
    async with opened(tmp_path, provider) as tree:
        part = await walk(tree, "Graphics", "01 Start")
        tree.store.forget_account("coursera")
        tree._revalidation.forget()
        with pytest.raises(CoursefsError):
            await tree.children(part)
