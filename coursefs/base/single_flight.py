"""Single flight: concurrent callers with the same key share one call and its result."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio

from coursefs.base.supervisor import Tasks
from coursefs.errors import CoursefsError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Call(Generic[T]):
    """One call in progress, and its outcome once `done` is set."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class SingleFlight(Generic[K, T]):
    """Calls in progress, by key, each run as a task of its own in `tasks`.

    The task belongs to no caller: a caller that is cancelled (a deadline, a killed program) does not cancel the call
    for the others, and its result is still stored. The call ends with `tasks`.
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._calls: dict[K, _Call[T]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def start(self, key: K, make: Callable[[], Awaitable[T]]) -> trio.Event:
        """Start the call for this key unless one is in progress; return an event that is set when it ends.

        The event is set after a failure too, and the error is not raised.
        """
        return self._start(key, make).done

    async def wait(self, key: K) -> None:
        """Wait for the call in progress for this key, if any; its error is not raised."""
        call = self._calls.get(key)
        if call is not None:
            await call.done.wait()

    async def join(self, key: K, make: Callable[[], Awaitable[T]]) -> T:
        """Start or join the call for this key and return its result. Raises its exception for every caller."""
        call = self._start(key, make)
        await call.done.wait()
        if isinstance(call.error, CoursefsError):
            # a copy for each waiter: raising changes the traceback, which tasks must not share
            raise copy.copy(call.error) from call.error
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value]  # set whenever there is no error

    def _start(self, key: K, make: Callable[[], Awaitable[T]]) -> _Call[T]:
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Call()
            try:
                self._tasks.start_soon(self._run, key, call, make)
            except BaseException:
                del self._calls[key]  # else later callers would wait for ever
                raise
        return call

    async def _run(self, key: K, call: _Call[T], make: Callable[[], Awaitable[T]]) -> None:
        try:
            call.result = await make()
        except Exception as error:  # raised by `join` in each caller; it must not end the nursery
            call.error = error
        except BaseException:
            call.error = CoursefsError("coursefs is ending")  # cancelled with the nursery, while its callers may go on
            raise
        finally:
            del self._calls[key]
            call.done.set()
