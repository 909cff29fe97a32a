"""`fetch`, `download`, `pin` and `unpin`, carried out by whoever has the library: a mount, or a command alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from coursefs.copies import Folder
from coursefs.daemon.socket import Command, Reply
from coursefs.download import Download
from coursefs.errors import CoursefsError
from coursefs.fetching import Fetch, Pin
from coursefs.library import Library, Node
from coursefs.targets import EVERYTHING, Target, resolve
from coursefs.transfer import Job, State, Transfer

Replies = AsyncGenerator[Reply, None]
Begin = Callable[[Job], Transfer]

#: seconds between two words about how far it is; who has gone away is noticed by these
_TELL_EVERY = 0.2


class UnderWay:
    """The transfers of a library that run now."""

    def __init__(self) -> None:
        self._running: dict[Transfer, str] = {}

    @contextmanager
    def carrying(self, command: str, transfer: Transfer) -> Iterator[None]:
        """While the context lasts, this transfer runs for that command."""
        self._running[transfer] = command
        try:
            yield
        finally:
            del self._running[transfer]

    def carried(self) -> Mapping[str, Node]:
        """The files that they carry now, by their paths."""
        return {path: node for one in self._running for path, node in one.carried.items()}

    def report(self) -> list[Reply]:
        """What `coursefs status --json` says of them, in the order in which they began."""
        return [
            {
                "command": command,
                "is_looking": state.is_looking,
                "files": state.files,
                "done": state.new + state.there,
                "failed": state.failed,
                "bytes": state.bytes,
                "received": state.came,
            }
            for command, state in ((command, one.state) for one, command in self._running.items())
        ]


def transfers(library: Library, under_way: UnderWay | None = None) -> dict[str, Command]:
    """The commands of a library that concern many files, by the name that the control socket is asked by.

    `targets` are pairs of text and path (see `Target`).  Replies tell how far it is, several times a second:
    `state` as in `coursefs.transfer.State`, and `failures`, those since the last reply, as pairs.  The last reply
    has more: the `exit_status`, which is not 0 when anything failed, and what is said of `pin` and `unpin`.
    What runs is known to `under_way`.
    """
    running = under_way or UnderWay()

    async def run(command: str, transfer: Transfer, nodes: Sequence[Node]) -> None:
        with running.carrying(command, transfer):
            await transfer.run(nodes)

    def fetch(wanted: Mapping[str, Any]) -> Replies:
        async def work(begin: Begin) -> Reply:
            await run("fetch", begin(Fetch(library)), await resolve(library, _targets(wanted)))
            return {}

        return _told(library, work)

    def download(wanted: Mapping[str, Any]) -> Replies:
        async def work(begin: Begin) -> Reply:
            nodes = await resolve(library, _targets(wanted))
            folder = await trio.to_thread.run_sync(Folder, Path(wanted["to"]), int(wanted["umask"]))
            await run("download", begin(Download(library, folder)), nodes)
            return {}

        return _told(library, work)

    def pin(wanted: Mapping[str, Any]) -> Replies:
        async def work(begin: Begin) -> Reply:
            job = Pin(library, pinned=True)
            await run("pin", begin(job), await resolve(library, _targets(wanted)))
            return {"complete": job.complete, "of": job.files}

        return _told(library, work)

    def unpin(wanted: Mapping[str, Any]) -> Replies:
        async def work(begin: Begin) -> Reply:
            targets = _targets(wanted)
            if any(target.text == EVERYTHING for target in targets):  # also what is no longer in the tree
                return {"unpinned": await library.contents.unpin_all()}
            transfer = begin(Pin(library, pinned=False))
            await run("unpin", transfer, await resolve(library, targets))
            return {"unpinned": transfer.state.new}

        return _told(library, work)

    return {"fetch": fetch, "download": download, "pin": pin, "unpin": unpin}


def _targets(wanted: Mapping[str, Any]) -> list[Target]:
    return [Target(str(text), None if path is None else tuple(path)) for text, path in wanted["targets"]]


async def _told(library: Library, work: Callable[[Begin], Awaitable[Reply]]) -> Replies:
    """The replies to a command while it works in the library's nursery; whoever asked ends it by going away."""
    running: list[Transfer] = []
    ended = trio.Event()
    scope = trio.CancelScope()
    result: Reply | None = None
    error: Exception = CoursefsError("coursefs is ending")  # unless there is a better reason

    def begin(job: Job) -> Transfer:
        running.append(Transfer(library, job))
        return running[-1]

    async def run() -> None:
        nonlocal result, error
        try:
            with scope:
                result = await work(begin)
        except Exception as failure:  # it is told to whoever asked, and ends nothing else
            error = failure
        finally:
            ended.set()

    library.start(run)
    told = 0
    is_last = False
    try:
        while not is_last:
            with trio.move_on_after(_TELL_EVERY):
                await ended.wait()
            is_last = ended.is_set()  # before it is looked at the state: nothing is left out
            state, failures = (running[0].state, list(running[0].failures)) if running else (State(), [])
            last = {} if result is None else {"exit_status": running[0].exit_status if running else 0, **result}
            yield {"state": asdict(state), "failures": [[one.about, one.reason] for one in failures[told:]], **last}
            told = len(failures)
        if result is None:
            raise error
    finally:
        scope.cancel()
        with trio.CancelScope(shield=True):
            await ended.wait()
