"""Pending signals of a thread, from /proc: whether one of them ends it while it waits in a system call."""

from __future__ import annotations

import os
import signal
from pathlib import Path

_PROC = Path("/proc")


def _mask(*numbers: int) -> int:
    return sum(1 << number - 1 for number in numbers)


_S = signal.Signals
#: signals by which a user asks a program to end: one that handles them cannot do so before its system call returns
_ASKS_TO_END = _mask(_S.SIGINT, _S.SIGQUIT, _S.SIGTERM, _S.SIGKILL)
#: signals that end no program that does not handle them
_HARMLESS = _mask(_S.SIGCHLD, _S.SIGCONT, _S.SIGSTOP, _S.SIGTSTP, _S.SIGTTIN, _S.SIGTTOU, _S.SIGURG, _S.SIGWINCH)


def is_ended_by(status: bytes) -> bool:
    """Whether a pending signal ends this thread, or asks its program to end; of `/proc/<thread>/status` (pure).

    The kernel adds SIGKILL to every thread of a process that a signal ends, except for signals that dump core. A signal
    that the program handles counts only if it asks to end: some programs send themselves others all the time.
    """
    fields = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
    if fields.get(b"State", b"").split()[:1] in ([b"Z"], [b"X"]):
        return True
    pending, shared, blocked, ignored, caught = (
        int(fields.get(name, b"0"), 16) for name in (b"SigPnd", b"ShdPnd", b"SigBlk", b"SigIgn", b"SigCgt")
    )
    arriving = (pending | shared) & ~blocked & ~ignored
    return bool(arriving & (_ASKS_TO_END | ~(_HARMLESS | caught)))


def is_ending(thread: int, proc: Path = _PROC) -> bool:
    """Whether a thread has ended or is being ended by a signal.

    False if that cannot be known: the kernel gives 0 for a thread of another PID namespace.
    """
    if thread <= 0:
        return False
    try:
        return is_ended_by((proc / str(thread) / "status").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return not _exists(thread)  # with the mount option hidepid, /proc lacks the processes of other users
    except (OSError, ValueError):
        return False


def _exists(thread: int) -> bool:
    try:
        os.kill(thread, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
