"""The control socket of a mount: one line of JSON says what is wanted, lines of JSON answer.

    -> {"do": "status"}
    <- {"reply": {...}}            any number of them
    <- {"end": 0, "message": ""}   exit status, and what is wrong if it is not 0

Only the owner can connect.  A command ends when whoever asked for it goes away.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from coursefs.errors import CoursefsError, leaf

log = logging.getLogger(__name__)

Reply = Mapping[str, Any]
#: makes the replies to a command from its arguments
Command = Callable[[Mapping[str, Any]], AsyncGenerator[Reply, None]]

#: seconds for a request to arrive, and for a client to wait for each line of the answer
_ASKED_WITHIN = 5.0
_ANSWERED_WITHIN = 300.0
_MAX_REQUEST = 1 << 20


def path_for(runtime_dir: Path, mountpoint: Path) -> Path:
    """Where the socket of the mount at this absolute path is.  Short: a socket's path has 107 bytes at most."""
    return runtime_dir / f"mount-{hashlib.blake2b(os.fsencode(mountpoint), digest_size=6).hexdigest()}.sock"


@asynccontextmanager
async def serving(path: Path, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Answer commands as long as the context lasts; nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)  # of a process that was killed: the mount point is ours now, so is its socket
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        await listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(16)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_accept, listener, commands, nursery)
                yield
                nursery.cancel_scope.cancel()
        finally:
            path.unlink(missing_ok=True)


async def _accept(listener: trio.socket.SocketType, commands: Mapping[str, Command], nursery: trio.Nursery) -> None:
    while True:
        peer, _ = await listener.accept()
        nursery.start_soon(_answer, trio.SocketStream(peer), commands)


async def _answer(stream: trio.SocketStream, commands: Mapping[str, Command]) -> None:
    # whoever goes away in the middle ends the command: BrokenResourceError
    with suppress(OSError, trio.BrokenResourceError):
        async with stream:
            with trio.move_on_after(_ASKED_WITHIN) as asking:
                wanted = await _request(stream)
            if not asking.cancelled_caught:
                await _carry_out(stream, commands, wanted)


async def _request(stream: trio.SocketStream) -> Mapping[str, Any]:
    data = b""
    while not data.endswith(b"\n") and len(data) < _MAX_REQUEST:
        part = await stream.receive_some()
        if not part:
            break
        data += part
    try:
        wanted = json.loads(data)
    except ValueError:
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
        except Exception as error:
            found = leaf(error)
            if isinstance(found, (OSError, trio.BrokenResourceError)):
                raise
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


def ask(path: Path, do: str, **arguments: Any) -> Iterator[Reply]:
    """The replies of the mount behind a socket, as they come.

    Raises `ConnectionError` when nobody answers (the socket is a leftover, or none), `CoursefsError` with the
    mount's exit status when it fails.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ANSWERED_WITHIN)
        try:
            asking.connect(str(path))
            asking.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
        except OSError as error:
            raise ConnectionError(str(error)) from None
        with asking.makefile("rb") as answer:
            for line in answer:
                said = json.loads(line)
                if "end" in said:
                    if said["end"]:
                        raise Failed(said["message"], int(said["end"]))
                    return
                yield said["reply"]
    raise CoursefsError("the mount ended before it was done")


def status(path: Path) -> Reply | None:
    """The status of the mount behind a socket; None when nobody answers."""
    try:
        return next(iter(ask(path, "status")), None)
    except (ConnectionError, CoursefsError, ValueError, OSError):
        return None


def all_mounts(runtime_dir: Path) -> list[tuple[Path, Reply]]:
    """Socket and status of every mount that answers."""
    answers = ((path, status(path)) for path in sorted(runtime_dir.glob("mount-*.sock")))
    return [(path, found) for path, found in answers if found is not None]
