"""The tabs of a course: textbooks, and pages by its team (pure).

`course_metadata` lists the tabs of a course with their addresses: `/courses/ID/pdfbook/N/` is a textbook whose chapters
are PDFs among the course's assets, `/courses/ID/SLUG/` a page of HTML.  Other tabs (progress, dates, teams, the wiki,
textbooks of images or of HTML) belong to the site and are not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urljoin

from coursefs.model import Course, File, Item
from coursefs.pages.cleaning import plain
from coursefs.providers.kit.files import page_file
from coursefs.providers.openedx.assets import Assets, page
from coursefs.providers.openedx.markup import link_to, parsed
from coursefs.providers.openedx.replies import Tab
from coursefs.providers.openedx.session import is_own
from coursefs.providers.openedx.unit_page import fragments

TAB = "tab"
TEXTBOOK = "textbook"


def tab_items(some: Sequence[Tab], base_url: str) -> tuple[Item, ...]:
    """The items for the tabs of a course, without those that lead to another server."""
    return tuple(
        Item(
            f"item/tab/{tab.key}",
            tab.title,
            tab.key.replace("/", "-"),
            None,
            TEXTBOOK if tab.key.startswith("pdfbook/") else TAB,
            url=urljoin(f"{base_url}/", tab.url),
            details={"url": urljoin(f"{base_url}/", tab.url)},
        )
        for tab in some
        if is_own(base_url, urljoin(f"{base_url}/", tab.url))
    )


def tab_files(course: Course, item: Item, html: str, base_url: str) -> list[File]:
    """The files of a tab, from its page: the chapters of a textbook, or the team's page."""
    assets = Assets(course, item, base_url, raw=False)
    if item.type_name == TEXTBOOK:
        body = _chapters(html, assets)
    else:
        body = "\n".join(one for one in fragments(html, assets.links).values() if one)
    if not body:
        reason = "This page has no text and no file; its content is on the web only."
        return [page_file(course, item, "link", marker="page", what=item.type_name, reason=reason)]
    return [page(course, item, body), *assets.files()]


def _chapters(html: str, assets: Assets) -> str:
    """Links to the chapters of a textbook; each chapter is an asset."""
    tree = parsed(html)
    shown = []
    for anchor in () if tree is None else tree.xpath("//a[contains(concat(' ', @class, ' '), ' chapter ')][@rel]"):
        target = assets.links.beside(anchor.get("rel"))
        name = " ".join(plain(anchor.text_content()).split()) or "Chapter"
        if target is not None:
            shown.append(f"<li>{link_to(target, name)}</li>")
    return f"<ul>{''.join(shown)}</ul>" if shown else ""
