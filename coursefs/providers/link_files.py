"""Link pages as files: what stands in the tree for something that has no bytes of its own (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import link_page


def page_file(
    course: Course,
    item: Item,
    name: str,
    *,
    marker: str,
    what: str,
    reason: str,
    url: str | None = None,
    title: str | None = None,
    placement: Placement = Placement.MARKED,
) -> File:
    """A link page as a file of its item; without `url` and `title` it is about the item itself."""
    page = link_page(
        title=title or item.title,
        what=what.capitalize(),
        reason=reason,
        url=url or item.url,
        course=course.title,
    )
    return File(
        key=f"{item.key}/{name}",
        kind=Kind.LINK,
        placement=placement,
        title=marker,
        extension=".html",
        mime_type="text/html",
        body=Page(page),
        url=url or item.url,
    )


def web_host(url: str) -> str:
    """The host of a link that may be put into a page; "" for what is no http(s) address, such as `javascript:`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
