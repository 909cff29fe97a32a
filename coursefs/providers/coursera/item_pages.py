"""The files of items with texts, rendered under limits of time and memory: a bad text costs its own page alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from coursefs.model import Course, File, Item
from coursefs.pages.worker import TextWorker, Unrenderable
from coursefs.providers.coursera import item_files, text_files
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Reference


class ItemPages:
    """`item_files` and `text_files`, called by a `TextWorker`.

    A link page replaces a text that cannot be rendered.  Every method raises `CoursefsError` when this machine cannot
    render now.
    """

    def __init__(self, worker: TextWorker | None = None) -> None:
        self._worker = worker or TextWorker()

    async def asset_ids(self, parts: Sequence[CourseAsset]) -> tuple[str, ...]:
        """The ids of the assets in attachments, or in the parts of a reading and their images."""
        texts = text_files.texts_of(parts)
        try:
            return await self._worker.call(partial(item_files.asset_ids, parts), texts=texts, about="")
        except Unrenderable:
            return item_files.asset_ids(text_files.without_texts(parts))

    async def instruction_asset_ids(self, told: Instructions) -> tuple[str, ...]:
        """The ids of the assets in instructions."""
        work = partial(text_files.instruction_asset_ids, told)
        try:
            return await self._worker.call(work, texts=_texts(told), about="")
        except Unrenderable:
            return ()

    async def lecture(
        self,
        course: Course,
        item: Item,
        *,
        video: LectureVideo,
        parts: Sequence[CourseAsset],
        assets: Mapping[str, Asset],
        choice: Choice,
    ) -> list[File]:
        """`item_files.lecture_files`; the assets of a note that cannot be rendered are left out."""
        work = partial(item_files.lecture_files, course, item, video=video, assets=assets, choice=choice)
        try:
            texts = text_files.texts_of(parts)
            return await self._worker.call(partial(work, parts=parts), texts=texts, about=item.title)
        except Unrenderable:
            return work(parts=text_files.without_texts(parts))

    async def reading(
        self, course: Course, item: Item, parts: Sequence[CourseAsset], assets: Mapping[str, Asset]
    ) -> list[File]:
        """`text_files.reading_files`."""
        work = partial(text_files.reading_files, course, item, parts, assets)
        try:
            return await self._worker.call(work, texts=text_files.texts_of(parts), about=item.title)
        except Unrenderable as error:
            return work(error)

    async def instructions(
        self, course: Course, item: Item, told: Instructions, assets: Mapping[str, Asset]
    ) -> list[File]:
        """`text_files.instruction_files`."""
        work = partial(text_files.instruction_files, course, item, told, assets)
        try:
            return await self._worker.call(work, texts=_texts(told), about=item.title)
        except Unrenderable as error:
            return [text_files.refused_instructions(course, item, error)]

    async def references(
        self, course: Course, item: Item, references: Sequence[Reference], assets: Mapping[str, Asset]
    ) -> list[File]:
        """`text_files.reference_files`, one entry at a time."""
        files: dict[str, File] = {}
        for one in references:
            work = partial(text_files.reference_files, course, item, [one], assets)
            about = f"{item.title}, {one.name}"
            try:
                found = await self._worker.call(work, texts=text_files.texts_of(one.parts), about=about)
            except Unrenderable as error:
                found = work(error)
            files |= {file.key: file for file in found}
        return list(files.values())


def _texts(told: Instructions) -> list[str]:
    return [text for passage in told for text in (passage.title, passage.cml)]
