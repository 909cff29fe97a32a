"""`download` with other subtitles and videos than the settings want: the mount's tree stays as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from coursefs.daemon.commands import transfers
from coursefs.errors import CoursefsError, UsageError
from coursefs.library import ROOT, Library, forget_account, open_library
from coursefs.model import Course, File, Item, Outline, Remote, Wanted
from coursefs.settings.config import Cache
from coursefs.transport import Transport
from tests.engine.fakes import FakeProvider, lecture, section
from tests.engine.fakes import video as video_of
from tests.engine.shelf import Shelf, counts, run, shelf
from tests.engine.test_download import files

__all__ = ["shelf"]

FILM = "Graphics/01 Start/01 Hello.mp4"
HELLO = lecture("a", "Hello", 1)


@dataclass
class Lines(FakeProvider):
    """A provider whose videos have as many bytes as lines, and one more course."""

    wanted: Wanted = field(default_factory=Wanted)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        await self._asked("files " + " ".join(item.key for item in items))
        lines = self.wanted.video or 1080
        return {item.key: [replace(video_of(item), body=Remote(f"{item.key}/{lines}", {}))] for item in items}


@asynccontextmanager
async def opened(shelf: Shelf) -> AsyncIterator[Library]:
    courses = [Course("c1", "graphics", "Graphics"), Course("c2", "ears", "Ears")]
    for lines in (360, 720, 1080):
        shelf.cdn.bodies[f"item/a/{lines}"] = bytes(lines)
        shelf.provider.urls[f"item/a/{lines}"] = f"https://cdn.example/item/a/{lines}"
    outlines = {"c1": Outline((section("m", "Start", 1, HELLO),)), "c2": Outline(())}

    def make(account: Any, _: Transport) -> Lines:
        provider = Lines(courses, outlines, urls=shelf.provider.urls, wanted=account.wanted)
        provider.calls = shelf.provider.calls
        return provider

    async with open_library(shelf.settings, Transport(http_transport=shelf.cdn), providers={"x": make}) as library:
        yield library


async def download(library: Library, to: Path, **options: object) -> dict[str, Any]:
    return await run(library, "download", to=str(to), umask=0, **options)


async def test_copies_have_the_wanted_video_and_the_tree_keeps_its_own(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(shelf) as library:
        await library.courses.choose(["ears"], shown=False)
        assert counts(await download(library, tmp_path / "all")) == (1, 0, 0, 0)
        (course,) = await library.files.children(ROOT)
        before = library.files.stored().known(course)
        assert counts(await download(library, tmp_path / "small", video="360p")) == (1, 0, 0, 0)
        assert library.files.stored().known(course) == before
        assert {path: len(data) for path, data in files(tmp_path / "all").items()} == {FILM: 1080}
        assert {path: len(data) for path, data in files(tmp_path / "small").items()} == {FILM: 360}
        assert not (tmp_path / "small" / "Ears").exists(), "the course selection holds"
    shelf.provider.calls.clear()
    shelf.cdn.asked.clear()
    async with opened(shelf) as library:
        assert counts(await download(library, tmp_path / "small", video="360p")) == (0, 1, 0, 0)
        assert (shelf.provider.calls, shelf.cdn.asked) == ([], []), "what is known of it is kept"
        assert counts(await download(library, tmp_path / "same", video="highest")) == (1, 0, 0, 0)
    assert len(files(tmp_path / "same")[FILM]) == 1080


async def test_a_plan_has_the_sizes_of_the_wanted_video(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(shelf) as library:
        wanted = {"targets": [], "dry_run": True, "video": "720p", "subtitles": ["de"], "to": str(tmp_path / "x")}
        async with aclosing(transfers(library)["download"](wanted)) as replies:
            planned = [one async for reply in replies for one in reply["planned"]]
        assert planned == [[FILM, 720]]


async def test_the_same_variant_twice_at_once_is_refused_and_wrong_words_too(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(shelf) as library:
        async with library.variant(Wanted(video=360)) as other:
            assert other is not library
            with pytest.raises(CoursefsError, match="with the same --subtitles and --video runs"):
                await download(library, tmp_path / "x", video="360p")
            assert counts(await download(library, tmp_path / "y", video="720p")) == (1, 0, 0, 0)
        with pytest.raises(UsageError, match="expected"):
            await download(library, tmp_path / "z", video="big")
        with pytest.raises(UsageError, match="no course is called nothing"):
            await run(library, "download", "nothing", to=str(tmp_path / "z"), umask=0, video="360p")
        async with library.variant(library.wanted) as own:
            assert own is library


async def test_logging_out_forgets_the_variants_as_well(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(shelf) as library:
        await download(library, tmp_path / "x", video="360p")
    folder = shelf.settings.catalogue.parent / "variants"
    assert list(folder.glob("*.sqlite"))
    import trio

    await trio.to_thread.run_sync(
        forget_account, "x", shelf.settings.catalogue, Cache(min_free=0), shelf.settings.cache
    )
    assert not folder.exists()
