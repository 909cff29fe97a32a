"""The status socket of a mount: who connects is told its state as one line of JSON."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

Status = Mapping[str, Any]

_TIMEOUT = 5.0


def path_for(runtime_dir: Path, mountpoint: Path) -> Path:
    """Where the socket of the mount at this absolute path is.  Short: a socket's path has 107 bytes at most."""
    return runtime_dir / f"mount-{hashlib.blake2b(os.fsencode(mountpoint), digest_size=6).hexdigest()}.sock"


@asynccontextmanager
async def serving(path: Path, status: Callable[[], Status]) -> AsyncIterator[None]:
    """Serve the status as long as the context lasts; only the owner can connect, and nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)  # of a process that was killed: the mount point is ours now, so is its socket
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        await listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(16)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_accept, listener, status, nursery)
                yield
                nursery.cancel_scope.cancel()
        finally:
            path.unlink(missing_ok=True)


async def _accept(listener: trio.socket.SocketType, status: Callable[[], Status], nursery: trio.Nursery) -> None:
    while True:
        peer, _ = await listener.accept()
        nursery.start_soon(_answer, peer, status)


async def _answer(peer: trio.socket.SocketType, status: Callable[[], Status]) -> None:
    with peer, suppress(OSError), trio.move_on_after(_TIMEOUT):
        await trio.SocketStream(peer).send_all(json.dumps(status()).encode() + b"\n")


def ask(path: Path) -> Status | None:
    """The status of the mount behind a socket; None when nobody answers (the socket is a leftover)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_TIMEOUT)
        try:
            asking.connect(str(path))
            with asking.makefile("rb") as answer:
                found = json.loads(answer.readline())
        except (OSError, ValueError):
            return None
    return found if isinstance(found, dict) else None


def all_mounts(runtime_dir: Path) -> list[Status]:
    """The status of every mount that answers."""
    answers = (ask(path) for path in sorted(runtime_dir.glob("mount-*.sock")))
    return [status for status in answers if status is not None]
