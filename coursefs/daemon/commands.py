"""The commands of the control socket: update, course selection and cache; those for many files are in `transfers`.

A command without a mount calls the same functions.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import trio

from coursefs.base.crash_messages import told
from coursefs.bulk.targets import resolve
from coursefs.daemon.searching import searchable
from coursefs.daemon.socket import Reply
from coursefs.daemon.socket_server import Command
from coursefs.daemon.transfers import UnderWay, targets_of, transfers
from coursefs.errors import CoursefsError
from coursefs.library import Library, Node, StoredTree, Verified

__all__ = ["UnderWay", "commands", "transfers"]

Replies = AsyncGenerator[Reply, None]


def known_reply(tree: StoredTree, node: Node, depth: int | None) -> Reply:
    """What the catalogue has of a node, in the form of the socket: its path, and `coursefs.library.Known`."""
    return {"path": tree.path(node), "known": asdict(tree.known(node, depth))}


def commands(library: Library, under_way: UnderWay | None = None) -> dict[str, Command]:
    """All commands of a library, by their name on the control socket; `under_way` as for `transfers`."""

    files, cache, courses = library.files, library.cache, library.courses

    async def update(wanted: Mapping[str, Any]) -> Replies:
        async for news in courses.update([str(course) for course in wanted.get("courses", ())]):
            yield asdict(news)

    async def choose(wanted: Mapping[str, Any]) -> Replies:
        named = [str(course) for course in wanted.get("courses", ())]
        for chosen in await courses.choose(named, shown=bool(wanted.get("shown"))):
            yield asdict(chosen)

    async def known(wanted: Mapping[str, Any]) -> Replies:
        tree = files.stored()
        depth = wanted.get("depth")
        for node in await resolve(tree, tree, targets_of(wanted)):
            yield known_reply(tree, node, None if depth is None else int(depth))

    async def cache_info(_: Mapping[str, Any]) -> Replies:
        use = cache.use()
        yield asdict(use) | {"directory": str(use.directory)}

    async def cache_clear(_: Mapping[str, Any]) -> Replies:
        yield asdict(await cache.clear())

    async def cache_verify(_: Mapping[str, Any]) -> Replies:
        # the work runs in the library's nursery; a client that disconnects cancels it
        send, receive = trio.open_memory_channel[Verified | CoursefsError](math.inf)

        async def work() -> None:
            with send:
                try:
                    await cache.verify(send.send_nowait)
                except trio.BrokenResourceError:
                    return
                except Exception as error:  # every error is reported to the client
                    send.send_nowait(told(error))

        library.start(work, name="cache verify")
        with receive:
            async for progress in receive:
                if isinstance(progress, CoursefsError):
                    raise progress
                yield asdict(progress)

    return {
        "update": update,
        "choose": choose,
        "known": known,
        "searchable": partial(searchable, library),
        "cache-info": cache_info,
        "cache-clear": cache_clear,
        "cache-verify": cache_verify,
        **transfers(library, under_way),
    }
