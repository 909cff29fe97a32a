"""What a course has besides its units: handouts, and what its team has announced (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from coursefs.model import Course, File, Item
from coursefs.pages.cleaning import plain
from coursefs.providers.openedx.files import Assets, page
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.replies import Update


def handout_files(course: Course, item: Item, html: str, base_url: str) -> list[File]:
    """The page with a course's handouts, and the files that it links to; [] where there is nothing in it."""
    assets = Assets(course, item, base_url, raw=True)
    body = clean_html(html, assets.links)
    return [page(course, item, body), *assets.files()] if body else []


def update_files(course: Course, item: Item, updates: Sequence[Update], base_url: str) -> list[File]:
    """The page with all announcements, the youngest first; [] where there is none."""
    assets = Assets(course, item, base_url, raw=True)
    pieces: list[str] = []
    for update in updates:
        body = clean_html(update.html, assets.links)
        if body:
            date = " ".join(plain(update.date).split())
            pieces.append((f"<h2>{escape(date, quote=False)}</h2>" if date else "<hr>") + body)
    return [page(course, item, "\n".join(pieces)), *assets.files()] if pieces else []
