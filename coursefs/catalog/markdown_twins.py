"""Markdown twins: a note beside each reading, made from its page whenever its item is refreshed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from coursefs.catalog.file_nodes import MarkdownTwin
from coursefs.catalog.node import Node, Place, Space, StoredItem
from coursefs.catalog.store import Store
from coursefs.errors import CoursefsError
from coursefs.formats.notes import NoteFacts, reading_notes
from coursefs.model import Course, File, Kind, Page, ProvisionalFiles
from coursefs.pages.worker import TextWorker, Unrenderable, WorkerLimits

log = logging.getLogger(__name__)

#: a note takes ten times as long as a page: what is larger is made by a process of its own
LIMITS = WorkerLimits(small_text=8_000, small_tags=60, cpu=15, wall=60.0)
_NUMBER = re.compile(r"^\d+[ _]")


class MarkdownTwins:
    """Makes the twins. A reading that cannot become Markdown has none; its page is there all the same."""

    def __init__(self, store: Store, worker: TextWorker | None = None) -> None:
        self._store = store
        self._worker = worker or TextWorker(LIMITS)

    async def added(
        self,
        course: Course,
        directory: Node,
        stored_items: Sequence[StoredItem],
        replies: Mapping[str, Sequence[File] | CoursefsError],
    ) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The replies for items of a directory, with a twin of each reading.

        Where a note cannot be made now, because this machine is busy, the one that is there stays.
        """
        module = self._module(directory)
        wanted = [
            (file, NoteFacts(stored.item.title, course.title, module, file.url, stored.item.duration))
            for stored in stored_items
            for file in _readings(replies.get(stored.item.key))
        ]
        if not wanted:
            return replies
        texts = await self._notes([(_html(file), facts) for file, facts in wanted])
        place = Place(directory.place.account, stored_items[0].place.course)
        twins: dict[str, MarkdownTwin] = {}
        for (file, _), note in zip(wanted, texts, strict=True):
            text = self._known(place, file) if isinstance(note, CoursefsError) else note
            if text is not None:
                twins[file.key] = _twin(file, text)
        return {key: _with_twins(reply, twins) for key, reply in replies.items()}

    async def _notes(self, texts: Sequence[tuple[str, NoteFacts]]) -> Sequence[str | CoursefsError | None]:
        """A note of each text; None: it can never become one; an error: not now."""
        try:
            call = partial(reading_notes, tuple(texts))
            return await self._worker.call(call, texts=[html for html, _ in texts], about="")
        except Unrenderable as error:
            if len(texts) > 1:  # one of them costs none of the others
                return [note for one in texts for note in await self._notes([one])]
            log.info("%s: there is no Markdown of it: %s", texts[0][1].lecture, error)
            return [None]
        except CoursefsError as error:
            log.info("no Markdown was made: %s", error)
            return [error] * len(texts)

    def _known(self, place: Place, file: File) -> str | None:
        """The twin of a reading that is there already; None if there is none."""
        node = self._store.find(place, file.key, Space.MARKDOWN)
        page = None if node is None or node.is_gone else self._store.page(node.inode)
        return None if page is None else page.decode()

    def _module(self, directory: Node) -> str:
        """The title of the module that a directory is in; "" for the directory of the course."""
        below: Node | None = None
        above: Node | None = directory
        while above is not None and above.kind is not Kind.COURSE:
            below, above = above, self._store.node(above.parent) if above.parent != above.inode else None
        return "" if below is None else _NUMBER.sub("", below.wanted)


def _readings(reply: Sequence[File] | CoursefsError | None) -> Iterable[File]:
    """The readings among the files of an item."""
    files = () if reply is None or isinstance(reply, CoursefsError) else reply
    return [
        one for one in files if one.kind is Kind.READING and one.extension == ".html" and isinstance(one.body, Page)
    ]


def _html(file: File) -> str:
    return file.body.html if isinstance(file.body, Page) else ""


def _twin(file: File, text: str) -> MarkdownTwin:
    return MarkdownTwin(
        key=file.key,
        kind=Kind.READING,
        placement=file.placement,
        title=file.title,
        extension=".md",
        mime_type="text/markdown",
        body=Page(text),
        url=file.url,
        modified_ns=file.modified_ns,
    )


def _with_twins(
    reply: Sequence[File] | CoursefsError, twins: Mapping[str, MarkdownTwin]
) -> Sequence[File] | CoursefsError:
    if isinstance(reply, CoursefsError):
        return reply
    files = (*reply, *(twins[file.key] for file in reply if file.key in twins))
    return ProvisionalFiles(files) if isinstance(reply, ProvisionalFiles) else files
