"""Whether a program that plays a film has read more of it than it needs for now (pure, but for `film_rate`).

Players read as much as they get.  Over a thin link a `fetch` in the background would then get nothing for as long as a
film is played, though the film needs only a part of the link.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from coursefs.content import media

#: seconds of the film that a player has before the background gets a share
RESERVE = 10.0
#: first bytes of a film and of its index, which say how long it plays
_HEAD = 64 * 2**10
_HEADER = 4 * 2**10


@dataclass(frozen=True, slots=True)
class Playing:
    """A reader that has read on from offset `position` since `began` (seconds of any one clock), in one run.

    `start` is where the run began: a reader that comes back to it from elsewhere goes on at another position.
    """

    start: int
    position: int
    began: float

    def early_until(self, offset: int, rate: float) -> float:
        """Until when a read at this offset is for later than `RESERVE`, of a film of so many bytes a second."""
        return self.began + (offset - self.position) / rate - RESERVE


Cached = Callable[[int, int], Awaitable[memoryview | None]]


async def film_duration(cached: Cached, size: int) -> float | None:
    """How long a film of `size` bytes plays, in seconds, by its cached head and index; None: they do not say it."""
    head = await cached(0, min(_HEAD, size))
    place = None if head is None else media.index_of(head, size)
    index = None if place is None else await cached(place.start, min(place.start + _HEADER, place.end))
    return None if head is None else media.duration_of(head, index or b"")


async def film_rate(cached: Cached, size: int) -> float | None:
    """The mean rate of a film in bytes a second; None: not known."""
    duration = await film_duration(cached, size)
    return size / duration if duration else None
