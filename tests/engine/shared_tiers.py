"""Pieces, web servers of tiers, and many machines, for tests of shared caches."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from hypercorn.trio import serve

from coursefs.base.supervisor import Tasks
from coursefs.content import Contents
from coursefs.content.sharing import Sharing
from coursefs.demo.hosting import bound_to, url_of
from coursefs.shared import PieceName, SharedCache, SharedFile, SharedKey, Tier
from coursefs.shared.folder import FolderTier
from coursefs.shared.pieces import PIECE_SIZE, seal
from coursefs.shared.web_server import application, config
from tests.engine.content_bench import Bench, settled

KEY = SharedKey.generated()
PLATFORM = "openedx https://lms.example.com"
FILE = SharedFile(PLATFORM, "video/1", 200 * PIECE_SIZE, '"one"')
#: seconds that nothing takes, on a machine that may be busy: a wait for it ends later still
_UNHURRIED = 60.0


def piece(number: int = 0) -> PieceName:
    return FILE.piece(number * PIECE_SIZE)


def sealed(number: int = 0, key: SharedKey = KEY) -> bytes:
    """A piece as a machine puts it."""
    return seal(piece(number), bytes([number]) * piece(number).size, key)


def claim(number: int = 0) -> str:
    return f"{piece(number).name}.claim"


class CountingTier(FolderTier):
    """A folder, and how often each object was read from it, and looked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: Counter[str] = Counter()
        self.looked: Counter[str] = Counter()

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        self.read[name] += 1
        return await super().get(name, wait=wait, urgent=urgent)

    async def age(self, name: str) -> float | None:
        found = await super().age(name)
        self.looked[name] += 1
        return found


@asynccontextmanager
async def served(tier: Tier, key: SharedKey = KEY) -> AsyncIterator[str]:
    """The address of the web server of `serve-cache` over a tier."""
    with bound_to(0) as port:
        async with trio.open_nursery() as nursery:
            app: Any = application(tier, key)
            await nursery.start(partial(serve, app, config(port.dup()), mode="asgi"))
            yield url_of(port)
            nursery.cancel_scope.cancel()


def machine(it: Bench, folder: Path, number: int, tier: Callable[[], Tier], key: SharedKey = KEY) -> Contents:
    """The content engine of one machine, with a cache of its own and a connection of its own to the tier."""

    def sharing(tasks: Tasks) -> Sharing:
        return Sharing(SharedCache(tier(), key, tasks), lambda _: PLATFORM)

    return it.contents(folder / f"cache-{number}", sharing=sharing)


async def studied_by(it: Bench, folder: Path, machines: int, tier: Callable[[], Tier], step: int = 2**20) -> None:
    """All machines begin at once, and read all there is."""

    async def study(number: int) -> None:
        async with machine(it, folder, number, tier) as contents:
            assert await it.read_all(contents, step=step) == it.server.body
            await settled(contents, patience=2 * _UNHURRIED)

    async with trio.open_nursery() as nursery:
        for number in range(machines):
            nursery.start_soon(study, number)


def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty machines and their servers are one process here, on a machine that may be busy: nothing is late."""
    for name in ("ANSWER", "_HURRIED_ANSWER", "_PATIENT_ANSWER", "PATIENCE", "_PATIENT", "LEASE"):
        monkeypatch.setattr(f"coursefs.shared.shared_cache.{name}", _UNHURRIED)
    for name in (
        "web._TIMEOUT",
        "web._LATER_TIMEOUT",
        "web_server._PATIENCE",
        "objects._TIMEOUT",
        "objects._CONNECT_TIMEOUT",
    ):
        monkeypatch.setattr(f"coursefs.shared.{name}", _UNHURRIED)
    monkeypatch.setattr("coursefs.shared.health.SLOW", _UNHURRIED)


def from_platform(it: Bench) -> int:
    """Bytes that the server was asked for, but for probes of a byte."""
    spans = [span or (0, len(it.server.body)) for span in it.server.ranges]
    return sum(min(end, len(it.server.body)) - start for start, end in spans if end - start > 1)
