"""Running functions in threads, on a machine that may refuse memory for it (RLIMIT_NPROC, RLIMIT_AS, a cgroup).

All code that coursefs runs in a thread goes through `run_sync`. Trio's own threads are not used: without memory to
deliver a result their thread ends, and trio waits for ever for a result that exists. Here a result is stored in its
job, which is allocated before the thread starts; the delivery is only a hint to check the job, and the waiting task
checks it every half second anyway.
"""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, TypeVarTuple, cast

import trio

from coursefs.errors import CoursefsError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: seconds between two checks of a job without a delivery
_LOOK = 0.5
#: checks, and seconds, until a job that no thread has begun is taken back: both, because the machine may be suspended
_LOOKS = 4
_BEGINS_WITHIN = 2.0
#: seconds that a thread waits for its next job
_IDLE = 10.0
#: seconds between two checks without memory even to wait
_NO_MEMORY = 0.005


class NoThread(CoursefsError):
    """The system lets this process start no more threads."""

    def __init__(
        self, message: str = "no thread could be started: the limit of memory or of processes is reached"
    ) -> None:
        super().__init__(message)


class ThreadLost(CoursefsError):
    """A thread ended in the middle of its work for lack of memory; how far it came is unknown."""

    def __init__(self, message: str = "a thread has ended in the middle of its work: there is no memory left") -> None:
        super().__init__(message)


class _Job(Generic[T]):
    """A function call in a thread, and its result."""

    __slots__ = (
        "claim",
        "error",
        "function",
        "is_abandoned",
        "is_done",
        "limiter",
        "since",
        "token",
        "told",
        "value",
        "worker",
    )

    def __init__(self, function: Callable[[], T], limiter: trio.CapacityLimiter) -> None:
        self.function: Callable[[], T] | None = function
        self.limiter = limiter
        self.token = trio.lowlevel.current_trio_token()
        self.told = trio.Event()
        self.claim = _thread.allocate_lock()  # held by the thread that runs it, or by the waiter that takes it back
        self.worker: _Worker | None = None
        self.since = time.monotonic()
        self.value: T | None = None
        self.error: BaseException | None = None
        self.is_done = False
        self.is_abandoned = False

    def do(self) -> None:
        """In the thread: call the function. From here on only the function itself allocates memory."""
        assert self.function is not None
        try:
            self.value = self.function()
        except BaseException as error:
            self.error = error
        finally:
            self.function = None  # nothing that it refers to outlives it
            self.is_done = True

    def deliver(self) -> None:
        """In the thread: wake the waiting task."""
        with suppress(Exception):  # no memory, or the loop has ended
            self.token.run_sync_soon(self.tell)

    def tell(self) -> None:
        """In the event loop of the waiting task, which an error would end."""
        with suppress(MemoryError):
            self.told.set()
            if self.is_abandoned:
                self.give_back()

    def give_back(self) -> None:
        """Release the limiter's token that an abandoned job holds until its thread is done."""
        if _abandoned.pop(self, self) is None:
            self.limiter.release_on_behalf_of(self)

    def look(self, looks: int = 0) -> None:
        """Take the job back if no thread has begun it after so many checks, or if its thread has ended."""
        assert self.worker is not None
        is_gone = self.worker.is_gone
        if self.is_done:  # read after `is_gone`: a thread may finish the job and end in between
            return
        is_late = looks >= _LOOKS and time.monotonic() - self.since >= _BEGINS_WITHIN
        if (is_gone or is_late) and self.claim.acquire(blocking=False):  # a thread that begins later finds it claimed
            self.error, self.is_done = NoThread(), True
        elif is_gone:
            self.error, self.is_done = ThreadLost(), True

    def outcome(self) -> T:
        """The result of the function. Raises its exception, or the reason why there is no result."""
        error, self.error = self.error, None
        if error is None:
            return cast(T, self.value)
        try:
            raise error
        finally:
            del error  # its traceback has this frame, which must not have it


class _Worker:
    """A thread that runs one job after the other."""

    __slots__ = ("is_gone", "job", "wake")

    def __init__(self) -> None:
        self.wake = _thread.allocate_lock()  # released when there is a job
        self.wake.acquire()
        self.job: _Job[Any] | None = None
        self.is_gone = False  # its thread has ended, or is about to

    def give(self, job: _Job[Any]) -> None:
        """Give it a job."""
        job.worker = self
        self.job = job
        self.wake.release()

    def work(self) -> None:
        """In the thread: wait for jobs, and run them."""
        try:
            while self._has_job():
                self._do()
        except MemoryError:
            pass  # the waiting task sees `is_gone`
        finally:
            self.is_gone = True

    def _has_job(self) -> bool:
        while not self.wake.acquire(True, _IDLE):  # a keyword would take memory, and so in _do
            try:
                del _idle[self]
            except KeyError:  # a job is just being given to it
                continue
            return False
        return True

    def _do(self) -> None:
        job, self.job = self.job, None
        assert job is not None
        begins = job.claim.acquire(False)
        if begins:
            job.do()
        # before the delivery: the task that gets the result may have the next job at once
        _idle[self] = None
        if begins:
            job.deliver()


#: idle threads; the last one is taken first, so that superfluous ones time out and end
_idle: dict[_Worker, None] = {}
#: abandoned jobs, which still hold a token of their limiter
_abandoned: dict[_Job[Any], None] = {}


@trio.lowlevel.enable_ki_protection  # as trio's own: Ctrl-C must not leave a job
async def run_sync(
    function: Callable[[*Ts], T],
    *args: *Ts,
    limiter: trio.CapacityLimiter | None = None,
    abandon_on_cancel: bool = False,
) -> T:
    """Run a function in a thread, as `trio.to_thread.run_sync` does; the thread has no access to trio.

    Raises `NoThread` if no thread can be started (the function was not called then), and `ThreadLost` if the thread
    ended in the middle of its work.
    """
    limiter = trio.to_thread.current_default_thread_limiter() if limiter is None else limiter
    job = _Job(lambda: function(*args), limiter)
    for left in list(_abandoned):
        if left.token is job.token:
            left.look()
            if left.is_done:
                left.give_back()  # the delivery was lost, or comes just now
    await job.limiter.acquire_on_behalf_of(job)
    try:
        _start(job)
    except (RuntimeError, MemoryError):  # "can't start new thread"
        job.limiter.release_on_behalf_of(job)
        raise NoThread from None
    try:
        await _over(job, may_abandon=abandon_on_cancel)
    except BaseException:
        _abandoned[job] = None
        job.is_abandoned = True
        if job.told.is_set():
            job.give_back()
        raise
    job.limiter.release_on_behalf_of(job)
    return job.outcome()


def _start(job: _Job[Any]) -> None:
    with suppress(KeyError):
        while True:
            worker, _ = _idle.popitem()
            if not worker.is_gone:
                worker.give(job)
                return
    worker = _Worker()
    worker.give(job)
    # not threading.Thread, whose `start` waits for ever if the thread has no memory to report that it runs
    _thread.start_new_thread(worker.work, ())


async def _over(job: _Job[Any], *, may_abandon: bool) -> None:
    """Wait until a job is done, or its thread is lost."""
    looks = 0
    while not job.is_done:
        try:
            with trio.CancelScope(shield=not may_abandon, deadline=trio.current_time() + _LOOK):
                await job.told.wait()
            looks += 1
            job.look(looks)
        except MemoryError:
            if may_abandon:
                raise
            # the caller reuses what the function works on as soon as this returns, so wait without memory too
            time.sleep(_NO_MEMORY)  # noqa: ASYNC251  # the thread needs nothing of this loop
