"""The serving end of the control socket: a mount answers commands and HTTP requests there, as `socket` describes them.

A command is cancelled if its client disconnects. No client and no error of a command ends the mount.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from coursefs.base.crash_messages import log_unforeseen
from coursefs.base.supervisor import Supervisor
from coursefs.daemon import metrics_server
from coursefs.daemon.socket import Reply, address_of, is_trusted, path_for, peer
from coursefs.errors import CoursefsError, leaf

log = logging.getLogger(__name__)

#: a command: makes the replies from its arguments
Command = Callable[[Mapping[str, Any]], AsyncGenerator[Reply, None]]

#: seconds for a request to arrive
_ASKED_WITHIN = 5.0
_MAX_REQUEST = 1 << 20
_BACKLOG = 64


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
        with address_of(path) as address:
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


async def _answer(
    commands: Mapping[str, Command], pages: Mapping[str, metrics_server.Page], stream: trio.SocketStream
) -> None:
    try:
        if not is_trusted(peer(stream.socket)):
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
