"""One wrapper round every handler: a deadline for each kernel request, and no exception that could end the mount."""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

import pyfuse3
import trio

from coursefs.errors import CoursefsError, leaf

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class HasDeadline(Protocol):
    """What the wrapped handlers' owner says."""

    deadline: float  # seconds that a kernel request may take
    told: set[tuple[str, int]]  # which handler's errors of the system were said already


S = TypeVar("S", bound=HasDeadline)
Handler: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, R]]


def guarded(handler: Handler[S, P, R]) -> Handler[S, P, R]:
    """The handler with a deadline, and with everything that it raises turned into an errno.

    Any exception but `FUSEError` that leaves a pyfuse3 handler ends the session, and with it the mount; and a handler
    never learns that its caller was killed, so without a deadline that caller stays unkillable.
    """

    @functools.wraps(handler)
    async def in_time(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with trio.fail_after(self.deadline):
            return await handler(self, *args, **kwargs)

    return answered(in_time)


def answered(handler: Handler[S, P, R]) -> Handler[S, P, R]:
    """As `guarded`, for a handler that sees to a deadline where it waits."""

    @functools.wraps(handler)
    async def safe(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(self, *args, **kwargs)
        except Exception as error:
            raise _answer_to(error, handler.__name__, self) from None

    return safe


def at_once(handler: Callable[Concatenate[S, P], R]) -> Handler[S, P, R]:
    """As `answered`, for a handler that never waits and therefore is no coroutine."""

    @functools.wraps(handler)
    async def safe(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(self, *args, **kwargs)
        except Exception as error:
            raise _answer_to(error, handler.__name__, self) from None

    return safe


def _answer_to(error: Exception, doing: str, owner: HasDeadline) -> pyfuse3.FUSEError:
    if isinstance(error, pyfuse3.FUSEError):
        return error
    if isinstance(error, trio.TooSlowError):
        log.info("%s: no answer within %.0f s", doing, owner.deadline)
        return pyfuse3.FUSEError(errno.ETIMEDOUT)
    return pyfuse3.FUSEError(errno_of(error, doing, owner.told))


def errno_of(error: BaseException, doing: str, told: set[tuple[str, int]]) -> int:
    """The errno that a program sees for an error: its own for one of ours, EIO for all others.

    An error of the system below us (a full disk, no file left to open) says nothing of the file that was asked for,
    so its number is no answer; it is logged when it comes for the first time, `told` remembers which ones did.  One
    that nobody expected is logged with its trace.
    """
    error = leaf(error)
    if isinstance(error, CoursefsError):
        log.debug("%s: %s", doing, error)
        return error.errno
    if isinstance(error, OSError):
        kind = (doing, error.errno or 0)
        log.log(logging.DEBUG if kind in told else logging.WARNING, "%s: %s", doing, error)
        told.add(kind)
        return errno.EIO
    log.error("%s failed unexpectedly", doing, exc_info=error)
    return errno.EIO
