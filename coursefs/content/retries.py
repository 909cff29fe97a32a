"""Retries of requests for files: back off, renew the URL once, then give up."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from coursefs.content.range_response import PageInstead, Retry, UrlRefused
from coursefs.content.url_cache import UrlCache
from coursefs.errors import BadReply, CaptivePortal, CoursefsError, Gone, NoAnswer, Unreachable
from coursefs.model import Source
from coursefs.transport import Transport
from coursefs.transport.backoff import pause
from coursefs.transport.hosts import UnsafeRedirect

#: attempts in a row that bring nothing, before giving up: about 8 s of pauses
_ATTEMPTS = 6


async def with_retries(
    attempt: Callable[[Source], Awaitable[bool]],
    *,
    url_cache: UrlCache,
    transport: Transport,
    progress: Callable[[], int],
    patience: float,
) -> None:
    """Retries: call `attempt` until it returns True; back off, renew the URL once, then give up.

    After a body that ends early, a reset, a stall, 429 or 5xx it backs off, until `_ATTEMPTS` attempts in a row, or
    those of `patience` seconds, brought nothing.  `progress` returns the bytes received so far: any new byte starts the
    count again.  A refused URL is renewed once.  Raises the last `CoursefsError`; for a renewed URL that is refused as
    well, the error in `UrlRefused`.  Cancellation leaves nothing behind.
    """
    received = progress()
    failures = 0
    renewed = False
    began = trio.current_time()
    while True:
        if transport.offline:
            raise Unreachable("offline, and not in the cache")
        source = await url_cache.current()  # for each attempt: it may expire or be renewed while this one backs off
        after = None
        error: CoursefsError
        try:
            if await attempt(source):
                return
            error = BadReply("the server sent less than it announced")
        except UrlRefused as refused:
            # A signed URL that has expired in the middle of a long body is refused again later: that is no failure
            # as long as each URL brings something.
            if renewed and progress() == received:
                await transport.portals.require_no_denial(source.url)
                raise refused.error from None
            await url_cache.renew(source)
            renewed = True
            received = progress()
            continue
        except Retry as retry:
            error, after = retry.error, retry.after
        except (PageInstead, UnsafeRedirect):
            await transport.portals.require_none(source.url)
            raise
        except Gone:
            await transport.portals.require_no_denial(source.url)
            raise
        except CaptivePortal:
            raise
        except (Unreachable, NoAnswer) as failure:
            error = failure
        if progress() != received:
            received, failures, renewed, began = progress(), 0, False, trio.current_time()
        failures += 1
        wait = pause(transport.paced(failures), after, random.random())
        is_late = trio.current_time() + wait > began + patience
        if is_late or (failures >= _ATTEMPTS and not transport.is_settling):
            raise error
        await trio.sleep(wait)
