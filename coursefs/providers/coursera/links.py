"""Link pages: what stands in the tree for steps, attachments and parts that have no bytes of their own (pure)."""

from __future__ import annotations

from coursefs.model import Course, File, Item, Placement
from coursefs.providers.coursera import item_types
from coursefs.providers.link_files import page_file, web_host


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
    own = title if title.casefold() != item.title.casefold() else "link"  # a name does not say the same twice
    return page_file(
        course,
        item,
        name,
        marker=own or host or "link",
        what="link",
        reason=f"This lies on another site: {host}." if host else "The address of this link cannot be opened.",
        url=url if host else item.url,
        title=title or item.title,
        placement=placement,
    )
