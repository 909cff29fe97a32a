"""Single flight: everyone who wants the same thing at the same time waits for one making of it."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio

from coursefs.errors import CoursefsError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self) -> None:
        self.landed = trio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class Flights(Generic[K, T]):
    """Makings that are under way, by key, run in a nursery of their owner.

    A making belongs to nobody who waits for it: a waiter that is cancelled (a deadline, a killed program) does not
    take it away from the others, and what it brings is kept.  It ends with the nursery.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[K, _Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def start(self, key: K, make: Callable[[], Awaitable[T]]) -> trio.Event:
        """Start the making unless it is under way; the event is set when it has ended, well or not."""
        return self._start(key, make).landed

    async def wait(self, key: K) -> None:
        """Return when no making of it is under way, however it ended."""
        flight = self._flights.get(key)
        if flight is not None:
            await flight.landed.wait()

    async def join(self, key: K, make: Callable[[], Awaitable[T]]) -> T:
        """What the making gives; its exception is raised for everyone who waits."""
        flight = self._start(key, make)
        await flight.landed.wait()
        if isinstance(flight.error, CoursefsError):
            # each waiter raises its own: a traceback is not shared between tasks
            raise copy.copy(flight.error) from flight.error
        if flight.error is not None:
            raise flight.error
        return flight.result  # type: ignore[return-value]  # set whenever there is no error

    def _start(self, key: K, make: Callable[[], Awaitable[T]]) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            self._nursery.start_soon(self._run, key, flight, make)
        return flight

    async def _run(self, key: K, flight: _Flight[T], make: Callable[[], Awaitable[T]]) -> None:
        try:
            flight.result = await make()
        except Exception as error:  # whatever it is belongs to the waiters, not to the nursery
            flight.error = error
        except BaseException:
            flight.error = CoursefsError("coursefs is ending")  # the nursery was cancelled, its waiters were not
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
