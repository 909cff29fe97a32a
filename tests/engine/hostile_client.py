"""A process that asks a server for hostile replies and says what each did to it.

For `test_hostile_replies`: memory is only told of a whole process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

import coursefs.library  # noqa: F401  # as large as a mount
from coursefs.errors import CoursefsError
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.kit.gathering import gathering
from coursefs.providers.openedx.client import OpenEdxReader
from coursefs.providers.openedx.session import Session, SignIn
from coursefs.transport import Transport

_TICK = 0.005


def resident(name: str) -> float:
    """MB of this process in memory: now (VmRSS), or at most so far (VmHWM; `ru_maxrss` begins with the parent's)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024 / 1e6


async def main(base: str, names: list[str]) -> None:
    async with Transport(read_timeout=30.0) as transport:
        for name in names:
            print(json.dumps(await measured(transport, f"{base}/{name}")), flush=True)


async def measured(transport: Transport, base: str) -> dict[str, object]:
    session = Session(transport, base, SignIn(cookies="sessionid=x"))
    coursera = CourseraClient(transport, "x", base_url=base)
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: OpenEdxReader(session).blocks("course-v1:x+y+z", "me"),
        lambda: OpenEdxReader(session).enrolments("me"),
        lambda: coursera.materials("x"),
        coursera.memberships,
        lambda: _many(transport, base),
        lambda: _remembered(lambda: transport.fetch(f"{base}/remembered"), 20),
        lambda: _remembered(lambda: OpenEdxReader(session).blocks("course-v1:x+y+z", "me"), 10),
        lambda: _remembered(lambda: coursera.materials("x"), 10),
    ]
    errors = []
    late = 0.0

    async def probe() -> None:
        """How long the event loop is busy at a time, in processor time: that does not grow with the machine's load."""
        nonlocal late
        while True:
            before = time.thread_time()
            await trio.sleep(_TICK)
            late = max(late, time.thread_time() - before)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(probe)
        for ask in asked:
            try:
                await ask()
                errors.append("")
            except CoursefsError as error:
                errors.append(str(error))
        nursery.cancel_scope.cancel()
    return {"errors": errors, "late": late, "peak": resident("VmHWM"), "after": resident("VmRSS")}


async def _many(transport: Transport, base: str) -> None:
    """Four at once."""
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(_one, transport, base)


async def _remembered(ask: Callable[[], Awaitable[object]], count: int) -> None:
    """As the list of a course is made: the error of each request is its answer, and kept until all have answered."""
    answers: dict[int, object] = {}
    async with gathering(trio.CapacityLimiter(6)) as requests:
        for number in range(count):
            requests.ask(answers, number, partial(_left, ask))


async def _left(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask; an answer that is of use is not kept."""
    await ask()


async def _one(transport: Transport, base: str) -> None:
    with suppress(CoursefsError):
        (await transport.fetch(f"{base}/many")).json()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2:])
