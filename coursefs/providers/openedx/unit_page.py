"""A parser of a unit's page as the platform renders it: the HTML of each block (pure).

`div.xblock` with `data-usage-id` and `data-block-type` is a block.  A problem is a frame for a script; the content that
the script would insert is in the frame's `data-content`.

Texts are HTML by authors and may be broken.  After an unclosed `<div>` the next blocks are inside of the block; after a
surplus `</div>` the rest of a text is outside of its block.  Browsers show everything in order, so here the text of a
block is everything from its start to the start of the next block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from lxml import etree

from coursefs.pages.cleaning import plain
from coursefs.providers.openedx.assets import Links
from coursefs.providers.openedx.keys import unquoted_slashes
from coursefs.providers.openedx.markup import clean, clean_html, link_to, parsed

#: types of block that contain others and have no text of their own
CONTAINERS = frozenset(
    """course chapter sequential videosequence problemset vertical unit wrapper library_content itembank split_test
    conditional randomize""".split()
)
_BLOCK = "@data-usage-id"
_USAGE_KEY = re.compile(r"data-usage-id\s*=\s*[\"']?([^\"'\s>]{1,400})")
#: the tag in place of a block that was taken out
_PLACE = "coursefs-block"
#: most elements between a text and its block; what follows an outer element does not belong to the block
_WRAPPERS = 3


def pdf_address(html: str, usage_key: str) -> str:
    """The address of a PDF block's file, from its page; "" when there is none."""
    tree = parsed(html)
    for block in tree.xpath("//*[@data-usage-id]") if tree is not None else ():
        if unquoted_slashes(block.get("data-usage-id").strip()) == usage_key:
            found = block.xpath(".//iframe/@src | .//embed/@src | .//object/@data | .//a[@download]/@href")
            return next((url for url in map(str.strip, map(str, found)) if url), "")
    return ""


def fragments(html: str, links: Links) -> Mapping[str, str]:
    """The clean HTML of each block on a page, by usage key; for a video only links to its handouts."""
    tree = parsed(html)
    if tree is None:
        return {}
    for frame in tree.xpath("//footer | //nav"):  # of the site: an unclosed text extends to the end of the page
        _replace(frame, "span")
    found: dict[str, str] = {}
    for block in _asunder(tree):
        kind = block.get("data-block-type", "")
        if kind in CONTAINERS:
            continue
        key = unquoted_slashes(block.get("data-usage-id").strip())
        if kind in {"video", "videoalpha"}:
            found.setdefault(key, _handouts(block, links))
            continue
        frames = block.xpath(".//*[contains(concat(' ', @class, ' '), ' problems-wrapper ')][@data-content]")
        if frames:
            texts = [clean_html(frame.get("data-content"), links, problem=True) for frame in frames]
        else:
            texts = [clean(block, links, problem=kind == "problem")]
        found.setdefault(key, "\n".join(text for text in texts if text))
    return found


def usage_keys(html: str) -> frozenset[str]:
    """The usage keys of all blocks that a page shows."""
    return frozenset(unquoted_slashes(unescape(key)) for key in _USAGE_KEY.findall(html))


def _asunder(tree: Any) -> list[Any]:
    """The blocks of a page in order, each as a separate tree with its own content only.

    Everything after a block, up to the next block, belongs to it.  Every element is moved once, the last block first,
    so that the cost is linear in the length of the page.
    """
    blocks = tree.xpath(f"//*[{_BLOCK}]")
    for block in reversed(blocks):
        pieces = [] if block.get("data-block-type", "") in CONTAINERS else list(_rest(block))
        _replace(block, _PLACE)
        for piece in pieces:
            if isinstance(piece, str):
                etree.SubElement(block, "div").text = piece
            else:
                block.append(piece)  # with its tail text
    return list(blocks)


def _rest(block: Any) -> Iterator[Any]:
    """The content after a block that was closed too early, up to the next one: texts, and elements with tails."""
    here = block
    for _ in range(_WRAPPERS):
        parent = here.getparent()
        if parent is None or here.tag == "body":
            return
        if (here.tail or "").strip():
            yield here.tail
            here.tail = None
        for sibling in here.itersiblings():
            if sibling.tag == _PLACE or sibling.xpath(f"boolean(.//{_PLACE})"):
                return
            yield sibling
        if parent.get("data-usage-id") is not None:
            return
        here = parent


def _replace(element: Any, tag: str) -> None:
    """Replace an element by an empty one; its tail text stays."""
    parent = element.getparent()
    if parent is None:
        return
    place = etree.Element(tag)
    place.tail, element.tail = element.tail, None
    parent.replace(element, place)


def _handouts(block: Any, links: Links) -> str:
    """Links to the assets that a video offers: its handout is listed nowhere else."""
    shown = []
    for anchor in block.xpath(".//a[@href]"):
        target = links.beside(anchor.get("href"))
        if target is not None:
            shown.append(link_to(target, " ".join(plain(anchor.text_content()).split()) or "Handout"))
    return "\n".join(f"<p>{one}</p>" for one in dict.fromkeys(shown))
