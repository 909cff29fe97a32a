"""The last resort: ends a process that was told to end, or was unmounted, and hangs.

A thread may wait for a failed disk, or the main thread for a thread that has no memory to start. Then a watchdog
thread, started while there was memory, unmounts and ends the process.
"""

from __future__ import annotations

import _thread
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

from coursefs.base import threads
from coursefs.errors import CoursefsError
from coursefs.mount import mountinfo
from coursefs.mount.mountpoint import command_for, take_away

log = logging.getLogger(__name__)

#: seconds for a process to end, the grace of running requests included
ENDS_WITHIN = 10.0
#: seconds for fusermount3, and for the log, which may be what hangs
_UNMOUNTS_WITHIN = 5.0
_SAID_WITHIN = 1.0
#: bytes; freed first, so that there is memory for the rest. It is never touched, so it takes only address space
_RESERVE = 4 << 20
#: code places that the log names
_NAMED = 5
_PACKAGE = str(Path(__file__).resolve().parents[1])
#: modules in which idle threads wait
_WAITING = frozenset({__file__, threads.__file__})


class LastResort:
    """A watchdog over the end of a process. Raises `NoThread` if its thread cannot be started."""

    def __init__(self, leftovers: Sequence[Path]) -> None:
        """`leftovers`: files that the process removes when it ends normally."""
        self.mount: mountinfo.Mounted | None = None  # the mount to unmount
        self._leftovers = leftovers
        self._is_to_end = _locked()
        self._has_ended = _locked()
        self._reserve = bytearray(_RESERVE)

    def __enter__(self) -> LastResort:
        try:
            _thread.start_new_thread(self._watch, ())
        except (RuntimeError, MemoryError):
            raise threads.NoThread from None
        return self

    def begin(self) -> None:
        """Start the countdown. Can be called repeatedly, and in a signal handler that interrupts another one."""
        with suppress(RuntimeError):  # released already: to ask first whether it is locked could be interrupted
            self._is_to_end.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended.release()
        self.begin()
        self._reserve.clear()
        try:
            self._take_away()  # after an error of the event loop itself nothing was unmounted
        except CoursefsError as failure:
            log.error("%s", failure)  # noqa: TRY400  # the message is enough

    def _take_away(self) -> None:
        if self.mount is not None and self.mount.is_same(mountinfo.at(self.mount.mountpoint)):
            take_away(self.mount.mountpoint, within=_UNMOUNTS_WITHIN)

    def _watch(self) -> None:
        self._is_to_end.acquire()
        if self._has_ended.acquire(True, ENDS_WITHIN):
            return
        self._reserve.clear()
        try:
            self._end()
        finally:
            # Without memory for a child process, replace this process by fusermount3, which needs no more memory.
            if self.mount is not None:
                command = command_for(self.mount.mountpoint, lazily=True)
                os.execvp(command[0], command)  # noqa: S606
            os._exit(1)

    def _end(self) -> None:
        for path in self._leftovers:
            path.unlink(missing_ok=True)
        said = _locked()
        _thread.start_new_thread(self._say, (said,))
        said.acquire(True, _SAID_WITHIN)
        self._take_away()
        os._exit(0 if self.mount is not None else 1)

    def _say(self, said: _thread.LockType) -> None:
        places = sorted(set(_places()))[:_NAMED]
        where = f" ({', '.join(places)})" if places else ""
        log.error("has not ended within %.0f s%s: it is unmounted and ended", ENDS_WITHIN, where)
        said.release()


def _locked() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _places() -> Iterator[str]:
    """The innermost line of our code in each thread."""
    own = _thread.get_ident()
    for identifier, innermost in sys._current_frames().items():
        frame: FrameType | None = innermost
        while frame is not None and not frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
        if frame is not None and identifier != own and frame.f_code.co_filename not in _WAITING:
            yield f"{frame.f_code.co_filename.removeprefix(_PACKAGE + os.sep)}:{frame.f_lineno}"
