"""Rendering of CML, Coursera's markup for readings and instructions, as the HTML of a page.

The vocabulary was taken from recorded replies: `text`, `heading`, `list`, `code`, `table`, `img`, `asset` and a few
inline marks.  The platform's own rendering of a text (`renderableHtml`) is HTML; its elements are known too, and go
through the same code.  Of an unknown element the text is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from coursefs.pages.cleaning import plain, safe
from coursefs.providers.coursera.markup import AssetRef, Element, asset_ref, parse
from coursefs.providers.coursera.rendering import Renderer

__all__ = ["AssetRef", "assets", "render", "sanitised", "says_something"]

_HEADINGS = {"heading", *(f"h{level}" for level in range(1, 7))}
_WRAPPERS = {"co-content", "html", "body", "main", "article", "section", "div"}


def assets(value: str) -> tuple[AssetRef, ...]:
    """The assets of `<img assetId>` and `<asset id>`, in document order, each id once.  Accepts any string."""
    found: dict[str, AssetRef] = {}
    for element in parse(value).walk():
        reference = asset_ref(element)
        if reference is not None:
            found.setdefault(reference.id, reference)
    return tuple(found.values())


def render(value: str, links: Mapping[str, str], *, title: str = "", page_url: str | None = None) -> str:
    """The body of a page: clean HTML of a CML text, for `coursefs.pages.document`.  Accepts any string.

    `links`: the URL of each asset by its id, as `coursefs.pages.beside_url` gives it.  An asset without one becomes a
    note with its name.  `title`: the title of the page; a first heading that repeats it is removed.  `page_url`: the
    web page of the text, to which its links such as `/learn/…` are relative.
    Headings are one level lower than the platform's, because the page's title is the top heading.
    """
    tree = parse(value)
    _drop_title(tree, _words(title))
    body = Renderer(links, page_url=page_url).flow(tree.children)
    return safe(f'<div class="cml">{body}</div>', beside=frozenset(links.values()))


def sanitised(html: str, *, title: str = "", page_url: str | None = None) -> str:
    """The body of a page from the platform's own rendering (`renderableHtml`), for a text without CML.

    Its images have signed remote URLs, which expire; so each becomes a note of what it shows.
    """
    return render(html, {}, title=title, page_url=page_url)


def says_something(value: str) -> bool:
    """Whether a CML text has any word, image or file; some of the platform's texts are `<text/><text/>`."""
    return _shows_something(parse(value))


def _drop_title(element: Element, title: str) -> bool:
    """Remove the first heading if it repeats the title.  Returns whether the search for it may go on."""
    for place, child in enumerate(element.children):
        if isinstance(child, Element) and child.tag in _HEADINGS:
            if title and _words(child.text()) == title and not _shows_a_file(child):
                del element.children[place]
            return False
        if isinstance(child, Element) and child.tag in _WRAPPERS:
            if not _drop_title(child, title):
                return False
        elif _shows_something(child):
            return False
    return True


def _shows_something(node: Element | str) -> bool:
    if isinstance(node, str):
        return bool(node.strip())
    return bool(node.text().strip()) or _shows_a_file(node)


def _shows_a_file(element: Element) -> bool:
    return any(asset_ref(one) or one.tag == "img" for one in element.walk())


def _words(text: str) -> str:
    return " ".join(plain(text).split()).rstrip(" :.").casefold()
