"""Many files at once: which of them are missing, how far they are, and what failed.

One task looks through the tree, so that soon it is known how much there is; a few others carry what is missing.  A
failure concerns one file, unless it is one of the whole account (`Endurance`), or there is no room for any more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

import trio

from coursefs.errors import CoursefsError, NoAnswer, NotSignedIn, Unreachable
from coursefs.library import Library, Node
from coursefs.targets import Found, Outdated, Trouble, walk

#: files that are carried at once; how many requests that makes is the cache's to decide
AT_ONCE = 6
#: failures of the network in a row after which an account is given up
_MOST_FAILURES = 3


class NoSpace(CoursefsError):
    """There is no room for this, nor for anything else."""


@dataclass(frozen=True, slots=True)
class Task:
    """A file that is missing somewhere, and how many bytes of it are to come."""

    path: str
    node: Node
    missing: int
    is_at_hand: bool = False  # nothing is asked of the platform for it


class Job(Protocol):
    """What is done with each file."""

    async def look(self, found: Found) -> Task | None:
        """What is missing of a file; None: nothing.  Called for one file after the other, and for empty directories.

        Raises `CoursefsError`; after `NoSpace` what is missing of the files before is still carried, and no more.
        """

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """Bring what is missing; `came` is told how many of the missing bytes are there by now.

        Raises `CoursefsError`; `NoSpace` ends everything at once.
        """


@dataclass(frozen=True, slots=True)
class Moving:
    """A file on its way, in bytes that are missing."""

    path: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, a path or an account, and why."""

    about: str
    reason: str


@dataclass(frozen=True, slots=True)
class State:
    """How far it is.  Files that failed may be in `files` and not in `bytes`."""

    is_looking: bool = True  # there may be more
    files: int = 0
    bytes: int = 0  # that are to come, and that came
    came: int = 0  # bytes of these
    new: int = 0  # files
    there: int = 0
    failed: int = 0
    moving: tuple[Moving, ...] = ()


@dataclass(slots=True)
class Endurance:
    """Which accounts are given up (pure): without a sign-in at once, without a network after a few failures.

    Of such an account nothing is asked any more; what is known and cached of it is still worked on.
    """

    given_up: set[str] = field(default_factory=set)
    _failures: Counter[str] = field(default_factory=Counter)

    def worked(self, account: str) -> None:
        """Something came from its platform."""
        self._failures.pop(account, None)

    def failed(self, account: str, error: CoursefsError) -> None:
        """Something did not."""
        if isinstance(error, NotSignedIn):
            self.given_up.add(account)
        elif isinstance(error, Unreachable | NoAnswer):
            self._failures[account] += 1
            if self._failures[account] >= _MOST_FAILURES:
                self.given_up.add(account)


class Transfer:
    """A job for many files.  `failures` grows while it runs; `exit_status` is that of what went wrong so far."""

    def __init__(self, library: Library, job: Job, at_once: int = AT_ONCE) -> None:
        self.failures: list[Failure] = []
        self.exit_status = 0
        self._library = library
        self._job = job
        self._at_once = at_once
        self._state = State()
        self._moving: dict[str, Moving] = {}
        self._carried: dict[str, Node] = {}  # by the same paths
        self._endurance = Endurance()
        self._outdated: set[str] = set()  # accounts
        self._no_space: NoSpace | None = None

    @property
    def state(self) -> State:
        """How far it is."""
        return replace(self._state, moving=tuple(self._moving.values()))

    @property
    def carried(self) -> Mapping[str, Node]:
        """The files on their way, by their paths."""
        return self._carried

    async def run(self, targets: Sequence[Node]) -> None:
        """Do the job for every file at and below the targets.

        Raises the `NoSpace` that ended it; every other failure is in `failures`.
        """
        send, receive = trio.open_memory_channel[Task](math.inf)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look, targets, send)
            for _ in range(self._at_once):
                nursery.start_soon(self._work, receive, nursery.cancel_scope)
        if self._no_space is not None:
            raise self._no_space

    async def _look(self, targets: Sequence[Node], send: trio.MemorySendChannel[Task]) -> None:
        with send:
            async with aclosing(walk(self._library, targets, self._may_ask)) as every:
                async for found in every:
                    try:
                        task = await self._looked_at(found)
                    except NoSpace as error:
                        self._no_space = error
                        break
                    if task is not None:
                        self._count(bytes=task.missing)
                        send.send_nowait(task)
            self._state = replace(self._state, is_looking=False)

    async def _looked_at(self, found: Found | Trouble | Outdated) -> Task | None:
        match found:
            case Outdated(account, error):
                self._is_outdated(account, error)
                return None
            case Trouble(path, account, error):
                self._count(files=1)
                self._failed(path, account, error)
                return None
        self._count(files=not found.node.is_directory)
        account = found.node.place.account
        if found.node.identity is not None and found.node.version is None and not self._may_ask(account):
            self._count(failed=1)
            return None
        try:
            task = await self._job.look(found)
        except NoSpace:
            raise
        except CoursefsError as error:
            self._failed(found.path, account, error)
            return None
        self._count(there=task is None and not found.node.is_directory)
        return task

    async def _work(self, receive: trio.MemoryReceiveChannel[Task], everything: trio.CancelScope) -> None:
        async for task in receive:
            if not task.is_at_hand and not self._may_ask(task.node.place.account):
                self._count(failed=1, bytes=-task.missing)
                continue
            try:
                await self._carry(task)
            except NoSpace as error:
                self._no_space = error
                everything.cancel()
            except CoursefsError as error:
                self._failed(task.path, task.node.place.account, error)
            else:
                self._count(new=1)
                if not task.is_at_hand:
                    self._endurance.worked(task.node.place.account)

    async def _carry(self, task: Task) -> None:
        done = 0

        def came(so_far: int) -> None:
            nonlocal done
            so_far = min(max(so_far, done), task.missing)
            self._count(came=so_far - done)
            done = so_far
            self._moving[task.path] = Moving(task.path, done, task.missing)

        self._carried[task.path] = task.node
        came(0)
        try:
            await self._job.carry(task, came)
            came(task.missing)
        finally:
            self._count(bytes=done - task.missing)  # what failed will not come
            del self._moving[task.path], self._carried[task.path]

    def _may_ask(self, account: str) -> bool:
        return account not in self._endurance.given_up

    def _failed(self, path: str, account: str, error: CoursefsError) -> None:
        self._count(failed=1)
        if account in self._endurance.given_up:  # it was said
            return
        self._endurance.failed(account, error)
        if account in self._endurance.given_up:
            self._say(account, error, "what is not at hand of it is left out")
        else:
            self._say(path, error)

    def _is_outdated(self, account: str, error: CoursefsError) -> None:
        if account not in self._outdated | self._endurance.given_up:
            self._outdated.add(account)
            self._say(account, error, "its courses are as they were seen last")

    def _say(self, about: str, error: CoursefsError, more: str = "") -> None:
        self.failures.append(Failure(about, f"{error}; {more}" if more else str(error)))
        self.exit_status = max(self.exit_status, NotSignedIn.exit_status if isinstance(error, NotSignedIn) else 1)

    def _count(self, **changes: int) -> None:
        self._state = replace(self._state, **{name: getattr(self._state, name) + n for name, n in changes.items()})
