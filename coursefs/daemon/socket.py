"""The control socket of a mount: the request is one line of JSON, the reply several lines.

    -> {"do": "status"}
    <- {"reply": {...}}            any number of them
    <- {"end": 0, "message": ""}   exit status, and the reason if it is not 0

An HTTP request (`GET /metrics`) is answered with HTTP. Only the owner and root are answered, and only a socket of the
owner's or root's process is asked: both ends check the other's user id (SO_PEERCRED), whatever the permissions of the
folder. A command is cancelled if its client disconnects. No client and no error of a command ends the mount.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.lock import FileLock
from coursefs.base.supervisor import Supervisor
from coursefs.daemon import metrics_server
from coursefs.errors import CoursefsError, NoAnswer, leaf

log = logging.getLogger(__name__)

Reply = Mapping[str, Any]
#: a command: makes the replies from its arguments
Command = Callable[[Mapping[str, Any]], AsyncGenerator[Reply, None]]

#: seconds for a request to arrive, and for a client to wait for each line of a reply
_ASKED_WITHIN = 5.0
_ANSWERED_WITHIN = 300.0
_STATUS_WITHIN = 3.0
_MAX_REQUEST = 1 << 20
_BACKLOG = 64
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


@asynccontextmanager
async def serving(
    path: Path,
    commands: Mapping[str, Command],
    pages: Mapping[str, metrics_server.Page] | None = None,
    failed: Callable[[str, CoursefsError], None] | None = None,
) -> AsyncIterator[None]:
    """Answer commands and HTTP requests while the context lasts; removes the socket at the end.

    `failed` is called with an error that stops the server.
    """
    path.unlink(missing_ok=True)  # left by a killed process: we hold the lock of the mount point, so the name is ours
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        with _address(path) as address:
            await bound.bind(address)
        path.chmod(0o600)
        own = _identity(path)
        bound.listen(_BACKLOG)
        try:
            async with trio.open_nursery() as nursery:
                # trio's accept loop survives clients that disconnect before they are accepted, and a full file table
                answer, listeners = partial(_answer, commands, pages or {}), [trio.SocketListener(bound)]
                supervisor = Supervisor(nursery, failed)
                supervisor.keep_running(trio.serve_listeners, answer, listeners, name="control socket")
                yield
                nursery.cancel_scope.cancel()
        finally:
            if own == _identity(path):  # not the socket of another mount that has taken the name since
                path.unlink(missing_ok=True)


@asynccontextmanager
async def serving_in(
    folders: Sequence[Path],
    mountpoint: Path,
    commands: Mapping[str, Command],
    pages: Mapping[str, metrics_server.Page] | None = None,
    failed: Callable[[str, CoursefsError], None] | None = None,
) -> AsyncIterator[None]:
    """As `serving`, on a socket in each of the folders; at least one.

    Raises `CoursefsError` if no folder can have a socket (some network file systems do not support them).
    """
    reason = "there is no folder for it"
    is_served = False
    async with AsyncExitStack() as stack:
        for folder in folders:
            path = path_for(folder, mountpoint)
            try:
                await stack.enter_async_context(serving(path, commands, pages, failed))
            except OSError as error:
                reason = f"{folder}: {error.strerror or error}"
                log.info("no control socket can be made in %s", reason)
            else:
                is_served = True
        if not is_served:
            raise CoursefsError(f"the control socket cannot be made: {reason}")
        yield


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a path; None if it does not exist."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """An address of the socket that fits into the 107 bytes of sun_path, however deep its folder is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _answer(
    commands: Mapping[str, Command], pages: Mapping[str, metrics_server.Page], stream: trio.SocketStream
) -> None:
    try:
        if not _is_trusted(_peer(stream.socket)):
            log.warning("refused another user's request on the control socket")
            await _send(stream, {"end": 1, "message": "this mount belongs to another user"})
            return
        with trio.move_on_after(_ASKED_WITHIN) as asking:
            data = await _line(stream)
        if asking.cancelled_caught:
            return
        if metrics_server.is_http(data):
            await metrics_server.answer(stream, data, pages)
        else:
            await _carry_out(stream, commands, _request(data))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        log.debug("a client of the control socket disconnected")
    except Exception as error:
        log_unforeseen(log, "answering a client of the control socket", error)


async def _line(stream: trio.SocketStream) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < _MAX_REQUEST:
        part = await stream.receive_some()
        if not part:
            break
        data += part
    return data


def _request(data: bytes) -> Mapping[str, Any]:
    try:
        wanted = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return wanted if isinstance(wanted, dict) else {}


async def _carry_out(stream: trio.SocketStream, commands: Mapping[str, Command], wanted: Mapping[str, Any]) -> None:
    command = commands.get(str(wanted.get("do")))
    end: Reply = {"end": 0, "message": ""}
    if command is None:
        end = {"end": 2, "message": "this mount does not know that command; was it started by another coursefs?"}
    else:
        try:
            async with aclosing(command(wanted)) as replies:
                async for reply in replies:
                    await _send(stream, {"reply": reply})
        except trio.BrokenResourceError:
            raise
        except Exception as error:
            found = leaf(error)
            if not isinstance(found, CoursefsError):
                log_unforeseen(log, f"the command {wanted.get('do')}", error)
                found = CoursefsError("the mount failed to do this; see its log")
            end = {"end": found.exit_status, "message": str(found)}
    await _send(stream, end)


async def _send(stream: trio.SocketStream, line: Reply) -> None:
    await stream.send_all(json.dumps(line).encode() + b"\n")


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
            return _peer(asking)[0] or None  # 0: a process of another pid namespace
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


def _peer(connected: socket.socket | trio.socket.SocketType) -> tuple[int, int]:
    """Pid and uid of the other end of a connection (SO_PEERCRED)."""
    pid, user, _ = _CREDENTIALS.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, user


def _is_trusted(peer: tuple[int, int]) -> bool:
    return peer[1] in {0, os.geteuid()}


@contextmanager
def _connected(path: Path, within: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(within)
        try:
            with _address(path) as address:
                asking.connect(address)
        except (TimeoutError, BlockingIOError):  # its queue is full: its process does not accept
            raise NoAnswer("the mount does not answer") from None
        except OSError as error:
            raise ConnectionError(str(error)) from None
        if not _is_trusted(_peer(asking)):
            raise ConnectionError("the socket belongs to another user")
        yield asking
