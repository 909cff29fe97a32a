"""The pages of a course, rendered under limits of time and memory: a bad text costs its own page alone.

They are the pages of units, the handouts, the updates, and the pages of tabs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Wanted
from coursefs.pages.cleaning import plain
from coursefs.pages.worker import TextWorker, Unrenderable
from coursefs.providers.kit.files import page_file
from coursefs.providers.openedx.assets import Assets, page
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.replies import Block, Update
from coursefs.providers.openedx.tabs import tab_files
from coursefs.providers.openedx.unit_files import unit_files


def handout_files(course: Course, item: Item, html: str, base_url: str) -> list[File]:
    """The page with a course's handouts, and the assets that it links to; [] when it is empty."""
    assets = Assets(course, item, base_url, raw=True)
    body = clean_html(html, assets.links)
    return [page(course, item, body), *assets.files()] if body else []


def update_files(course: Course, item: Item, updates: Sequence[Update], base_url: str) -> list[File]:
    """The page with all updates, the newest first; [] when there is none."""
    assets = Assets(course, item, base_url, raw=True)
    pieces: list[str] = []
    for update in updates:
        body = clean_html(update.html, assets.links)
        if body:
            date = " ".join(plain(update.date).split())
            between = "<hr>" if pieces else ""
            pieces.append((f"<h2>{escape(date, quote=False)}</h2>" if date else between) + body)
    return [page(course, item, "\n".join(pieces)), *assets.files()] if pieces else []


class TextPages:
    """`unit_files` and `course_pages`, called by a `TextWorker`.

    A link page replaces a text that cannot be rendered.  Every method raises `CoursefsError` when this machine cannot
    render now.
    """

    def __init__(self, base_url: str, wanted: Wanted, worker: TextWorker | None = None) -> None:
        self._base_url = base_url
        self._wanted = wanted
        self._worker = worker or TextWorker()

    async def unit(
        self, course: Course, item: Item, parts: Sequence[Block], html: str | CoursefsError
    ) -> Sequence[File]:
        """The files of a unit (`unit_files`)."""
        work = partial(unit_files, course, item, base_url=self._base_url, wanted=self._wanted)
        texts = [part.html for part in parts]
        if isinstance(html, str):
            texts.append(html)
        try:
            return await self._worker.call(partial(work, parts, html=html), texts=texts, about=item.title)
        except Unrenderable as error:
            return work([replace(part, html="") for part in parts], html=error)

    async def handouts(self, course: Course, item: Item, html: str) -> Sequence[File]:
        """The page with a course's handouts (`handout_files`)."""
        work = partial(handout_files, course, item, html, self._base_url)
        try:
            return await self._worker.call(work, texts=[html], about=item.title)
        except Unrenderable as error:
            return [_link(course, item, error)]

    async def tab(self, course: Course, item: Item, html: str) -> Sequence[File]:
        """The files of a tab: a textbook, or a page by the course's team (`tab_files`)."""
        work = partial(tab_files, course, item, html, self._base_url)
        try:
            return await self._worker.call(work, texts=[html], about=item.title)
        except Unrenderable as error:
            return [_link(course, item, error)]

    async def updates(self, course: Course, item: Item, updates: Sequence[Update]) -> Sequence[File]:
        """The page with all updates (`update_files`)."""
        work = partial(update_files, course, item, updates, self._base_url)
        try:
            texts = [text for one in updates for text in (one.date, one.html)]
            return await self._worker.call(work, texts=texts, about=item.title)
        except Unrenderable as error:
            return [_link(course, item, error)]


def _link(course: Course, item: Item, error: CoursefsError) -> File:
    reason = f"This page can be read on the web only: {error}."
    return page_file(course, item, "link", marker="page", what="page", reason=reason)
