"""The shared cache, as the content engine uses it: take a piece, or claim it and put it when it has come.

**Claims.**  Of forty machines that miss the same piece, one shall ask the platform.  A claim is an object beside the
piece, created only where there is none.  The machine that has created it fetches the piece, puts it, and removes the
claim; all others wait for the piece.  A claim is worth `LEASE` seconds from its last writing; the claimant writes it
again while bytes arrive.  When the claimant dies, another machine takes over after that time: it removes the claim and
creates its own.  Two machines that do so at the same moment both fetch the piece, which costs bytes alone.
A wait is bounded as well (`PATIENCE`); then this machine asks the platform without a claim.

**Failures.**  No method raises because of the tier: a tier that fails, is slow, or brings wrong pieces is left alone
for a while (`Health`), and the platform is asked as if there were none.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import trio

from coursefs.base import threads
from coursefs.base.supervisor import Tasks
from coursefs.shared.health import Health
from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import BadPiece, PieceName, seal, unseal
from coursefs.shared.tier import CLAIM_SUFFIX, ReadOnlyTier, Tier, TierFailed

log = logging.getLogger(__name__)

T = TypeVar("T")

#: seconds that a claim is worth since it was last written
LEASE = 3.0
#: seconds between two writings of a claim
_RENEWED_EVERY = 1.2
#: seconds that a read, and background work, waits for the tier to answer: the delay that a dead tier costs at most
ANSWER = 2.0
_PATIENT_ANSWER = 8.0
#: seconds that a program waits for an answer that was asked for in the background: then it is asked for once more, as
#: what a program waits for
_HURRIED_ANSWER = 0.5
#: seconds that a read, and background work, waits for a piece that another machine has claimed
PATIENCE = 5.0
_PATIENT = 15.0
#: seconds of one wait in the tier, between two looks at the claim
_LOOK = 1.0
#: the same while another request of this machine is about to claim the piece
_SHORT_LOOK = 0.05
#: pieces that are transferred at once: all machines share the tier's link
_AT_ONCE = 2
#: seconds of an answer up to which several pieces are claimed for one request to the platform
_NEAR = 0.02


@dataclass(slots=True)
class SharedUse:
    """What a shared cache has done for this process."""

    taken_bytes: int = 0
    taken_pieces: int = 0
    put_bytes: int = 0
    put_pieces: int = 0
    bad_pieces: int = 0  # not what their names promise


@dataclass(eq=False, slots=True)
class Claim:
    """The duty of this machine to fetch a piece, until `SharedCache.put` or `SharedCache.release`."""

    piece: PieceName
    progress: Callable[[], int]  # counts the bytes that have come
    is_stored: bool  # False: the tier could not be asked, so that others know nothing of it
    progress_written: int = 0  # the bytes that had come when it was last written


class SharedCache:
    """A tier with a key.  For the event loop; `tasks` runs the renewal of claims."""

    def __init__(self, tier: Tier, key: SharedKey, tasks: Tasks) -> None:
        self._tier = tier
        self._key = key
        self._tasks = tasks
        self._reading = Health()
        self._writing = Health()
        self._is_read_only = key.seed is None
        self._limiter = trio.CapacityLimiter(_AT_ONCE)
        self._claims: dict[str, Claim] = {}  # those that are stored or about to be, by the name of the piece
        self._renewal: trio.CancelScope | None = None  # of the task that runs while there are claims
        self._answer_time = 0.0  # of the last claim, in seconds
        self._said: set[str] = set()
        self.use = SharedUse()

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return self._tier.place

    @property
    def trouble(self) -> str:
        """Why the tier is left alone at the moment; "": it is not."""
        now = trio.current_time()
        return next((one.trouble for one in (self._reading, self._writing) if not one.is_usable(now)), "")

    @property
    def is_usable(self) -> bool:
        """Whether the tier is asked for pieces at the moment."""
        return self._reading.is_usable(trio.current_time())

    @property
    def may_put(self) -> bool:
        """Whether pieces are put at the moment."""
        return not self._is_read_only and self._writing.is_usable(trio.current_time())

    @property
    def is_near(self) -> bool:
        """Whether the tier answers so quickly that several pieces can be claimed before the platform is asked."""
        return self._answer_time < _NEAR

    async def aclose(self) -> None:
        """Release the claims that are left, and close the tier's connections: within two seconds."""
        async with trio.open_nursery() as nursery:  # together: a tier that hangs keeps each of them for a second
            for claim in list(self._claims.values()):
                nursery.start_soon(self.release, claim)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await self._tier.aclose()

    async def take(
        self, piece: PieceName, progress: Callable[[], int], *, urgent: bool, promoted: trio.Event | None = None
    ) -> bytes | Claim:
        """The bytes of a piece, or the claim to fetch it from the platform; waits while another machine fetches it.

        `urgent`: a program waits for it; `promoted` is set when one begins to.  `progress` counts the bytes that come
        for the claim, which must be given to `put` or `release`.  Cancellation leaves no claim.
        """
        until = trio.current_time() + (PATIENCE if urgent else _PATIENT)
        promoted = trio.Event() if promoted is None else promoted
        wait = 0.0
        while self.is_usable:
            if promoted.is_set():
                urgent, until = True, min(until, trio.current_time() + PATIENCE)
            data = await self._get(piece, wait, None if urgent else promoted)
            if data is not None:
                return data
            if not self.is_usable:  # it has just failed: do not wait for it once more
                break
            if promoted.is_set() and not urgent:
                continue
            # the claim of a dead machine is looked for after a first wait: when many begin at once, another one has it
            claim = await self._claim(piece, progress, may_take_over=wait > 0)
            if claim is not None and await self._is_put_already(claim):
                wait = 0.0
                continue
            if claim is not None:
                return claim
            if self.has_claimed(piece):  # another request has, and may itself wait for what this one brings of it
                break
            now = trio.current_time()
            if now >= until:  # the claimant goes on and on: do not wait again for the next piece
                self._reading = self._reading.failed(now, f"{self.place}: another machine fetches a piece and is slow")
                self._say(self._reading.trouble)
                break
            wait = min(_SHORT_LOOK if piece.name in self._claims else _LOOK, until - now)
        return Claim(piece, progress, is_stored=False)

    async def claim_missing(self, piece: PieceName, progress: Callable[[], int]) -> Claim | None:
        """A claim on a piece that nobody has and nobody fetches; None: there may be somebody.  Does not wait."""
        if not self.is_usable or self.has_claimed(piece):
            return None
        if self._is_read_only:
            is_there = await self._ask(self._tier.age(piece.name), ANSWER) is not None
            return None if is_there else Claim(piece, progress, is_stored=False)
        claim = await self._claim(piece, progress, may_take_over=False)
        return None if claim is None or await self._is_put_already(claim) else claim

    def has_claimed(self, piece: PieceName) -> bool:
        """Whether this machine has claimed the piece."""
        claim = self._claims.get(piece.name)
        return claim is not None and claim.is_stored

    async def put(self, claim: Claim, data: bytes | memoryview) -> None:
        """Put a piece that has come from the platform, and end its claim."""
        try:
            if self.may_put:
                sealed = await threads.run_sync(seal, claim.piece, data, self._key)
                if await self._ask_to_write(self._tier.put(claim.piece.name, sealed)):
                    self.use.put_pieces += 1
                    self.use.put_bytes += len(data)
        finally:
            await self.release(claim)

    async def release(self, claim: Claim) -> None:
        """End a claim, so that others may fetch the piece; also under cancellation, for a second at most."""
        if claim.is_stored:
            claim.is_stored = False
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await self._ask_to_write(self._tier.remove(claim_name(claim.piece)))
        self._forget(claim)

    # -- pieces ----------------------------------------------------------------------------------------------------

    async def _get(self, piece: PieceName, wait: float, promoted: trio.Event | None) -> bytes | None:
        """The bytes of a piece; None: the tier has none, or fails, or `promoted` was set before it answered.

        `promoted`: see `take`; None: a program waits for it already.
        """
        seconds = 0.0
        if promoted is None:
            began = trio.current_time()
            sealed = await self._ask(self._tier.get(piece.name, wait=wait), wait + ANSWER)
            if not wait:
                seconds = trio.current_time() - began
        else:  # others go first, so it may take long
            sealed = await self._get_later(piece, wait, promoted)
        if sealed is None:
            return None
        now = trio.current_time()
        try:
            data = await threads.run_sync(unseal, piece, sealed, self._key)
        except BadPiece as error:
            self.use.bad_pieces += 1
            self._reading = self._reading.lied(now, f"{self.place}: a piece {error}")
            self._say(f"{self.place}: a piece {error}, and is not used")
            return None
        self._reading = self._reading.brought(now, seconds, f"{self.place}: is slow")
        self.use.taken_pieces += 1
        self.use.taken_bytes += len(data)
        return data

    async def _get_later(self, piece: PieceName, wait: float, promoted: trio.Event) -> bytes | None:
        """A sealed piece that no program waits for; None as for `_get`."""
        sealed, patience = None, 0.0
        async with trio.open_nursery() as nursery:

            async def hurry() -> None:
                await promoted.wait()
                nursery.cancel_scope.deadline = trio.current_time() + patience

            nursery.start_soon(hurry)
            async with nullcontext() if wait else self._limiter:  # nothing is transferred while it waits
                if self.is_usable:  # the one before may have found out
                    patience = _HURRIED_ANSWER
                    answer = self._tier.get(piece.name, wait=wait, urgent=False)
                    sealed = await self._ask(answer, wait + _PATIENT_ANSWER)
            nursery.cancel_scope.cancel()
        return sealed

    # -- claims ----------------------------------------------------------------------------------------------------

    async def _claim(self, piece: PieceName, progress: Callable[[], int], *, may_take_over: bool) -> Claim | None:
        """A claim on a piece; None: another machine, or another request of this one, has it."""
        if piece.name in self._claims:
            return None
        claim = Claim(piece, progress, is_stored=False)
        if not self.may_put:
            return claim
        self._claims[piece.name] = claim  # before the first await: of two requests of this machine one asks
        try:
            began = trio.current_time()
            is_created = await self._create(claim)
            self._answer_time = trio.current_time() - began
            if is_created is False and may_take_over:
                age = await self._ask(self._tier.age(claim_name(piece)), ANSWER)
                if age is not None and age > LEASE:
                    await self._ask_to_write(self._tier.remove(claim_name(piece)))
                    is_created = await self._create(claim)
        finally:
            if not claim.is_stored:
                self._forget(claim)
        if is_created is False:
            return None
        return claim

    async def _is_put_already(self, claim: Claim) -> bool:
        """Whether another machine has put the piece, and ended its claim, just before this claim; which is released.

        Asked after claiming: from then on no other machine fetches the piece.
        """
        if not claim.is_stored:
            return False
        try:
            is_there = await self._ask(self._tier.age(claim.piece.name), ANSWER) is not None
        except trio.Cancelled:
            await self.release(claim)
            raise
        if is_there:
            await self.release(claim)
        return is_there

    async def _create(self, claim: Claim) -> bool | None:
        """Store a claim where there is none; None: the tier could not be asked.

        Under cancellation it waits for the answer: a claim that is stored must be released.
        """
        with trio.CancelScope(shield=True):
            is_created = await self._ask_to_write(self._tier.put(claim_name(claim.piece), b"", only_new=True))
        if is_created:
            claim.is_stored, claim.progress_written = True, claim.progress()
            if self._renewal is None:
                self._renewal = trio.CancelScope()
                self._tasks.start_soon(self._renew, self._renewal, name="renew claims in the shared cache")
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled:
            await self.release(claim)
            raise
        return is_created

    async def _renew(self, scope: trio.CancelScope) -> None:
        """Write the claims again for which bytes have come, until the last claim ends, which may be before it began."""
        with scope:
            while True:
                await trio.sleep(_RENEWED_EVERY)
                for claim in list(self._claims.values()):
                    await self._write_again(claim)

    async def _write_again(self, claim: Claim) -> None:
        progress = claim.progress()
        if not claim.is_stored or progress == claim.progress_written:
            return
        claim.progress_written = progress
        with trio.CancelScope(shield=True):
            await self._ask_to_write(self._tier.put(claim_name(claim.piece), b""))
            if not claim.is_stored:  # released while it was written
                await self._ask_to_write(self._tier.remove(claim_name(claim.piece)))

    def _forget(self, claim: Claim) -> None:
        if self._claims.get(claim.piece.name) is claim:
            del self._claims[claim.piece.name]
        if not self._claims and self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    # -- asking the tier -------------------------------------------------------------------------------------------

    async def _ask(self, answer: Awaitable[T], seconds: float) -> T | None:
        """What the tier answers; None, and the tier is left alone for a while, when it fails or takes too long."""
        try:
            with trio.fail_after(seconds):
                return await answer
        except (TierFailed, trio.TooSlowError) as error:
            self._failed(error)
        return None

    def _failed(self, error: TierFailed | trio.TooSlowError) -> None:
        self._reading = self._reading.failed(trio.current_time(), self._words(error))
        self._say(self._reading.trouble)

    async def _ask_to_write(self, answer: Awaitable[T]) -> T | None:
        """As `_ask`, for what changes the tier: where that fails, pieces can still be taken."""
        try:
            with trio.fail_after(ANSWER):
                return await answer
        except ReadOnlyTier:
            self._is_read_only = True
        except (TierFailed, trio.TooSlowError) as error:
            self._writing = self._writing.failed(trio.current_time(), self._words(error))
            self._say(self._writing.trouble)
        return None

    def _words(self, error: BaseException) -> str:
        return f"{self.place}: does not answer" if isinstance(error, trio.TooSlowError) else str(error)

    def _say(self, trouble: str) -> None:
        """Log each trouble once: a tier that is away for a day would fill the log."""
        if trouble not in self._said:
            self._said.add(trouble)
            log.warning("the shared cache is in trouble; the platform is asked instead: %s", trouble)


def claim_name(piece: PieceName) -> str:
    """The name of the claim on a piece."""
    return f"{piece.name}{CLAIM_SUFFIX}"
