"""Single flight for values that end: a token, a cookie or an answer is renewed once for all waiting tasks."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import trio

from coursefs.errors import CoursefsError, NoAnswer, without_variables

T = TypeVar("T")


class Renewal(Generic[T]):
    """A shared value, such as a token, that one task renews for all.

    Tasks that ask during a renewal wait for it and share its result, also an error.  If the renewing task is cancelled,
    the next waiting task starts again.  With `within` (seconds) a renewal is shielded from cancellation for that time,
    because the new value may end the old one and must be stored; after that time it raises `NoAnswer` with the message
    `late`.
    """

    def __init__(self, value: T | None = None, *, within: float | None = None, late: str = "") -> None:
        self.value = value  # None: there is none
        self._within = within
        self._late = late
        self._turn = trio.Lock()
        self._ended = 0  # renewals so far
        self._failure: CoursefsError | None = None  # of the last one

    async def other_than(self, refused: T | None, renew: Callable[[], Awaitable[T]]) -> T:
        """The value; if it is the refused one, the result of `renew`, which becomes the value.

        `renew` may return the same value again, when there is no other.  Raises what `renew` raises.
        """
        if self.value is not None and self.value != refused:
            return self.value
        ended = self._ended
        async with self._turn:
            if self.value is not None and self.value != refused:
                return self.value
            if self._ended != ended:
                if self._failure is not None:
                    # a copy for each task: a shared exception would collect the tracebacks of all
                    raise copy.copy(self._failure) from None
                if self.value is not None:
                    return self.value
            try:
                self.value = await self._renewed(renew)
            except CoursefsError as error:
                self._failure = without_variables(error)  # kept: must hold no frames
                self._ended += 1
                raise
            self._failure = None
            self._ended += 1
            return self.value

    async def _renewed(self, renew: Callable[[], Awaitable[T]]) -> T:
        if self._within is None:
            return await renew()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self._within):
            return await renew()
        raise NoAnswer(self._late)


class SharedQuestion(Generic[T]):
    """A shared request whose answer counts only for tasks that asked before the request was made.

    An example is the check whether a session is alive: the answer to an earlier request may be out of date.  Tasks
    that ask during a request wait for it, and share the next one.
    """

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self._begun = 0
        self._about: Hashable = None
        self._answer: T | None = None

    async def ask(self, about: Hashable, put: Callable[[], Awaitable[T]]) -> T:
        """The result of `put`, or of another task's `put` with the same `about` that began after this call."""
        begun = self._begun
        async with self._turn:
            if self._begun > begun and self._about == about and self._answer is not None:
                return self._answer
            self._begun += 1
            self._about, self._answer = about, None
            self._answer = await put()
            return self._answer
