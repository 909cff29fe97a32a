"""Hedging: a request that gets no answer on a used connection is sent once more, on a new one.

A router or a server may have forgotten an idle connection without a word.  Nothing comes on it then, and a deadline for
slow servers is too long to wait.  So after some seconds without a byte the same request is sent on a new connection,
and the first answer wins.  A slow server must not get its load doubled by that: of several requests to one host one is
hedged first, the others only if that hedge has won; and after each hedge that lost, the host has twice the time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from coursefs.transport.http_library import httpx

#: seconds without a byte after which a request is hedged
PATIENCE = 3.0
#: the longest such time for a slow host: a read gives up then
_MOST_PATIENCE = 30.0


@dataclass(slots=True)
class Hedges:
    """The hedges of requests to one host.  Times are on trio's clock."""

    least: float = PATIENCE
    lost: int = 0  # hedges in a row whose original answered first
    _running: int = 0
    _won_at: float = float("-inf")
    _ended: trio.Event = field(default_factory=trio.Event)  # set when a hedge has ended, and replaced by a new one

    @property
    def patience(self) -> float:
        """Seconds of silence after which the next request is hedged."""
        return min(self.least * 2.0**self.lost, max(self.least, _MOST_PATIENCE))

    async def turn(self, sent: float) -> None:
        """Wait until a request that was sent at `sent` may be hedged; the caller reports `ended` afterwards.

        Cancellation leaves nothing to report.
        """
        while True:
            if self._won_at < sent:  # else the host is known to have forgotten its old connections
                await trio.sleep_until(sent + self.patience)
            if not self._running or self._won_at >= sent:
                self._running += 1
                return
            await self._ended.wait()

    def ended(self, *, won: bool | None) -> None:
        """Report the end of a hedge: whether its answer was the first; None: it brought none."""
        self._running -= 1
        if won:
            self.lost, self._won_at = 0, trio.current_time()
        elif won is not None:
            self.lost += 1
        ended, self._ended = self._ended, trio.Event()
        ended.set()


async def hedged(
    first: Callable[[], Awaitable[httpx.Response]],
    second: Callable[[], Awaitable[httpx.Response]],
    hedges: Hedges,
    sent: float,
) -> tuple[httpx.Response, bool]:
    """The response of `first`, or of `second` where that comes first; and whether it is of `second`.

    `first` waits for the answer to a request that was sent at `sent`; `second` makes the request again, and is called
    when its turn has come.  An error of `second` is ignored: `first` is waited for.  The other one is cancelled.
    Raises the `httpx.TransportError` of `first`.
    """
    results: list[tuple[httpx.Response, bool]] = []
    failure: httpx.TransportError | None = None

    async def again(nursery: trio.Nursery) -> None:
        await hedges.turn(sent)
        won: bool | None = None
        try:
            found = await second()
            if results:  # both came at once
                await found.aclose()
            else:
                results.append((found, True))
                won = True
        except httpx.TransportError:
            return
        finally:
            hedges.ended(won=False if results and not won else won)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(again, nursery)
        try:
            found = await first()
        except httpx.TransportError as error:
            failure = error
        else:
            if results:  # both came at once
                await found.aclose()
            else:
                results.append((found, False))
        nursery.cancel_scope.cancel()
    if results:
        return results[0]
    assert failure is not None
    raise failure
