"""What is counted of requests, bytes and reads."""

from __future__ import annotations

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import Gone, NoAnswer, NotSignedIn, Unreachable
from coursefs.library.activity import Activity
from coursefs.transport import Bucket, Transport
from coursefs.transport.traffic import Meter


def test_a_rate_is_that_of_the_last_seconds() -> None:
    meter = Meter()
    assert meter.rate(100.0) == 0
    for second in range(100, 110):
        meter.add(1000, second + 0.5)
    assert meter.rate(110.0) == pytest.approx(1000)
    assert meter.rate(112.0) == pytest.approx(600)
    assert meter.rate(120.0) == 0
    assert meter.total == 10_000
    meter.add(5, 500.0)
    assert meter.rate(500.5) == pytest.approx(5 / 5.5)


async def test_requests_failures_and_pauses_are_counted_by_host(autojump_clock: trio.testing.MockClock) -> None:
    statuses = iter([429, 503, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "gone.org":
            raise httpx.ConnectError("refused")
        return httpx.Response(next(statuses), stream=httpx.ByteStream(b"12345"), headers={"retry-after": "30"})

    async with Transport(http_transport=httpx.MockTransport(answer), read_timeout=600) as web:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(web.fetch, "https://x.org/a?sig=1")
            await trio.testing.wait_all_tasks_blocked()
            counts = web.traffic.of("x.org")
            assert (counts.limited, counts.waiting) == (1, 1)
            assert counts.paused_until is not None
        assert (counts.requests, counts.failures, counts.limited, counts.waiting) == (3, 1, 1, 0)
        assert counts.received == web.traffic.meter.total == 15
        with pytest.raises(Unreachable):
            await web.fetch("https://gone.org/", method="POST")
        assert web.traffic.of("gone.org").failures == 1
        assert sorted(web.traffic.hosts) == ["gone.org", "x.org"]


async def test_who_waits_for_the_accounts_own_limit_is_counted(autojump_clock: trio.testing.MockClock) -> None:
    bucket = Bucket(0.1, 1)
    async with Transport(http_transport=httpx.MockTransport(lambda _: httpx.Response(200))) as web:
        await web.fetch("https://x.org/", bucket=bucket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: web.fetch("https://x.org/", bucket=bucket))
            await trio.testing.wait_all_tasks_blocked()
            assert web.traffic.of("x.org").waiting == 1
        assert web.traffic.of("x.org").waiting == 0


def test_open_files_and_troubles() -> None:
    activity = Activity()
    one = activity.opened(7, lambda: "a/b.mp4")
    one.gave(100, 50)
    one.failed(150, 50, NoAnswer("late"), 0.0)
    assert [(each.path, each.offset, each.bytes) for each in activity.readings] == [("a/b.mp4", 150, 50)]
    assert (activity.reads, activity.bytes, activity.failures) == (1, 50, 1)
    one.close()
    one.close()
    assert activity.readings == []
    for _ in range(3):
        activity.note("a/b.mp4", NoAnswer("late"))
    activity.note("c", Gone("gone"))
    assert [(each.path, each.message, each.count) for each in activity.troubles] == [
        ("c", "gone", 1),
        ("a/b.mp4", "late", 3),
    ]
    activity.over("a/b.mp4")
    assert [each.path for each in activity.troubles] == ["c"]
    activity.note("d", NotSignedIn("ended"), 7)
    activity.note("e", NotSignedIn("ended"), 8)
    activity.note("f", Gone("gone"), 7)
    activity.signed_in(lambda inode: inode == 7)
    assert [each.path for each in activity.troubles] == ["f", "e", "c"]
    activity.over(7)
    assert [each.path for each in activity.troubles] == ["e", "c"]
    for number in range(100):
        activity.note(str(number), Gone("gone"))
    assert len(activity.troubles) == 20
    assert activity.troubles[0].path == "99"
