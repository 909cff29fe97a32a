"""Link pages: what stands in the tree for steps, attachments and parts that have no bytes of their own (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import link_page
from coursefs.providers.coursera import item_types


def item_link(course: Course, item: Item) -> File:
    """The page of an item that is not shown as files: locked, of a kind that lives on its web page only, or unknown."""
    word = item_types.word(item.type_name)
    if item.locked is not None:
        return page_file(course, item, "link", marker="locked", what=word, reason=f"Locked: {item.locked}.")
    if not item.type_name:
        reason = "The platform does not say what this is; it may not be open to you yet."
    else:
        reason = "This step has no file: it lives on its web page."
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def external_link(course: Course, item: Item, name: str, *, title: str, url: str, placement: Placement) -> File:
    """The page of a link to elsewhere: such hosts get no request and no cookie from coursefs.

    `name` is the last part of the file's key, `title` what the link is called; what is no web address leads to the
    item's page.
    """
    host = web_host(url)
    return page_file(
        course,
        item,
        name,
        marker=title or host or "link",
        what="link",
        reason=f"This lies on another site: {host}." if host else "The address of this link cannot be opened.",
        url=url if host else item.url,
        title=title or item.title,
        placement=placement,
    )


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
