"""Sharing: range requests that take pieces from a shared cache before they ask the platform, and put what has come.

A piece is taken only for a version that the platform has confirmed to this account within a day, as the mount demands
it for cached bytes too.  So a learner gets no file from the shared cache that their own account does not show.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVarTuple, Unpack

import trio

from coursefs.base.supervisor import Tasks
from coursefs.content.identity import Content, shared_mark
from coursefs.content.range_request import RangeRequest
from coursefs.content.ranges import Range
from coursefs.content.scheduler import Priority, QueuedRequest
from coursefs.errors import CoursefsError
from coursefs.model import PERSONAL, Version
from coursefs.shared import Claim, PieceName, SharedCache, SharedFile

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

#: ns for which a version counts as confirmed
_CONFIRMED_FOR_NS = 24 * 3600 * 10**9
#: bytes of a file from which on it is shared: asking the tier for less takes as long as asking the platform
_LEAST = 64 * 2**10
#: pieces that one request to the platform brings, at most: other machines shall fetch the next ones meanwhile
_MOST_CLAIMED = 4


@dataclass(frozen=True, slots=True)
class Sharing:
    """A shared cache, and what names an account's platform on all machines alike."""

    cache: SharedCache
    platform_of: Callable[[str], str | None]  # by account; None: nothing of it is shared

    def file(self, content: Content, version: Version) -> SharedFile | None:
        """The name of a version in the shared cache; None: it is not shared."""
        platform, mark = self.platform_of(content.account), shared_mark(version)
        if platform is None or mark is None or version.size < _LEAST or PERSONAL in content.remote.locator:
            return None
        return SharedFile(platform, content.remote.identity, version.size, mark)


class PlatformFetch(Protocol):
    """Fetches the bytes of a range request from the platform, up to its `stop`."""

    async def __call__(self, request: RangeRequest) -> None:
        """Returns early where others bring the rest.  Raises `CoursefsError`."""


class LocalPieces(Protocol):
    """The pieces of one file version on this machine: an `OpenFile`, as far as sharing needs to know it."""

    async def save(self, start: int, data: memoryview) -> None:
        """Save these bytes to the cache."""

    async def cached(self, start: int, end: int) -> memoryview | None:
        """These bytes, if all of them are cached."""

    def in_cache(self, span: Range) -> int:
        """How many of these bytes are cached."""

    @property
    def arrived(self) -> int:
        """Counts the bytes that have come from the platform."""

    @property
    def changed(self) -> trio.Event:
        """Set when more was saved, and replaced by a new one."""

    def notify(self) -> None:
        """Set `changed`."""

    def join(self) -> None:
        """Count one user more."""

    def leave(self) -> None:
        """Count one user less."""


@dataclass(slots=True)
class _Asked:
    """Whether a request to the platform has ended."""

    has_answered: bool = False


class SharedPieces:
    """The pieces of one file version in the shared cache."""

    def __init__(
        self,
        cache: SharedCache,
        file: SharedFile,
        place: LocalPieces,
        tasks: Tasks,
        complete: Callable[[Range], Awaitable[object]],
        confirmed_ns: Callable[[], int | None],
        confirm: Callable[[], Awaitable[object]],
    ) -> None:
        """`complete` fetches what is missing of these bytes in the background.

        `confirmed_ns`: when the platform last confirmed the version to this account, in ns since 1970; `confirm` asks
        it.  Both functions that make requests raise `CoursefsError`.
        """
        self._cache = cache
        self._file = file
        self._place = place
        self._tasks = tasks
        self._complete = complete
        self._confirmed_ns = confirmed_ns
        self._confirm: Callable[[], Awaitable[object]] | None = confirm  # None: it was asked already
        self._finishing = 0  # pieces
        self._finished = trio.Event()
        self._taking: dict[str, trio.Event] = {}  # single flight: pieces that are being taken, by name

    async def fetch(self, request: RangeRequest, from_platform: PlatformFetch, *, is_single_use: bool) -> None:
        """Fetch all bytes of a range request: from the shared cache, and what it lacks from the platform.

        `is_single_use`: each request to the platform costs a URL, so one brings everything that is missing then.
        """
        while request.received < request.end:
            claims, limit = await self._take(request)
            if request.received >= request.end:
                break
            start = request.received
            request.limit = None if is_single_use else limit
            asked = _Asked()
            for claim in claims:
                if claim.is_stored:
                    is_inside = start <= claim.piece.start and claim.piece.end <= request.end
                    self._begin(self._put_when_complete, claim, asked, is_inside)
            try:
                try:
                    await from_platform(request)
                finally:
                    # a piece is put from the cache; what has come of one that this machine has claimed is not fetched
                    # again, also when the reader leaves
                    with trio.CancelScope(shield=limit is not None):
                        await request.flush()
            finally:
                is_over = request.received < request.stop  # others bring the rest, or it has failed
                request.limit = None
                asked.has_answered = True
                self._place.notify()
                self._put_others(claims, start, request.received)
            if is_over:
                break

    async def settled(self) -> None:
        """Wait until the pieces that have come are put, or given up."""
        while self._finishing:
            await self._finished.wait()

    async def _take(self, request: RangeRequest) -> tuple[list[Claim], int | None]:
        """Take pieces as long as the shared cache has them; returns what the platform is to be asked for.

        That are the claims on pieces, and the end of the bytes; None: everything that is missing.
        """
        while request.received < request.end:
            piece = self._piece(request.received)
            if not self._cache.is_usable or not await self._is_confirmed():
                return [], None
            wanted = Range(request.received, min(piece.end, request.end))
            if self._place.in_cache(wanted) == wanted.end - wanted.start:  # another request has taken it meanwhile
                request.skip(wanted.end)
                continue
            if piece.name in self._taking:
                await self._taking[piece.name].wait()
                continue
            if self._cache.has_claimed(piece):  # another request of this machine brings other bytes of it
                return [], piece.end
            taken = await self._taken(piece, request.queued)
            if isinstance(taken, Claim):
                claims = await self._more(request, [taken])
                return claims, claims[-1].piece.end
            request.skip(piece.end)
        return [], None

    async def _taken(self, piece: PieceName, queued: QueuedRequest) -> Claim | None:
        """Take a piece and save it, also what was not requested of it; else the claim on it."""
        over = self._taking[piece.name] = trio.Event()
        try:
            urgent = queued.priority is Priority.READ
            taken = await self._cache.take(piece, self._arrived, urgent=urgent, promoted=queued.promoted)
            if isinstance(taken, Claim):
                return taken
            await self._place.save(piece.start, memoryview(taken))
            return None
        finally:
            del self._taking[piece.name]
            over.set()

    async def _more(self, request: RangeRequest, claims: list[Claim]) -> list[Claim]:
        """Further claims, so that one request to the platform brings several pieces."""
        try:
            while self._cache.is_near and len(claims) < _MOST_CLAIMED and claims[-1].piece.end < request.end:
                claim = await self._cache.claim_missing(self._piece(claims[-1].piece.end), self._arrived)
                if claim is None:
                    break
                claims.append(claim)
        except trio.Cancelled:
            for claim in claims:
                await self._cache.release(claim)
            raise
        return claims

    def _arrived(self) -> int:
        return self._place.arrived

    def _put_others(self, claims: list[Claim], start: int, end: int) -> None:
        """Put the pieces that the platform has brought between these offsets although none of them was claimed."""
        claimed = {claim.piece.start for claim in claims if claim.is_stored}
        while self._cache.may_put and start < end:
            piece = self._piece(start)
            if piece.start not in claimed and not self._cache.has_claimed(piece):
                self._begin(self._finish, Claim(piece, self._arrived, is_stored=False))
            start = piece.end

    def _begin(self, function: Callable[[Unpack[Arguments]], Awaitable[None]], *arguments: *Arguments) -> None:
        """Begin a task that is a user of the file, and that `settled` waits for."""

        async def run() -> None:
            try:
                await function(*arguments)
            finally:
                self._finishing -= 1
                self._finished.set()
                self._finished = trio.Event()
                self._place.leave()

        self._place.join()  # now, while the request is a user: the last one closes the file
        self._finishing += 1
        self._tasks.start_soon(run, name="share a piece")

    async def _put_when_complete(self, claim: Claim, asked: _Asked, is_inside: bool) -> None:
        """Put a claimed piece as soon as all of it has come: a request brings several, and others wait for each.

        What of it is not inside of the request is fetched meanwhile, unless the request ends before any of it has come.
        """
        span = Range(claim.piece.start, claim.piece.end)
        try:
            async with trio.open_nursery() as nursery:
                if not is_inside:
                    nursery.start_soon(self._complete_now, claim.piece)
                while True:
                    changed = self._place.changed  # taken before looking: a change during the look must end the wait
                    cached = self._place.in_cache(span)
                    if asked.has_answered or cached == claim.piece.size:
                        break
                    await changed.wait()
                if not cached:
                    nursery.cancel_scope.cancel()
        except BaseException:
            await self._cache.release(claim)
            raise
        await self._finish(claim)

    async def _complete_now(self, piece: PieceName) -> None:
        """Fetch the rest of a claimed piece while the request runs: other machines wait for all of it."""
        try:
            await self._complete(Range(piece.start, piece.end))
        except CoursefsError as error:
            log.debug("a piece is not complete: %s", error)

    async def _finish(self, claim: Claim) -> None:
        """Put a piece; a claimed one is completed first, because other machines wait for all of it."""
        span = Range(claim.piece.start, claim.piece.end)
        try:
            if claim.is_stored and 0 < self._place.in_cache(span) < claim.piece.size:
                await self._complete(span)
            data = await self._place.cached(*span)
            if data is not None:
                await self._cache.put(claim, data)
        except CoursefsError as error:
            log.debug("a piece is not shared: %s", error)  # a read of it gets the error
        finally:
            await self._cache.release(claim)

    def _piece(self, offset: int) -> PieceName:
        return self._file.piece(offset)

    async def _is_confirmed(self) -> bool:
        """Whether the platform has confirmed the version within a day; it is asked once, for a byte."""
        confirm, self._confirm = self._confirm, None
        if not self._was_confirmed and confirm is not None:
            try:
                await confirm()
            except CoursefsError as error:
                log.debug("the platform does not confirm the version: %s", error)  # the request that follows fails too
        return self._was_confirmed

    @property
    def _was_confirmed(self) -> bool:
        confirmed = self._confirmed_ns()
        return confirmed is not None and time.time_ns() - confirmed < _CONFIRMED_FOR_NS
