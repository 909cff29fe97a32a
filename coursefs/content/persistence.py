"""Asking until the answer is had, or until there is no sense in it any more."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from coursefs.content.answers import Again, Refused
from coursefs.content.location import Location
from coursefs.errors import BadReply, CoursefsError, NoAnswer, Unreachable
from coursefs.model import Source
from coursefs.transport import Transport
from coursefs.transport.backoff import pause

#: requests in a row that bring nothing, before it is given up: about 8 s of pauses
_ATTEMPTS = 6


async def persist(
    request: Callable[[Source], Awaitable[bool]],
    *,
    location: Location,
    transport: Transport,
    progress: Callable[[], int],
    patience: float,
) -> None:
    """Call `request` until it returns True.

    A body that ends early, a reset, a stall, 429 and 5xx are asked again after growing pauses, until `_ATTEMPTS`
    requests in a row, or those of `patience` seconds, brought nothing (`progress` counts what was had).  A source that
    is refused is renewed once.  Raises the last error, and `NotAllowed` when the renewed source is refused as well.
    """
    had = progress()
    failures = 0
    renewed = False
    begun = trio.current_time()
    while True:
        if transport.offline:
            raise Unreachable("offline, and not in the cache")
        source = await location.current()
        after = None
        error: CoursefsError
        try:
            if await request(source):
                return
            error = BadReply("the server sent less than it announced")
        except Refused as refused:
            if renewed and progress() == had:
                raise refused.error from None
            await location.renew(source)
            renewed = True
            had = progress()
            continue
        except Again as again:
            error, after = again.error, again.after
        except (Unreachable, NoAnswer) as failure:
            error = failure
        if progress() != had:
            had, failures, renewed, begun = progress(), 0, False, trio.current_time()
        failures += 1
        wait = pause(failures, after, random.random())
        if failures >= _ATTEMPTS or trio.current_time() + wait > begun + patience:
            raise error
        await trio.sleep(wait)
