"""The search index: what is in it, how it follows the catalogue and the cache, and what is found."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.base.supervisor import BackOff
from coursefs.catalog.node import ROOT
from coursefs.content.identity import Key
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import IndexMissing, Library, Node, forget_account, forget_index, search_texts
from coursefs.library.search_indexing import SearchIndexing
from coursefs.model import Course, File, Item, Kind, Outline, Page, Placement, Remote
from coursefs.search import index_path, query
from coursefs.settings.config import Cache
from tests.engine.fakes import lecture, reading, section, video
from tests.engine.shelf import Shelf, shelf

EARS, EYES, READ, BARE = (
    lecture("a", "Ears", 1),
    lecture("b", "Augen", 2),
    lecture("r", "Reading", 3),
    lecture("n", "Nose", 4),
)
__all__ = ["shelf"]

SRT = "1\n00:00:02,000 --> 00:00:05,000\n{}\n\n2\n00:01:10,500 --> 00:01:15,000\nSomething else.\n"


def caption(item: Item, language: str, extension: str = ".srt") -> File:
    """A caption, or a transcript, of a lecture."""
    kind = Kind.TRANSCRIPT if extension == ".txt" else Kind.SUBTITLE
    key = f"{item.key}/{language}{extension}"
    return File(key, kind, Placement.MAIN, "", f".{language}{extension}", "text/plain", Remote(key, {"key": key}))


@pytest.fixture
def texts(shelf: Shelf) -> Shelf:
    """A course with captions in two languages, a transcript beside one of them, and a reading."""
    shelf.provider.listed = [Course("c1", "graphics", "Hören und Sehen")]
    shelf.provider.outlines = {"c1": Outline((section("m", "Start", 1, EARS, EYES, READ, BARE),))}
    page = '<p>The <b>basilar</b> membrane.</p><p>Schall wird zu <a href="x">Nerven</a>signalen.</p>'
    files: dict[str, list[File] | CoursefsError] = {
        EARS.key: [video(EARS), caption(EARS, "en"), caption(EARS, "en", ".txt"), caption(EARS, "de")],
        EYES.key: [video(EYES), caption(EYES, "zh")],
        READ.key: list(reading(READ, page)),
        BARE.key: [video(BARE)],
    }
    shelf.provider.contents = files
    for key, text in {
        "item/a/en.srt": SRT.format("The cochlea has a <i>basilar</i> membrane."),
        "item/a/en.txt": "The cochlea has a basilar membrane. Something else.",
        "item/a/de.srt": SRT.format("Die Hörschnecke hat eine Membran."),
        "item/b/zh.srt": SRT.format("机器学习很有趣。"),
    }.items():
        serve(shelf, key, text.encode())
    for item in (EARS, EYES, BARE):
        serve(shelf, f"{item.key}/video", b"x" * 100)
    return shelf


def serve(shelf: Shelf, key: str, body: bytes) -> None:
    """Have the media host serve these bytes."""
    shelf.cdn.bodies[key] = body
    shelf.provider.urls[key] = f"https://cdn.example/{key}"


async def walk(library: Library, inode: int = ROOT) -> list[Node]:
    """All files of a library."""
    found = []
    for node in await library.files.children(inode):
        found += await walk(library, node.inode) if node.is_directory else [node]
    return found


async def fetched(library: Library, *names: str) -> None:
    """List everything, and have the files whose names end so in the cache."""
    for node in await walk(library):
        if node.name.endswith(names):
            await library.cache.prefetch(await library.files.exact(node), lambda _: None)


def found(shelf: Shelf, text: str, **more: object) -> list[tuple[str, float | None, str]]:
    """What a search finds: lecture, time and text."""
    hits = search_texts(shelf.settings.catalogue, text, [one.name for one in shelf.settings.accounts], **more)  # type: ignore[arg-type]
    return [(one.lecture, one.at, one.text) for one in hits]


async def test_only_what_is_known_and_cached_is_found_and_nothing_is_asked(texts: Shelf) -> None:
    async with texts.opened() as library:
        await walk(library)
        texts.provider.calls.clear()
        texts.cdn.asked.clear()
        await library.cache.make_searchable()
        assert found(texts, "cochlea") == []
        assert found(texts, "nose") == [("01 Start/04 Nose", None, "Nose")]
        assert found(texts, "basilar") == [("01 Start/03 Reading", None, "The basilar membrane.")]
        assert found(texts, "hören") == [("", None, "Hören und Sehen")]
        assert (texts.provider.calls, texts.cdn.asked) == ([], [])
        await fetched(library, ".srt", ".txt")
        await library.cache.make_searchable()
        assert found(texts, "COCHLEA") == [("01 Start/01 Ears", 2.0, "The cochlea has a basilar membrane.")]
        assert {lecture for lecture, _, _ in found(texts, "basilar")} == {"01 Start/01 Ears", "01 Start/03 Reading"}
        assert found(texts, "horschnecke membran") == [("01 Start/01 Ears", 2.0, "Die Hörschnecke hat eine Membran.")]
        assert found(texts, "学习") == [("01 Start/02 Augen", 2.0, "机器学习很有趣。")]
        assert found(texts, "nervensignal") == [("01 Start/03 Reading", None, "Schall wird zu Nervensignalen.")]
        assert found(texts, "something cochlea") == [
            ("01 Start/01 Ears", 2.0, "The cochlea has a basilar membrane."),
            ("01 Start/01 Ears", 70.5, "Something else."),
        ]
        assert found(texts, "basilar", limit=1) == found(texts, "basilar")[:1]
        assert found(texts, "basilar", course="Another") == []
        (hit,) = search_texts(texts.settings.catalogue, "cochlea", ["x"])
        assert (hit.path, hit.media) == (
            "Hören und Sehen/01 Start/01 Ears.en.srt",
            "Hören und Sehen/01 Start/01 Ears.mp4",
        )
    with pytest.raises(UsageError, match="at least one letter"):
        search_texts(texts.settings.catalogue, "- .", ["x"])
    assert search_texts(texts.settings.catalogue, "cochlea", ["another"]) == []


@pytest.mark.parametrize(
    "typed", ["parallax?", "parallax.", "(parallax)", "short-term", "wor*", 'hello"', '"term effect" "hello world"']
)
async def test_a_search_with_punctuation_gives_the_sentence_and_its_time(texts: Shelf, typed: str) -> None:
    said = "Hello, world: …parallax, the short term effect"
    serve(texts, "item/a/en.srt", f"1\n00:01:01,000 --> 00:01:05,000\n{said}\n".encode())
    async with texts.opened() as library:
        await fetched(library, ".en.srt")
        await library.cache.make_searchable()
    assert found(texts, typed) == [("01 Start/01 Ears", 61.0, said)]


async def test_it_follows_names_contents_and_what_goes(texts: Shelf) -> None:
    async with texts.opened() as library:
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        texts.provider.outlines["c1"] = Outline(
            (section("m", "Anfang", 1, replace(EARS, title="Ohren"), replace(EYES, position=3)),)
        )
        texts.provider.contents[EARS.key] = [video(EARS), caption(EARS, "en")]
        async for _ in library.courses.update([]):
            pass
        await library.cache.make_searchable()
        assert found(texts, "cochlea") == [("01 Anfang/01 Ohren", 2.0, "The cochlea has a basilar membrane.")]
        assert found(texts, "horschnecke") == []
        assert found(texts, "nose") == []
        assert found(texts, "ohren")[0] == ("01 Anfang/01 Ohren", None, "Ohren")
        assert found(texts, "ears") == []


async def test_clearing_the_cache_and_signing_out_leave_no_text_on_the_disk(texts: Shelf) -> None:
    path = index_path(texts.settings.catalogue)
    async with texts.opened() as library:
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        assert b"cochlea" in path.read_bytes(), "words are in it as they are"
        assert path.stat().st_mode & 0o777 == 0o600
        await library.cache.clear()
        assert not path.exists()
        await library.cache.make_searchable()
        assert b"cochlea" not in path.read_bytes()
        assert found(texts, "cochlea") == []
        assert found(texts, "nose")
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        assert found(texts, "cochlea")
    account = texts.settings.accounts[0].name
    await trio.to_thread.run_sync(
        lambda: forget_account(account, texts.settings.catalogue, Cache(), texts.settings.cache)
    )
    assert not path.exists()
    forget_index(texts.settings.catalogue)


async def test_what_was_evicted_leaves_with_the_next_round(texts: Shelf) -> None:
    async with texts.opened() as library:
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        assert found(texts, "cochlea")
        await library._contents.clear()  # as an eviction: without the index
        await library.cache.make_searchable()
        assert found(texts, "cochlea") == []
        assert b"cochlea" not in index_path(texts.settings.catalogue).read_bytes()


@pytest.mark.parametrize("damage", ["none", "random", "cut", "other", "rows", "shadow"])
async def test_an_index_that_is_missing_or_damaged_is_built_again(texts: Shelf, damage: str) -> None:
    path = index_path(texts.settings.catalogue)
    async with texts.opened() as library:
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        before = found(texts, "membran")
        data = path.read_bytes()
        if damage == "none":
            path.unlink()
        elif damage == "random":
            path.write_bytes(b"\xa5" * len(data))
        elif damage == "cut":
            path.write_bytes(data[: len(data) // 3])
        else:
            with closing(sqlite3.connect(path)) as index, index:
                index.execute(
                    {
                        "other": "PRAGMA user_version = 99",
                        "rows": "UPDATE document SET sentences = x'00' WHERE sentences IS NOT NULL",
                        "shadow": "UPDATE word_data SET block = x'ff' WHERE id > 10",
                    }[damage]
                )
        with pytest.raises(IndexMissing):
            found(texts, "membran")
        await library.cache.make_searchable(again=True)
        assert found(texts, "membran") == before != []


async def test_a_text_that_cannot_be_read_costs_its_own_hits_alone(texts: Shelf) -> None:
    serve(texts, "item/a/en.srt", b"\xff\xfe\x00\xd8" * 1000)
    serve(texts, "item/a/de.srt", b"1\n00:00:01,000 --> \n" * 1000)
    texts.provider.contents[READ.key] = list(reading(READ, "<p>" * 20_000 + "deep"))
    async with texts.opened() as library:
        await fetched(library, ".srt")
        await library.cache.make_searchable()
        assert found(texts, "学习")
        assert ("01 Start/01 Ears", None, "Ears") in found(texts, "ears")


async def test_rounds_are_one_at_a_time_and_a_cancelled_one_keeps_what_it_has(texts: Shelf) -> None:
    async with texts.opened() as library:
        await fetched(library, ".srt")
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(library.cache.make_searchable)
        assert library.cache.searchable.is_complete
        with trio.move_on_after(0):
            await library.cache.make_searchable(again=True)
        async with trio.open_nursery() as nursery:  # a deletion ends the round that runs
            nursery.start_soon(library.cache.make_searchable)
            await trio.testing.wait_all_tasks_blocked()
            await library.cache.clear()
        await library.cache.make_searchable()
        assert found(texts, "cochlea") == []
        assert found(texts, "nose")


async def test_a_page_is_not_searched_for_the_words_of_a_notice(texts: Shelf) -> None:
    texts.provider.contents[BARE.key] = [
        File("n/page", Kind.LINK, Placement.MARKED, "quiz", ".html", "text/html", Page("<p>This is on the web</p>"))
    ]
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
        assert found(texts, "web") == []
        assert found(texts, "nose")


class NothingCached:
    """A cache without anything."""

    def complete(self, most: int) -> Iterator[tuple[Key, int]]:
        return iter(())

    def content_changes(self) -> object:
        return None

    async def whole(self, key: Key) -> bytes | None:
        raise AssertionError


async def at_once(seconds: float) -> None:
    """There is never a foreground request."""
    await trio.lowlevel.checkpoint()


def indexing_of(shelf: Shelf) -> SearchIndexing:
    """The indexing of a catalogue that nothing has open."""
    return SearchIndexing(shelf.settings.catalogue, lambda: ["x"], NothingCached(), lambda: 0, at_once)


async def test_no_step_is_taken_while_a_program_waits(texts: Shelf) -> None:
    async with texts.opened() as library:
        await fetched(library, ".srt")
    waiting, go = trio.Event(), trio.Event()

    async def idle(seconds: float) -> None:
        waiting.set()
        await go.wait()

    def documents() -> int:
        with closing(sqlite3.connect(index_path(texts.settings.catalogue))) as index:
            return int(index.execute("SELECT count(*) FROM document").fetchone()[0])

    indexing = SearchIndexing(texts.settings.catalogue, lambda: ["x"], NothingCached(), lambda: 0, idle)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: indexing.update(is_background=True))
        await waiting.wait()
        assert documents() == 0
        go.set()
    assert documents() == 6
    assert indexing.progress.is_complete


async def test_bytes_that_are_not_utf8_are_no_damage(texts: Shelf) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    assert found(texts, "no\udce9") == [], "no word of one or two characters is the beginning of another"
    assert found(texts, "nose\udcff") == found(texts, "nose") != []
    with pytest.raises(UsageError, match="at least one letter"):
        found(texts, "\udce9")


async def test_a_search_sees_one_state_of_the_index_while_it_is_written(
    texts: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    before, documents = found(texts, "nose"), query._documents

    def removed(*arguments: Any) -> list[int]:
        numbers = documents(*arguments)
        index = sqlite3.connect(index_path(texts.settings.catalogue), timeout=0)
        with closing(index), suppress(sqlite3.OperationalError), index:  # the builder would wait
            index.execute("DELETE FROM document")
        return numbers

    monkeypatch.setattr(query, "_documents", removed)
    assert found(texts, "nose") == before != []


async def test_an_index_that_is_being_written_is_not_missing(texts: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    monkeypatch.setattr("coursefs.search.index._LOCK_TIMEOUT", 0.0)
    with closing(sqlite3.connect(index_path(texts.settings.catalogue))) as index:
        index.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CoursefsError, match="locked"):
            found(texts, "nose")


@pytest.mark.parametrize("sentences", ["1", "[1]", "[[1, 2]]", '[["x", "text"]]', '[[1, "text", 2]]', "{}", "[["])
async def test_sentences_that_are_none_are_damage(texts: Shelf, sentences: str) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    with closing(sqlite3.connect(index_path(texts.settings.catalogue))) as index, index:
        index.execute("UPDATE document SET sentences = ?", (zlib.compress(sentences.encode()),))
    with pytest.raises(IndexMissing):
        found(texts, "nose")


@pytest.mark.parametrize("damage", ["bytes", "table"])
async def test_a_damaged_catalogue_costs_no_index(texts: Shelf, damage: str) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    before, path = found(texts, "nose"), texts.settings.catalogue
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:100] + b"\xa5" * 100_000)
    else:
        with closing(sqlite3.connect(path)) as catalogue, catalogue:
            catalogue.execute("DROP TABLE step")
    with pytest.raises(CoursefsError, match=r"cannot be built: (file is not|database disk|no such table)"):
        await indexing_of(texts).update(is_background=False)
    assert found(texts, "nose") == before != []


@pytest.mark.parametrize("damage", ["UPDATE document SET sentences = x'00', version = ''", "DROP TABLE word"])
async def test_damage_that_shows_when_the_index_is_written_has_it_built_again(texts: Shelf, damage: str) -> None:
    async with texts.opened() as library:
        await walk(library)
        await library.cache.make_searchable()
    before = found(texts, "nose")
    with closing(sqlite3.connect(index_path(texts.settings.catalogue))) as index, index:
        index.execute("UPDATE document SET version = ''")
        index.execute(damage)
    await indexing_of(texts).update(is_background=False)
    assert found(texts, "nose") == before != []


#: a child that says this and ends
SAYING = "import sys; sys.stdout.write({!r}); sys.stdout.flush()"


@pytest.mark.parametrize(
    "said",
    [
        "",
        '{"done": 0, "o',
        "MemoryError\n",
        "[]\n",
        "null\n",
        "{}\n",
        '{"done": 1}\n',
        '{"done": 0, "of": "x"}\n',
        '{"want": [1], "done": 0, "of": 1}\n',
        '{"want": [["a", 2]], "done": 0, "of": 1}\n',
        '{"error": "disk full"}\n',
        "[" * 100_000 + "\n",
    ],
)
async def test_a_child_that_dies_is_an_error_and_the_next_round_is_none_the_worse(
    texts: Shelf, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with texts.opened() as library:
        await walk(library)
    indexing = indexing_of(texts)
    open_process = trio.lowlevel.open_process

    async def dying(command: list[str], **options: Any) -> trio.Process:
        return await open_process([command[0], "-c", SAYING.format(said)], **options)

    with monkeypatch.context() as patch:
        patch.setattr("trio.lowlevel.open_process", dying)
        with pytest.raises(CoursefsError, match="the search index cannot be built"):
            await indexing.update(is_background=False)
    await indexing.update(is_background=False)
    assert found(texts, "nose")


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), OSError(12, "Cannot allocate memory")])
async def test_a_child_that_cannot_be_started_is_an_error(
    texts: Shelf, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> trio.Process:
        raise error

    monkeypatch.setattr("trio.lowlevel.open_process", refused)
    with pytest.raises(CoursefsError, match=r"the search index cannot be built: [Cc]an"):
        await indexing_of(texts).update(is_background=False)


@pytest.mark.logs
async def test_the_upkeep_of_the_index_goes_on_after_an_error(texts: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, again = 0, trio.Event()

    async def run(_: SearchIndexing) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ValueError
        again.set()

    monkeypatch.setattr(SearchIndexing, "run", run)
    monkeypatch.setattr("coursefs.base.supervisor.BackOff", lambda: BackOff(0.0))
    async with texts.opened() as library:
        library.cache.keep_searchable()
        with trio.fail_after(5):
            await again.wait()
