"""The command of the control socket that brings the search index up to date; the search itself reads the index."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

import trio

from coursefs.daemon.socket import Reply
from coursefs.errors import CoursefsError
from coursefs.library import Library

#: seconds between two replies, by which a disconnected client is noticed as well
_TELL_EVERY = 0.2


async def searchable(library: Library, wanted: Mapping[str, Any]) -> AsyncGenerator[Reply, None]:
    """Bring the search index up to date; each reply says how far it is.

    These are optional: `within` (seconds, after which the replies end while the work goes on), `again` (build it from
    nothing), `is_background` (whether it gives way to everything else; it does unless this is false).
    """
    again, is_background = bool(wanted.get("again")), bool(wanted.get("is_background", True))
    cache = library.cache
    ended = trio.Event()
    failed: list[CoursefsError] = []

    async def work() -> None:
        try:
            await cache.make_searchable(again=again, is_background=is_background)
        except CoursefsError as error:
            failed.append(error)
        finally:
            ended.set()

    library.start(work, name="search index")
    end = trio.current_time() + float(wanted.get("within", math.inf))
    while not ended.is_set() and trio.current_time() < end:
        with trio.move_on_after(_TELL_EVERY):
            await ended.wait()
        yield asdict(cache.searchable)
    if failed:
        raise failed[0]
    yield asdict(cache.searchable)
