"""Keeping the search index up to date: the side of the process that has the catalogue and the cache.

The work is done by a child process (`coursefs.search.process`); this side hands the cached texts over, a step at a
time, and lets every read and request go first.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import trio
from trio import Process

from coursefs.base import threads
from coursefs.base.installation import own_command
from coursefs.content.identity import Key
from coursefs.errors import CoursefsError
from coursefs.search import MOST_BYTES, forget, index_path

log = logging.getLogger(__name__)

#: seconds after the mount, between two looks, and without a foreground request before a step
_FIRST, _AGAIN, _QUIET = 30.0, 300.0, 0.5
#: lines that are written between two checkpoints
_LINES = 200
#: bytes of a line of the child, at most
_LONGEST_LINE = 1 << 20


class CachedTexts(Protocol):
    """What is cached: `coursefs.content.Contents`."""

    def complete(self, most: int) -> Iterator[tuple[Key, int]]:
        """The contents of at most so many bytes that are cached completely, with their sizes."""

    def content_changes(self) -> object:
        """Something that is another one after pieces have come or gone."""

    async def whole(self, key: Key) -> bytes | None:
        """All bytes of a content; None where they are not cached."""


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """How many documents of the present round are in the index."""

    done: int = 0
    of: int = 0
    is_complete: bool = False  # the last round has come to its end


class SearchIndexing:
    """Brings the index of one catalogue up to date, one round at a time.

    `accounts` returns those whose courses are searched; `changes` anything that is another one after every change of
    the catalogue; `idle(seconds)` returns when there was no foreground request for so long.
    """

    def __init__(
        self,
        catalogue: Path,
        accounts: Callable[[], Sequence[str]],
        cached: CachedTexts,
        changes: Callable[[], object],
        idle: Callable[[float], Awaitable[None]],
    ) -> None:
        self._catalogue = catalogue
        self._accounts = accounts
        self._cached = cached
        self._changes = changes
        self._idle = idle
        self._built_of: object = None  # what the index was made of by the last complete round
        self._turn = trio.Lock()  # one round, or one deletion
        self._round: trio.CancelScope | None = None
        self.progress = SearchProgress()

    async def run(self) -> None:
        """Keep the index up to date until cancelled."""
        await trio.sleep(_FIRST)
        while True:
            try:
                await self.update(is_background=True)
            except CoursefsError as error:
                log.info("%s", error)
            await trio.sleep(_AGAIN)

    async def update(
        self, *, is_background: bool, on_progress: Callable[[SearchProgress], None] = lambda _: None
    ) -> None:
        """One round: afterwards the index has what was known and cached when it began.

        In the background it gives way to everything else.  Raises `CoursefsError` if it fails; what was indexed until
        then, or until it is cancelled, stays.
        """
        async with self._turn:
            state = (self._changes(), self._cached.content_changes(), *self._accounts())
            if state == self._built_of:
                return
            self.progress, self._built_of = SearchProgress(), None
            with trio.CancelScope() as self._round:
                async with _child() as child:
                    await self._feed(child, is_background=is_background, on_progress=on_progress)
                self._built_of = state
            self._round = None

    async def forget(self) -> None:
        """Delete the index; a round that runs ends.  Raises `CoursefsError`."""
        if self._round is not None:
            self._round.cancel()
        async with self._turn:
            path = index_path(self._catalogue)
            try:
                await threads.run_sync(lambda: forget(path))
            except OSError as error:
                raise CoursefsError(f"{path}: {error.strerror}") from None
            self.progress, self._built_of = SearchProgress(), None

    async def _feed(
        self, child: Process, *, is_background: bool, on_progress: Callable[[SearchProgress], None]
    ) -> None:
        assert child.stdin is not None and child.stdout is not None
        request = {
            "catalogue": str(self._catalogue),
            "index": str(index_path(self._catalogue)),
            "accounts": list(self._accounts()),
            "is_background": is_background,
        }
        try:
            await child.stdin.send_all(_line(request))
            complete = self._cached.complete(MOST_BYTES)
            while lines := [_line([*key, size]) for key, size in islice(complete, _LINES)]:
                await child.stdin.send_all(b"".join(lines))  # the event loop is not held up for long
            await child.stdin.send_all(b"\n")
            async with aclosing(_replies(child.stdout)) as replies:
                async for reply in replies:
                    self.progress = reply.progress
                    on_progress(self.progress)
                    if self.progress.is_complete:
                        return
                    if is_background:
                        await self._idle(_QUIET)
                    for key in reply.want:
                        body = await self._cached.whole(key)
                        await child.stdin.send_all(_line(None if body is None else len(body)) + (body or b""))
                    await child.stdin.send_all(b"\n")
        except trio.BrokenResourceError:
            pass
        raise CoursefsError("the search index cannot be built: its process has ended; try again")


@dataclass(frozen=True, slots=True)
class _Reply:
    """What the child says: how far it is, and which texts it needs to go on."""

    progress: SearchProgress
    want: tuple[Key, ...] = ()


def _reply(line: bytes) -> _Reply:
    """A line of the child.  Raises `CoursefsError` for one that is none, and when the child has failed."""
    why = "its process has ended; try again"
    try:
        match json.loads(line):
            case {"error": str() as why}:
                pass
            case {"want": [*wanted], "done": int() as done, "of": int() as of}:
                keys = tuple(Key(account, identity) for account, identity in wanted)
                if all(isinstance(part, str) for key in keys for part in key):
                    return _Reply(SearchProgress(done, of), keys)
            case {"done": int() as done, "of": int() as of}:
                return _Reply(SearchProgress(done, of, is_complete=True))
    except (ValueError, TypeError, RecursionError):  # part of a line, or of a message of the interpreter
        pass
    raise CoursefsError(f"the search index cannot be built: {why}")


@asynccontextmanager
async def _child() -> AsyncIterator[Process]:
    """The child process; it is killed when the context ends, which it has no state to notice."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        child: Process = await trio.lowlevel.open_process(
            own_command("coursefs.search.process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=environment,
        )
    except OSError as error:
        raise CoursefsError(f"the search index cannot be built: {error.strerror}") from None
    except RuntimeError as error:  # "can't start new thread"
        raise CoursefsError(f"the search index cannot be built: {error}") from None
    try:
        yield child
    finally:
        child.kill()
        with trio.CancelScope(shield=True):
            await child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    await trio.aclose_forcefully(pipe)


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


async def _replies(pipe: trio.abc.ReceiveStream) -> AsyncGenerator[_Reply, None]:
    """What the child says; ends when it ends, or writes a line without an end.  Raises what `_reply` raises."""
    begun = b""
    async for data in pipe:
        *lines, begun = (begun + data).split(b"\n")
        for line in lines:
            yield _reply(line)
        if len(begun) > _LONGEST_LINE:
            return
