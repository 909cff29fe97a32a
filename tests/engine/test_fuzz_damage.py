"""Whatever is wrong with the catalogue or the cache's record: it opens, and nothing but our own errors comes of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from coursefs.catalog.difference import Changes
from coursefs.catalog.node import ROOT, Node, Place
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError
from coursefs.model import Course, Kind, Version
from tests.engine.content_bench import MIB, bench, noise
from tests.engine.damage import copied, damage

PLACE = Place("coursera", "c1")
BODY = noise(3 * MIB + 5)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of 300 pages of 700 bytes."""
    folder = tmp_path_factory.mktemp("catalogue")
    store = Store(folder / "catalogue.sqlite")
    store.enrolments.set_courses("coursera", [Course("c1", "course", "A course")])
    nodes = [
        Node(
            n, 300, f"Page {n}.html", f"Page {n}.html", PLACE, f"item/{n}", Kind.READING, 7, size=700, page=b"<p>" * 233
        )
        for n in range(301, 601)
    ]
    store.write(Changes(added=tuple(nodes)))
    store.set_version(301, Version(1000, '"e"', 42), 42)
    store.close()
    return folder


@pytest.mark.logs
@pytest.mark.parametrize("seed", range(40))
def test_a_catalogue_with_any_damage_opens_and_raises_nothing_else(catalogue: Path, tmp_path: Path, seed: int) -> None:
    path = copied(catalogue, tmp_path / "copy") / "catalogue.sqlite"
    how = damage(path, random.Random(seed))
    store = Store(path)
    try:
        for read in (
            lambda: store.node(ROOT),
            lambda: store.children(300),
            lambda: [store.page(inode) for inode in range(301, 601)],
            lambda: [store.node(inode) for inode in range(301, 601)],
            lambda: store.find(PLACE, "item/305"),
            lambda: store.enrolments.courses("coursera"),
            store.totals,
        ):
            try:
                read()
            except CoursefsError:
                continue
            except Exception as error:
                pytest.fail(f"after {how}: {error!r}")
    finally:
        store.close()
    store = Store(path)  # and it can be used again
    assert store.node(ROOT) is not None
    store.close()


@pytest.mark.logs
@pytest.mark.parametrize("seed", range(20))
async def test_a_record_with_any_damage_opens_and_every_byte_is_right(tmp_path: Path, seed: int) -> None:
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
        damage(b.directory / "v1/record.sqlite", random.Random(seed))
        for _ in range(2):
            async with b.contents() as contents:
                assert await b.read_all(contents) == BODY


@pytest.mark.logs
@pytest.mark.parametrize("seed", range(20))
async def test_data_with_any_damage_between_two_mounts_is_fetched_again(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    async with bench(tmp_path, BODY) as b:
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
        (data,) = (path for path in b.directory.glob("v1/??/*") if path.is_file())
        damage(data, source)
        async with b.contents() as contents:
            assert await b.read_all(contents) == BODY
