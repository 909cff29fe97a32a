"""CML, the platform's markup for readings and instructions, as the HTML of a page.

The vocabulary was taken from recorded replies: `text`, `heading`, `list`, `code`, `table`, `img`, `asset` and a few
inline marks.  The platform's own rendering of the same (`renderableHtml`) is HTML, so its words for these things are
understood as well and both go the same way.  Of an element that is not known the text is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from coursefs.pages.cleaning import safe
from coursefs.providers.coursera.markup import parse
from coursefs.providers.coursera.references import AssetRef, asset_ref
from coursefs.providers.coursera.rendering import Renderer

__all__ = ["AssetRef", "assets", "render", "sanitised"]


def assets(value: str) -> tuple[AssetRef, ...]:
    """What `<img assetId>` and `<asset id>` refer to, in document order, each id once.  Takes any string."""
    found: dict[str, AssetRef] = {}
    for element in parse(value).walk():
        reference = asset_ref(element)
        if reference is not None:
            found.setdefault(reference.id, reference)
    return tuple(found.values())


def render(value: str, links: Mapping[str, str]) -> str:
    """The body of a page: clean HTML of a CML text, for `coursefs.pages.document`.  Takes any string.

    `links`: the URL of each asset by its id, as `coursefs.pages.beside_url` gives it.  An asset without one becomes a
    note that names it.  Headings are one level lower than the platform's, for the page has its title at the top.
    """
    body = Renderer(links).flow(parse(value).children)
    return safe(f'<div class="cml">{body}</div>', beside=frozenset(links.values()))


def sanitised(html: str) -> str:
    """The same of the platform's own rendering (`renderableHtml`), for where there is no CML.

    Its images are remote and their URLs signed, so they become notes of what they show.
    """
    return render(html, {})
