"""What a running mount does when it is asked to, besides telling its status."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

import trio

from coursefs.content import Verified
from coursefs.daemon.socket import Command
from coursefs.daemon.transfers import UnderWay, transfers
from coursefs.errors import CoursefsError
from coursefs.library import Library

Replies = AsyncGenerator[Mapping[str, Any], None]


def commands(library: Library, under_way: UnderWay | None = None) -> dict[str, Command]:
    """The commands of a library, by the name that the control socket is asked by; see `transfers` for `under_way`."""

    async def update(wanted: Mapping[str, Any]) -> Replies:
        async for news in library.update([str(course) for course in wanted.get("courses", ())]):
            yield asdict(news)

    async def choose(wanted: Mapping[str, Any]) -> Replies:
        courses = [str(course) for course in wanted.get("courses", ())]
        for chosen in await library.choosing.choose(courses, shown=bool(wanted.get("shown"))):
            yield asdict(chosen)

    async def cache_info(_: Mapping[str, Any]) -> Replies:
        use = library.use()
        yield asdict(use) | {"directory": str(use.directory)}

    async def cache_clear(_: Mapping[str, Any]) -> Replies:
        yield asdict(await library.contents.clear())

    async def cache_verify(_: Mapping[str, Any]) -> Replies:
        # the work goes on in the library's nursery; whoever asked may go away, and ends it by that
        send, receive = trio.open_memory_channel[Verified | CoursefsError](math.inf)

        async def work() -> None:
            with send:
                try:
                    await library.contents.verify(send.send_nowait)
                except CoursefsError as error:
                    send.send_nowait(error)
                except trio.BrokenResourceError:
                    return

        library.start(work)
        with receive:
            async for progress in receive:
                if isinstance(progress, CoursefsError):
                    raise progress
                yield asdict(progress)

    return {
        "update": update,
        "choose": choose,
        "cache-info": cache_info,
        "cache-clear": cache_clear,
        "cache-verify": cache_verify,
        **transfers(library, under_way),
    }
