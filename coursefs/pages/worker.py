"""Rendering of platform texts under limits: small ones inline, others in a child process with a deadline.

Rendering takes linear time, but a text may have any size, and a library may handle some text badly. So a text that
could delay other requests is rendered by a child process (`coursefs.pages.worker_process`) with limits on CPU time and
memory. A thread would not help: within a regular expression it holds the interpreter's lock and cannot be ended.

The child gets a pickled call and returns a pickled result, of which only classes of `coursefs.model` are loaded. It
makes one call and ends, so there is no state to keep or reset. Its start takes some tenths of a second, which is why
small texts do not use it.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.installation import own_command
from coursefs.errors import BadReply, CoursefsError
from coursefs.pages.formulas import formulas

log = logging.getLogger(__name__)

T = TypeVar("T")


class Unrenderable(BadReply):
    """A text that can never be rendered; the message says why."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """The limits of a call."""

    #: characters of all texts together; the longest text in recorded replies has 512,095
    text: int = 4_000_000
    #: bytes of the result, all of which later steps process; the largest from recorded replies has 401,000
    result: int = 6_000_000
    cpu: int = 5  # seconds of CPU time of the child
    wall: float = 20.0  # seconds until the child is killed; long, because the machine may be busy
    memory: int = 1 << 30  # bytes of address space; the imports take a third of it
    #: upper limits for rendering inline on the event loop: some tens of milliseconds at most
    small_text: int = 65_536  # characters
    small_tags: int = 2_000
    small_formulas: int = 4_000  # characters of formulas


class TextWorker:
    """Calls pure functions on platform texts; at most one child process at a time."""

    def __init__(self, limits: WorkerLimits | None = None) -> None:
        self._limits = limits or WorkerLimits()
        self._limiter = trio.CapacityLimiter(1)

    async def call(self, function: Callable[[], T], *, texts: Iterable[str], about: str) -> T:
        """The result of `function()`.

        `function` is a module-level function, or a `functools.partial` of one, with picklable arguments; it returns
        built-in types and classes of `coursefs.model`. `texts` are its input, for the limits. `about` names their
        source in the log (""; nothing is logged).

        Raises `Unrenderable` if the texts are too large or the function fails with any exception, and another
        `CoursefsError` if the machine could not do it now. Cancellation kills the child process.
        """
        await trio.lowlevel.checkpoint()  # between many small texts, other tasks must run
        given = [text for text in texts if text]
        length = sum(map(len, given))
        try:
            if length > self._limits.text:
                raise Unrenderable(f"the text is too long ({length:,} characters)")
            if is_small(given, self._limits):
                return _call_inline(function)
            return await self._in_process(function)
        except Unrenderable as error:
            if about:
                log.warning("%s: a link page takes the place of a text: %s", about, error)
            raise

    async def _in_process(self, function: Callable[[], T]) -> T:
        limits = self._limits
        request = pickle.dumps((limits.cpu, limits.memory, limits.result, function))
        async with self._limiter:
            try:
                with trio.fail_after(limits.wall):
                    done = await trio.run_process(
                        own_command("coursefs.pages.worker_process"),
                        stdin=request,
                        capture_stdout=True,
                        stderr=subprocess.DEVNULL,
                        check=False,
                        deliver_cancel=_kill,
                        start_new_session=True,
                        cwd="/",
                        env=_environment(),
                    )
            except trio.TooSlowError:
                raise CoursefsError("the text could not be rendered in time; this machine may be busy") from None
            except OSError as error:
                raise CoursefsError(f"the text could not be rendered: {error.strerror}") from None
        if done.returncode == -signal.SIGXCPU:
            raise Unrenderable("rendering the text takes too long")
        if done.returncode == -signal.SIGKILL:  # by the kernel's OOM killer, or by a user
            raise CoursefsError("the text could not be rendered: its process was killed")
        if done.returncode or not done.stdout:
            raise Unrenderable(f"rendering the text failed (status {done.returncode})")
        result, failure = _loaded(done.stdout)
        if failure:
            raise Unrenderable(failure)
        return result  # type: ignore[no-any-return]  # of the function's own type


def is_small(texts: Iterable[str], limits: WorkerLimits) -> bool:
    """Whether texts are rendered within some tens of milliseconds, whatever they contain."""
    length = tags = formula = 0
    for text in texts:
        length += len(text)
        tags += text.count("<")
        if length > limits.small_text or tags > limits.small_tags:
            return False
        if text.count("$") > 1 or "\\(" in text or "\\[" in text:
            formula += sum(one.end - one.start for one in formulas(text, flagged=True))
        formula += 4 * (text.count("[mathjax") + text.count("math/tex"))
        if formula > limits.small_formulas:
            return False
    return True


def _call_inline(function: Callable[[], T]) -> T:
    try:
        return function()
    except Exception as error:  # any exception must cost only this text
        log_unforeseen(log, "rendering", error, level=logging.DEBUG)
        raise Unrenderable(f"rendering the text failed ({type(error).__name__})") from None


async def _kill(process: trio.Process) -> None:
    process.kill()


def _environment() -> dict[str, str]:
    """The environment of the child: the same module path, and no secrets."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"}


class _Results(pickle.Unpickler):
    """An unpickler that loads only built-in types and the data classes of `coursefs.model`."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "coursefs.model":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no result")


def _loaded(data: bytes) -> tuple[Any, str]:
    """The result of a child and "", or the reason of its failure."""
    try:
        result, failure = _Results(io.BytesIO(data)).load()
    except Exception:  # a child that its text has corrupted may write anything
        raise Unrenderable("rendering the text failed (its result was not understood)") from None
    return result, str(failure)
