"""The guard of every FUSE handler: an errno for every exception."""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

import pyfuse3
import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.crash_messages import told as told_as
from coursefs.errors import CoursefsError, leaf

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class HasDeadline(Protocol):
    """The owner of the wrapped handlers."""

    deadline: float  # seconds that a kernel request may take
    told: set[tuple[str, int]]  # (handler, errno) of system errors that were logged already


S = TypeVar("S", bound=HasDeadline)
Handler: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, R]]


def answered(handler: Handler[S, P, R]) -> Handler[S, P, R]:
    """The handler with an errno in place of every exception.

    An exception other than `FUSEError` that leaves a pyfuse3 handler ends the session and the mount. A handler sets its
    deadline where it waits (`Callers.patience`).
    """

    @functools.wraps(handler)
    async def safe(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await handler(self, *args, **kwargs)
        except BaseException as error:
            answer = _answer_to(error, handler.__name__, self)
            if answer is None:
                raise
            raise answer from None

    return safe


def at_once(handler: Callable[Concatenate[S, P], R]) -> Handler[S, P, R]:
    """As `answered`, for a handler that never waits and so is no coroutine function."""

    @functools.wraps(handler)
    async def safe(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(self, *args, **kwargs)
        except Exception as error:
            raise _answer_to(error, handler.__name__, self) or error from None

    return safe


def _answer_to(error: BaseException, doing: str, owner: HasDeadline) -> pyfuse3.FUSEError | None:
    """The `FUSEError` to raise in place of an error; None if the error must end the process."""
    if isinstance(error, pyfuse3.FUSEError):
        return error
    if _is_cancelled(error):
        # The session ends, or restarts because the kernel was out of memory. The kernel still waits for a reply, and
        # so does a program: reply, and let the task be cancelled again at its next checkpoint.
        return pyfuse3.FUSEError(errno.EINTR if isinstance(error, trio.Cancelled) else errno.EIO)
    if not isinstance(error, Exception):
        return None
    try:
        if isinstance(error, trio.TooSlowError):
            log.info("%s: no answer within %.0f s", doing, owner.deadline)
            return pyfuse3.FUSEError(errno.ETIMEDOUT)
        return pyfuse3.FUSEError(errno_of(error, doing, owner.told))
    except Exception:  # logging failed, for example for lack of memory
        return pyfuse3.FUSEError(errno.EIO)


def _is_cancelled(error: BaseException) -> bool:
    """Whether it is a cancellation, or a group of one and of ordinary errors."""
    if isinstance(error, BaseExceptionGroup) and not isinstance(error, Exception):
        return error.split((trio.Cancelled, Exception))[1] is None
    return isinstance(error, trio.Cancelled)


def errno_of(error: BaseException, doing: str, told: set[tuple[str, int]]) -> int:
    """The errno for an error: that of a `CoursefsError`, EIO for all others.

    A system error (a full disk, too many open files) does not concern the file that was read, so its errno would
    mislead; it is logged once, and `told` remembers that. An unexpected error is logged by its kind and place, because
    its text may be secret.
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
    found = told_as(error)
    kind = (f"{doing}: {found}", 0)
    log_unforeseen(log, doing, error, level=logging.DEBUG if kind in told else logging.ERROR)
    told.add(kind)
    return errno.EIO
