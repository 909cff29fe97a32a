"""What the web server of `coursefs open` answers beyond files, to the script of a course page: all of it below `/-/`.

No file of the mount has such a path: no name begins with a dash.

    /-/live.js                 the script that asks
    /-/cached?of=PATH          what is cached, and fetched now, of the course of a page
    /-/search?words=…&limit=N  a search over all courses
    /-/captions/PATH           captions as WebVTT, for `<track>`
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from coursefs.daemon.web_requests import NOTHING, Shown, names_of, shown_as
from coursefs.errors import UsageError
from coursefs.library import ROOT, Library, Node, PageHit

#: the first name of all these paths
LIVE = "-"
_SCRIPT = "live.js"
_JSON = Shown("application/json", NOTHING)
_WEBVTT = Shown("text/vtt; charset=utf-8", NOTHING)
_MOST_HITS = 200


class LiveAnswers:
    """Answers what the script of a course page asks; `found(names)` is the node of a path, or None."""

    def __init__(self, library: Library, found: Callable[[tuple[str, ...]], Awaitable[Node | None]]) -> None:
        courses = library.courses
        self._files = library.files
        self._pages = courses.pages
        self._found = found

    async def answer(
        self, names: tuple[str, ...], query: Mapping[str, str], headers: Callable[[Shown], dict[str, str]]
    ) -> Response | None:
        """The response for a path below `/-/`; None if there is no such thing.  Raises `CoursefsError`."""
        match names:
            case (_, "live.js"):
                shown = shown_as(_SCRIPT, "text/javascript", is_ours=True, has_script=True)
                return Response(self._pages.script, headers=headers(shown))
            case (_, "cached"):
                told = await self._cached(query)
                return None if told is None else Response(json.dumps(told), headers=headers(_JSON))
            case (_, "search"):
                return Response(json.dumps(await self._search(query)), headers=headers(_JSON))
            case (_, "captions", *path) if path and (node := await self._found(tuple(path))) is not None:
                return Response(await self._pages.captions(node), headers=headers(_WEBVTT))
        return None

    async def _cached(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        names = names_of(query.get("of", "").encode())
        tree = self._files.stored()  # it is asked every few seconds: that is no request of a program
        node: Node | None = tree.node(ROOT)
        for name in names or ():
            node = None if node is None else await tree.child(node.inode, name)
        if names is None or node is None:
            return None
        return {
            key: {"fraction": round(item.fraction, 4), "fetching": item.is_fetching}
            for key, item in self._pages.cached(node).items()
        }

    async def _search(self, query: Mapping[str, str]) -> dict[str, Any]:
        limit = query.get("limit", "")
        most = min(int(limit), _MOST_HITS) if re.fullmatch("[0-9]{1,4}", limit) else _MOST_HITS
        try:
            found = await self._pages.find(query.get("words", ""), max(most, 1))
        except UsageError:  # nothing but punctuation, which may become a word with the next letter
            return {"hits": [], "complete": True}
        return {"hits": [_record(hit) for hit in found.hits], "complete": found.is_complete}


def _record(hit: PageHit) -> dict[str, Any]:
    return {
        "course": hit.course,
        "lecture": hit.lecture,
        "time": hit.at,
        "text": hit.text,
        "address": hit.address,
    }
