"""The page of a unit as the platform renders it: where each of its blocks begins, and what it says (pure).

`div.xblock` with `data-usage-id` and `data-block-type` is a block.  A problem comes as a frame for a script; what the
script would put there is in the frame's `data-content`.
"""

from __future__ import annotations

from collections.abc import Mapping

from coursefs.providers.openedx.keys import unquoted_slashes
from coursefs.providers.openedx.markup import Links, clean, clean_html, parsed


def fragments(html: str, links: Links) -> Mapping[str, str]:
    """The clean HTML of each block on a page, by usage key; of blocks that hold others only what is their own."""
    tree = parsed(html)
    if tree is None:
        return {}
    found: dict[str, str] = {}
    for block in tree.xpath("//*[@data-usage-id]"):
        if block.xpath(".//*[@data-usage-id]"):
            continue
        key = unquoted_slashes(block.get("data-usage-id").strip())
        frames = block.xpath(".//*[contains(concat(' ', @class, ' '), ' problems-wrapper ')][@data-content]")
        if frames:
            texts = [clean_html(frame.get("data-content"), links, problem=True) for frame in frames]
        else:
            texts = [clean(block, links, problem=block.get("data-block-type") == "problem")]
        found.setdefault(key, "\n".join(text for text in texts if text))
    return found
