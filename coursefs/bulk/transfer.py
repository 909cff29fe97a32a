"""Transfers of many files: which are missing, the progress, and the failures.

One task walks through the tree, so that the total is soon known; a few others transfer what is missing. A failure
concerns one file, unless it concerns the whole account (`Endurance`) or there is no space left.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

import trio

from coursefs.base.crash_messages import Defect, log_unforeseen, told
from coursefs.bulk.selection import Selection
from coursefs.errors import CoursefsError, NoAnswer, NotSignedIn, Unreachable
from coursefs.library import Files, Found, Node, Outdated, Unavailable

log = logging.getLogger(__name__)

#: files in transfer at the same time; the content engine decides how many requests that makes
AT_ONCE = 6
#: consecutive network failures after which an account is given up
_MOST_FAILURES = 3


class NoSpace(CoursefsError):
    """There is no space for this file, nor for any other."""


class FolderRefused(CoursefsError):
    """Nothing can be written below this folder: reported once for all its files."""

    def __init__(self, folder: str, reason: str) -> None:
        """`folder` is its path below the root."""
        super().__init__(reason)
        self.folder = folder


@dataclass(frozen=True, slots=True)
class Task:
    """A file that needs a transfer, with the number of missing bytes."""

    path: str
    node: Node
    missing: int
    is_at_hand: bool = False  # no request is needed for it


class Job(Protocol):
    """The work on each file of a transfer."""

    async def look(self, found: Found) -> Task | None:
        """The missing part of a file; None: nothing. Called for each file in order, and for empty directories.

        Raises `CoursefsError`; after `NoSpace` the files before are still transferred, and no others.
        """

    async def carry(self, task: Task, came: Callable[[int], None]) -> None:
        """Transfer the missing bytes; `came` is called with the number of them transferred so far.

        Raises `CoursefsError`; `NoSpace` ends the whole transfer at once.
        """


@dataclass(frozen=True, slots=True)
class Moving:
    """The progress of a file in transfer, in missing bytes."""

    path: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure: a path or an account, and the reason."""

    about: str
    reason: str


@dataclass(frozen=True, slots=True)
class TransferState:
    """The progress of a transfer. Files that failed may count in `files` and not in `bytes`."""

    is_looking: bool = True  # the walk has not ended
    files: int = 0
    bytes: int = 0  # total to transfer
    came: int = 0  # bytes of these
    new: int = 0  # files
    there: int = 0
    failed: int = 0
    moving: tuple[Moving, ...] = ()


@dataclass(slots=True)
class Endurance:
    """The accounts that are given up (pure): without a sign-in at once, without a network after a few failures.

    No more requests are made for such an account; its known and cached files are still processed.
    """

    given_up: set[str] = field(default_factory=set)
    _failures: Counter[str] = field(default_factory=Counter)

    def worked(self, account: str) -> None:
        """Record a success of an account."""
        self._failures.pop(account, None)

    def failed(self, account: str, error: CoursefsError) -> None:
        """Record a failure of an account."""
        if isinstance(error, NotSignedIn):
            self.given_up.add(account)
        elif isinstance(error, Unreachable | NoAnswer):
            self._failures[account] += 1
            if self._failures[account] >= _MOST_FAILURES:
                self.given_up.add(account)


class Transfer:
    """A job for many files. `failures` grows while it runs; `exit_status` is that of the failures so far."""

    def __init__(self, files: Files, job: Job, selection: Selection | None = None, *, at_once: int = AT_ONCE) -> None:
        """`selection`: which of the files to take; None: all."""
        self.failures: list[Failure] = []
        self.exit_status = 0
        self._files = files
        self._job = job
        self._selection = selection or Selection(files)
        self._at_once = at_once
        self._state = TransferState()
        self._moving: dict[str, Moving] = {}
        self._carried: dict[str, Node] = {}  # by the same paths
        self._endurance = Endurance()
        self._outdated: set[str] = set()  # accounts
        self._refused: set[str] = set()  # folders
        self._no_space: NoSpace | None = None

    @property
    def state(self) -> TransferState:
        """The progress."""
        return replace(self._state, moving=tuple(self._moving.values()))

    @property
    def carried(self) -> Mapping[str, Node]:
        """The files in transfer, by path."""
        return self._carried

    async def run(self, targets: Sequence[Node]) -> None:
        """Do the job for all files at and below the targets.

        Raises the `NoSpace` that ended it; all other failures are in `failures`. On cancellation, running files are
        abandoned.
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
            try:
                async with aclosing(self._files.walk(targets, self._may_ask, self._selection.enters)) as every:
                    async for found in every:
                        task = await self._looked_at(found)
                        if task is not None:
                            self._count(bytes=task.missing)
                            send.send_nowait(task)
            except NoSpace as error:
                self._no_space = error
            except Exception as error:  # the files found so far are still transferred
                self._count(failed=1)
                self._say("the remaining files", _foreseen(error, "looking for files"))
            self._state = replace(self._state, is_looking=False)

    async def _looked_at(self, found: Found | Unavailable | Outdated) -> Task | None:
        match found:
            case Outdated(account, error):
                self._is_outdated(account, error)
                return None
            case Unavailable(path, node, error):
                if not self._selection.refuses(path, node):
                    self._count(files=1)
                    self._failed(path, node.place.account, error)
                return None
        if not self._selection.takes(found.path, found.node):
            return None
        self._count(files=not found.node.is_directory)
        account = found.node.place.account
        if found.node.identity is not None and found.node.version is None and not self._may_ask(account):
            self._selection.leave_out(found.path)
            self._count(failed=1)
            return None
        try:
            task = await self._job.look(found)
        except NoSpace:
            raise
        except Exception as error:  # an error of one file must not end the others
            self._selection.leave_out(found.path)
            self._failed(found.path, account, _foreseen(error, found.path))
            return None
        self._count(there=task is None and not found.node.is_directory)
        if task is not None:
            self._selection.note(found.node)
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
            except Exception as error:  # as above
                self._failed(task.path, task.node.place.account, _foreseen(error, task.path))
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
            self._count(bytes=done - task.missing)  # take the rest of a failed file out of the total
            del self._moving[task.path], self._carried[task.path]

    def _may_ask(self, account: str) -> bool:
        return account not in self._endurance.given_up

    def _failed(self, path: str, account: str, error: CoursefsError) -> None:
        self._count(failed=1)
        if isinstance(error, FolderRefused):
            if error.folder not in self._refused:
                self._refused.add(error.folder)
                self._say(error.folder, error)
            return
        if account in self._endurance.given_up:  # already reported
            return
        self._endurance.failed(account, error)
        if account in self._endurance.given_up:
            self._say(account, error, "files that are not cached yet were skipped")
        else:
            self._say(path, error)

    def _is_outdated(self, account: str, error: CoursefsError) -> None:
        if account not in self._outdated | self._endurance.given_up:
            self._outdated.add(account)
            self._say(account, error, "its courses are shown as last seen")

    def _say(self, about: str, error: CoursefsError, more: str = "") -> None:
        self.failures.append(Failure(about, f"{error}; {more}" if more else str(error)))
        self.exit_status = max(self.exit_status, NotSignedIn.exit_status if isinstance(error, NotSignedIn) else 1)

    def _count(self, **changes: int) -> None:
        self._state = replace(self._state, **{name: getattr(self._state, name) + n for name, n in changes.items()})


def _foreseen(error: Exception, doing: str) -> CoursefsError:
    """The error as a `CoursefsError`; an unexpected one is logged too."""
    found = told(error)
    if isinstance(found, Defect):
        log_unforeseen(log, doing, error)
    return found
