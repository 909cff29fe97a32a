"""The URL cache: how often a provider is asked for a URL."""

from __future__ import annotations

import pytest
import trio

from coursefs.content.identity import Content
from coursefs.content.url_cache import UrlCache
from coursefs.errors import NotAllowed
from coursefs.model import Course, Remote, Source

CONTENT = Content("a", Remote("video/1", {}), Course("c", "c", "C"))


class Provider:
    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.errors: list[Exception] = []
        self.expires: float | None = None

    async def find(self, content: Content, fresh: bool) -> Source:
        await trio.lowlevel.checkpoint()
        self.calls.append(fresh)
        if self.errors:
            raise self.errors.pop()
        return Source(f"https://cdn.example/{len(self.calls)}", expires=self.expires)


async def test_a_url_is_found_once_for_many_requests() -> None:
    provider = Provider()
    location = UrlCache(CONTENT, provider.find)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(location.current)
    assert provider.calls == [False]


async def test_a_refused_url_is_renewed_once_for_many_requests() -> None:
    provider = Provider()
    location = UrlCache(CONTENT, provider.find)
    old = await location.current()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(location.renew, old)
    assert provider.calls == [False, True]
    assert (await location.current()).url.endswith("/2")


async def test_an_error_is_not_cached() -> None:
    provider = Provider()
    provider.errors = [NotAllowed("locked")]
    location = UrlCache(CONTENT, provider.find)
    with pytest.raises(NotAllowed):
        await location.current()
    assert (await location.current()).url.endswith("/2")


@pytest.mark.parametrize(("expires", "renewals"), [(900.0, 1), (1030.0, 1), (1_000_000.0, 0), (None, 0)])
async def test_no_url_is_renewed_for_each_request_whatever_the_clocks_say(expires: float | None, renewals: int) -> None:
    """Not one that has expired when it comes, because a clock is wrong, nor one that lives for less than the margin."""
    provider = Provider()
    provider.expires = expires
    location = UrlCache(CONTENT, provider.find, lambda: 1000.0)
    for _ in range(5):
        await location.current()
    assert provider.calls == [False, *[True] * renewals]


async def test_a_url_is_renewed_by_the_clock_of_the_servers() -> None:
    provider, now = Provider(), 1000.0
    provider.expires = 2000.0
    location = UrlCache(CONTENT, provider.find, lambda: now)
    await location.current()
    now = 1900.0
    await location.current()
    assert provider.calls == [False]
    now, provider.expires = 1950.0, 3000.0
    await location.current()
    assert provider.calls == [False, True]
