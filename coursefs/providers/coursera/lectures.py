"""An interface to lectures for scripts: their ids, video URLs, and downloads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from coursefs.errors import Gone, NotAllowed
from coursefs.providers.coursera.choice import rendition
from coursefs.providers.coursera.download import CHUNK, Callback, download, plain_name
from coursefs.providers.coursera.item_types import LECTURE
from coursefs.providers.coursera.materials import MaterialItem, Materials
from coursefs.providers.coursera.outline import lesson_item_ids
from coursefs.providers.coursera.replies import LectureVideo
from coursefs.providers.coursera.routes import absolute
from coursefs.transport import Transport

AskMaterials = Callable[[str], Awaitable[Materials | None]]
AskVideo = Callable[[str, str], Awaitable[LectureVideo]]
AskName = Callable[[str], Awaitable[str]]


class Lectures:
    """`CourseraClient.lectures`.  Courses are given by slug.  Raises the client's errors."""

    def __init__(
        self, transport: Transport, base_url: str, *, materials: AskMaterials, video: AskVideo, name: AskName
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._materials = materials
        self._video = video
        self._name = name

    async def ids(self, slug: str) -> list[str]:
        """The ids of all unlocked lectures of a course, in its order."""
        tree = await self._tree(slug)
        items = (tree.items.get(one) for one in _in_order(tree))
        return [item.id for item in items if item is not None and item.type_name == LECTURE and not item.locked]

    async def video_url(self, slug: str, lecture_id: str, *, lines: int | None = None) -> str:
        """The signed URL of a lecture's video with at most so many lines, or the best; it expires within two days.

        Raises `NotAllowed` for a locked lecture, without a request for it, and `Gone` when it has no video.
        """
        tree = await self._tree(slug)
        url, _ = await self._chosen(tree.course_id, _lecture(tree, lecture_id), lines)
        return url

    async def download(
        self,
        slug: str,
        lecture_id: str,
        *,
        directory: Path | str | None = None,
        lines: int | None = None,
        chunk_size: int = CHUNK,
        callback: Callback | None = None,
    ) -> Path:
        """Download a lecture's video into a directory, by default one with the course's name; returns its path.

        After each saved chunk of `chunk_size` bytes, `callback(chunk, bytes so far, bytes in total, name)` is called;
        it should return quickly.  The file gets its name when it is complete.
        """
        tree = await self._tree(slug)
        item = _lecture(tree, lecture_id)
        first, container = await self._chosen(tree.course_id, item, lines)
        urls = [first]

        async def find_url(refused: bool) -> str:
            if refused:
                urls[0], _ = await self._chosen(tree.course_id, item, lines)
            return urls[0]

        folder = Path(plain_name(await self._name(slug), slug) if directory is None else directory)
        target = folder / f"{plain_name(item.slug or item.name, 'lecture')}.{container}"
        return await download(self._transport, find_url, target, chunk_size=chunk_size, callback=callback)

    async def _tree(self, slug: str) -> Materials:
        tree = await self._materials(slug)
        assert tree is not None  # without a tag there is no 304
        return tree

    async def _chosen(self, course_id: str, item: MaterialItem, lines: int | None) -> tuple[str, str]:
        """The URL and container of the wanted rendition."""
        video = await self._video(course_id, item.id)
        found = rendition(video.renditions, lines)
        if found is None:
            raise Gone(f"{item.name or item.id}: the platform has no video file of it")
        resolution, container = found
        return absolute(video.renditions[resolution].url(container), self._base_url), container


def _lecture(tree: Materials, lecture_id: str) -> MaterialItem:
    item = tree.items.get(lecture_id)
    if item is None or item.type_name != LECTURE:
        raise Gone(f"{lecture_id}: there is no lecture of this id in the course")
    if item.locked:
        raise NotAllowed(f"{item.name or item.id}: the lecture is locked")
    return item


def _in_order(tree: Materials) -> list[str]:
    """The ids of all items: by module, lesson and position, then those of no lesson."""
    found = [
        item_id
        for module_id in tree.module_ids
        for lesson_id in (tree.modules[module_id].lesson_ids if module_id in tree.modules else ())
        if lesson_id in tree.lessons
        for item_id in lesson_item_ids(tree.lessons[lesson_id], tree.groups)
    ]
    return list(dict.fromkeys((*found, *tree.items)))
