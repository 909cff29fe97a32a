"""The control socket of a mount, seen from other processes: its path, and asking it.

The request is one line of JSON, the reply several lines:

    -> {"do": "status"}
    <- {"reply": {...}}            any number of them
    <- {"end": 0, "message": ""}   exit status, and the reason if it is not 0

An HTTP request (`GET /metrics`) is answered with HTTP. Only the owner and root are answered, and only a socket of the
owner's or root's process is asked: both ends check the other's user id (SO_PEERCRED), whatever the permissions of the
folder. The serving end is `socket_server`. This module does without trio, so that short commands start fast.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coursefs.base.lock import FileLock
from coursefs.errors import CoursefsError, NoAnswer

if TYPE_CHECKING:
    import trio

Reply = Mapping[str, Any]

#: seconds for a client to wait for each line of a reply
_ANSWERED_WITHIN = 300.0
_STATUS_WITHIN = 3.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group


def path_for(folder: Path, mountpoint: Path) -> Path:
    """The path of the socket in a folder for the mount at this absolute path."""
    return folder / name_for(mountpoint)


def name_for(mountpoint: Path) -> str:
    """The file name of the socket for the mount at this absolute path, the same in each folder."""
    return f"mount-{hashlib.blake2b(os.fsencode(mountpoint), digest_size=6).hexdigest()}.sock"


def lock_for(path: Path) -> Path:
    """The lock file that a process holds while it owns the socket."""
    return path.with_suffix(".lock")


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """An address of the socket that fits into the 107 bytes of sun_path, however deep its folder is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Failed(CoursefsError):
    """A mount reported the failure of a command."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def ask(path: Path, do: str, *, within: float = _ANSWERED_WITHIN, **arguments: Any) -> Generator[Reply, None, None]:
    """Send a command to the mount behind a socket; yield the replies as they come.

    Raises `ConnectionError` if no process listens (the socket is a leftover, or missing), `NoAnswer` if a line does not
    come within so many seconds, and `CoursefsError` with the mount's exit status if the command fails.
    """
    with _connected(path, within) as asking:
        try:
            asking.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with asking.makefile("rb") as answer:
                for line in answer:
                    said = json.loads(line)
                    if "end" in said:
                        if said["end"]:
                            raise Failed(said["message"], int(said["end"]))
                        return
                    yield said["reply"]
        except TimeoutError:
            raise NoAnswer(f"the mount did not answer within {within:.0f} s") from None
        except (OSError, ValueError):  # ValueError: an incomplete line
            pass
    raise CoursefsError("the mount ended before it was done")


def status(path: Path) -> Reply | None:
    """The status of the mount behind a socket; None if no process listens. Otherwise raises what `ask` raises."""
    try:
        with closing(ask(path, "status", within=_STATUS_WITHIN)) as replies:
            return next(replies, None)
    except ConnectionError:
        return None


def owner(path: Path) -> int | None:
    """The pid of the process that listens on a socket, whether or not it answers; None: unknown."""
    try:
        with _connected(path, _STATUS_WITHIN) as asking:
            return peer(asking)[0] or None  # 0: a process of another pid namespace
    except (ConnectionError, NoAnswer):
        return None


def remove_leftover(path: Path) -> None:
    """Remove the socket of a killed process; not one on which a process listens, or is about to."""
    # do not create the lock: a missing one is not held, and root must not make files in another user's folder
    with suppress(CoursefsError, OSError), FileLock(lock_for(path), holder="umount", taken=str, create=False):
        path.unlink(missing_ok=True)


def find(folders: Sequence[Path], mountpoint: Path) -> Path | None:
    """The socket with a listening process for the mount at this absolute path, whether or not it answers."""
    return next((path for path in (path_for(one, mountpoint) for one in folders) if _is_listened_on(path)), None)


def all_mounts(folders: Sequence[Path]) -> list[tuple[Path, Reply]]:
    """Socket and status of every mount that answers."""
    return [(path, found) for path, found in processes(folders) if found is not None]


def mount_of_user(folders: Sequence[Path], *, demo: bool = False) -> Path | None:
    """The socket of the mount that has the user's catalogue and cache, or those of the demo; None if there is none."""
    return next((path for path, found in all_mounts(folders) if found["demo"] == demo), None)


def processes(folders: Sequence[Path]) -> list[tuple[Path, Reply | None]]:
    """Socket and status of every mount with a process, each once; None as the status if it does not answer."""
    found: dict[str, tuple[Path, Reply | None]] = {}  # by file name, which is the same for a mount in every folder
    for path in (path for folder in folders for path in sorted(folder.glob("mount-*.sock"))):
        if path.name in found:
            continue
        try:
            reply = status(path)
        except CoursefsError:
            found[path.name] = path, None
        else:
            if reply is not None:
                found[path.name] = path, reply
    return list(found.values())


def _is_listened_on(path: Path) -> bool:
    try:
        with _connected(path, _STATUS_WITHIN):
            return True
    except NoAnswer:
        return True
    except ConnectionError:
        return False


def peer(connected: socket.socket | trio.socket.SocketType) -> tuple[int, int]:
    """Pid and uid of the other end of a connection (SO_PEERCRED)."""
    pid, user, _ = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, user


def is_trusted(pid_and_user: tuple[int, int]) -> bool:
    """Whether what `peer` returned is a process of our user, or of root."""
    return pid_and_user[1] in {0, os.geteuid()}


@contextmanager
def _connected(path: Path, within: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(within)
        try:
            with address_of(path) as address:
                asking.connect(address)
        except (TimeoutError, BlockingIOError):  # its queue is full: its process does not accept
            raise NoAnswer("the mount does not answer") from None
        except OSError as error:
            raise ConnectionError(str(error)) from None
        if not is_trusted(peer(asking)):
            raise ConnectionError("the socket belongs to another user")
        yield asking
