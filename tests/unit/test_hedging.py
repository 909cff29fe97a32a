"""Hedges: two answers to one request, of which one is used."""

from __future__ import annotations

import httpx
import trio

from coursefs.transport.hedging import Hedges, hedged


class Closed(httpx.AsyncByteStream):
    """A body that remembers that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


async def test_of_two_answers_that_come_at_once_one_is_closed() -> None:
    bodies = [Closed(), Closed()]
    is_answered = trio.Event()

    async def first() -> httpx.Response:
        with trio.CancelScope(shield=True):  # its answer was there when it was cancelled
            await is_answered.wait()
        return httpx.Response(200, stream=bodies[0])

    async def second() -> httpx.Response:
        is_answered.set()
        return httpx.Response(200, stream=bodies[1])

    response, is_of_second = await hedged(first, second, Hedges(least=0.0), trio.current_time())
    assert is_of_second and response.stream is bodies[1]
    assert [body.is_closed for body in bodies] == [True, False]
