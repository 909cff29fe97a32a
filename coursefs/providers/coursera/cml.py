"""CML, the platform's markup for readings and instructions, as the HTML of a page.

The vocabulary was taken from recorded replies: `text`, `heading`, `list`, `code`, `table`, `img`, `asset` and a few
inline marks.  The platform's own rendering of the same (`renderableHtml`) is HTML, so its words for these things are
understood as well and both go the same way.  Of an element that is not known the text is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from coursefs.pages.cleaning import plain, safe
from coursefs.providers.coursera.markup import Element, parse
from coursefs.providers.coursera.references import AssetRef, asset_ref
from coursefs.providers.coursera.rendering import Renderer

__all__ = ["AssetRef", "assets", "render", "sanitised", "says_something"]

_HEADINGS = {"heading", *(f"h{level}" for level in range(1, 7))}
_WRAPPERS = {"co-content", "html", "body", "main", "article", "section", "div"}


def assets(value: str) -> tuple[AssetRef, ...]:
    """What `<img assetId>` and `<asset id>` refer to, in document order, each id once.  Takes any string."""
    found: dict[str, AssetRef] = {}
    for element in parse(value).walk():
        reference = asset_ref(element)
        if reference is not None:
            found.setdefault(reference.id, reference)
    return tuple(found.values())


def render(value: str, links: Mapping[str, str], *, title: str = "", page_url: str | None = None) -> str:
    """The body of a page: clean HTML of a CML text, for `coursefs.pages.document`.  Takes any string.

    `links`: the URL of each asset by its id, as `coursefs.pages.beside_url` gives it.  An asset without one becomes a
    note that names it.  `title`: what stands at the top of the page already; a text that begins with it as a heading
    does so no more.  `page_url`: the web page of the text, where its links of the form `/learn/…` lead from.
    Headings are one level lower than the platform's, for the page has its title at the top.
    """
    tree = parse(value)
    _drop_title(tree, _words(title))
    body = Renderer(links, page_url=page_url).flow(tree.children)
    return safe(f'<div class="cml">{body}</div>', beside=frozenset(links.values()))


def sanitised(html: str, *, title: str = "", page_url: str | None = None) -> str:
    """The same of the platform's own rendering (`renderableHtml`), for where there is no CML.

    Its images are remote and their URLs signed, so they become notes of what they show.
    """
    return render(html, {}, title=title, page_url=page_url)


def says_something(value: str) -> bool:
    """Whether a CML text holds any word, picture or file: some of the platform's are `<text/><text/>`."""
    return _shows_something(parse(value))


def _drop_title(element: Element, title: str) -> bool:
    """Take out the heading that this begins with, if its words are these; whether more may be looked at."""
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
