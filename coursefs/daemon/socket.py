"""The control socket of a mount: one line of JSON says what is wanted, lines of JSON answer.

    -> {"do": "status"}
    <- {"reply": {...}}            any number of them
    <- {"end": 0, "message": ""}   exit status, and what is wrong if it is not 0

A request of HTTP (`GET /metrics`) is answered as such.  Only the owner can connect.  A command ends when whoever asked
for it goes away.  Whatever a client does, and whatever a command raises, the mount goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from coursefs.daemon import http
from coursefs.errors import CoursefsError, NoAnswer, leaf
from coursefs.lock import FileLock

log = logging.getLogger(__name__)

Reply = Mapping[str, Any]
#: makes the replies to a command from its arguments
Command = Callable[[Mapping[str, Any]], AsyncGenerator[Reply, None]]

#: seconds for a request to arrive, and for a client to wait for each line of the answer; a status takes no time
_ASKED_WITHIN = 5.0
_ANSWERED_WITHIN = 300.0
_STATUS_WITHIN = 3.0
_MAX_REQUEST = 1 << 20
_BACKLOG = 64
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): process, user, group


def path_for(runtime_dir: Path, mountpoint: Path) -> Path:
    """Where the socket of the mount at this absolute path is."""
    return runtime_dir / f"mount-{hashlib.blake2b(os.fsencode(mountpoint), digest_size=6).hexdigest()}.sock"


def lock_for(path: Path) -> Path:
    """What a process holds while a socket is its own."""
    return path.with_suffix(".lock")


@asynccontextmanager
async def serving(
    path: Path, commands: Mapping[str, Command], pages: Mapping[str, http.Page] | None = None
) -> AsyncIterator[None]:
    """Answer commands, and pages for clients of HTTP, as long as the context lasts; nothing is left behind."""
    path.unlink(missing_ok=True)  # of a process that was killed: the mount point is ours now, so is its socket
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        with _address(path) as address:
            await bound.bind(address)
        path.chmod(0o600)
        bound.listen(_BACKLOG)
        try:
            async with trio.open_nursery() as nursery:
                # trio's own loop: it outlives clients that are gone before they are accepted, and a full file table
                nursery.start_soon(
                    trio.serve_listeners, partial(_answer, commands, pages or {}), [trio.SocketListener(bound)]
                )
                yield
                nursery.cancel_scope.cancel()
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A name of the socket that fits into the 107 bytes which an address has, however deep its folder lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def _answer(commands: Mapping[str, Command], pages: Mapping[str, http.Page], stream: trio.SocketStream) -> None:
    try:
        with trio.move_on_after(_ASKED_WITHIN) as asking:
            data = await _line(stream)
        if asking.cancelled_caught:
            return
        if http.is_http(data):
            await http.answer(stream, data, pages)
        else:
            await _carry_out(stream, commands, _request(data))
    except trio.BrokenResourceError:
        log.debug("a client of the control socket went away")
    except Exception:
        log.exception("a client of the control socket could not be answered")


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
                log.exception("the command %s failed unexpectedly", wanted.get("do"))
                found = CoursefsError("the mount could not do it; its log says why")
            end = {"end": found.exit_status, "message": str(found)}
    await _send(stream, end)


async def _send(stream: trio.SocketStream, line: Reply) -> None:
    await stream.send_all(json.dumps(line).encode() + b"\n")


class Failed(CoursefsError):
    """What a mount said of its failure."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def ask(path: Path, do: str, *, within: float = _ANSWERED_WITHIN, **arguments: Any) -> Generator[Reply, None, None]:
    """The replies of the mount behind a socket, as they come.

    Raises `ConnectionError` when nobody listens (the socket is a leftover, or none), `NoAnswer` when a line does not
    come within so many seconds, `CoursefsError` with the mount's exit status when it fails.
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
        except (OSError, ValueError):  # ValueError: half a line
            pass
    raise CoursefsError("the mount ended before it was done")


def status(path: Path) -> Reply | None:
    """The status of the mount behind a socket; None when nobody listens.  Otherwise raises what `ask` raises."""
    try:
        with closing(ask(path, "status", within=_STATUS_WITHIN)) as replies:
            return next(replies, None)
    except ConnectionError:
        return None


def owner(path: Path) -> int | None:
    """The process that listens on a socket, as the kernel knows it, whether it answers or not; None: nobody known."""
    try:
        with _connected(path, _STATUS_WITHIN) as asking:
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except (ConnectionError, NoAnswer):
        return None
    pid: int = _CREDENTIALS.unpack(credentials)[0]
    return pid or None  # 0: it lives in another container


def remove_leftover(path: Path) -> None:
    """Take away the socket of a process that was killed; not one that somebody listens on, or is about to."""
    with suppress(CoursefsError, OSError), FileLock(lock_for(path), holder="umount", taken=str):
        path.unlink(missing_ok=True)


def all_mounts(runtime_dir: Path) -> list[tuple[Path, Reply]]:
    """Socket and status of every mount that answers."""
    return [(path, found) for path, found in processes(runtime_dir) if found is not None]


def mount_of_user(runtime_dir: Path) -> Path | None:
    """The socket of the mount that has the user's catalogue and cache; None when there is none but of a demo."""
    return next((path for path, found in all_mounts(runtime_dir) if not found["demo"]), None)


def processes(runtime_dir: Path) -> list[tuple[Path, Reply | None]]:
    """Socket and status of every mount that has a process; None for one that does not answer."""
    found: list[tuple[Path, Reply | None]] = []
    for path in sorted(runtime_dir.glob("mount-*.sock")):
        try:
            reply = status(path)
        except CoursefsError:
            found.append((path, None))
        else:
            found += [(path, reply)] if reply is not None else []
    return found


@contextmanager
def _connected(path: Path, within: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(within)
        try:
            with _address(path) as address:
                asking.connect(address)
        except (TimeoutError, BlockingIOError):  # so many have asked in vain that no more are let in
            raise NoAnswer("the mount does not answer") from None
        except OSError as error:
            raise ConnectionError(str(error)) from None
        yield asking
