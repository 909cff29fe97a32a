"""The transport over a fake network: retries, redirects, credentials, cookies, hosts that do not answer."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
import trio
import trio.testing

from coursefs.errors import BadReply, NoAnswer, Unreachable
from coursefs.transport import Bucket, Transport

Answer = Callable[[httpx.Request], httpx.Response]


def transport(answer: Answer, **options: float) -> Transport:
    return Transport(http_transport=httpx.MockTransport(answer), **options)  # type: ignore[arg-type]


async def test_a_get_is_retried_a_post_is_not(autojump_clock: trio.testing.MockClock) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(503 if len(asked) < 3 else 200, json=[1], headers={"retry-after": "30"})

    async with transport(answer, read_timeout=600) as web:
        started = trio.current_time()
        assert (await web.fetch("https://x.org/")).json() == [1]
        assert trio.current_time() - started >= 60
        asked.clear()
        assert (await web.fetch("https://x.org/", method="POST", content=b"x")).status == 503
        assert asked == ["POST"]


async def test_a_post_that_only_reads_is_retried_and_redirects_can_be_left(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked: list[tuple[str, bytes]] = []
    statuses = [429, 503, 200]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.content))
        return httpx.Response(statuses.pop(0), headers={"location": "https://x.org/there", "set-cookie": "a=1"})

    async with transport(answer) as web:
        assert (await web.fetch("https://x.org/", method="POST", content=b"x", reads=True)).status == 200
        assert asked == [("POST", b"x")] * 3
        statuses[:] = [503, 200]
        reply = await web.fetch("https://x.org/", method="POST", content=b"x", reads=True, attempts=1)
        assert reply.status == 503
        statuses[:] = [302, 200]
        reply = await web.fetch("https://x.org/", follow=False)
        assert (reply.status, reply.url, reply.headers["set-cookie"]) == (302, "https://x.org/", "a=1")


async def test_attempts_limit_the_retries_after_5xx(
    autojump_clock: trio.testing.MockClock,
) -> None:
    statuses: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(statuses.pop(0))

    async with transport(answer) as web:
        statuses[:] = [500, 200]
        assert (await web.fetch("https://x.org/", attempts=1)).status == 500
        statuses[:] = [429, 429, 200]  # asked too often says nothing of this one thing
        assert (await web.fetch("https://x.org/", attempts=1)).status == 200


async def test_all_attempts_together_end_with_the_timeout(autojump_clock: trio.testing.MockClock) -> None:
    async with transport(lambda _: httpx.Response(429, headers={"retry-after": "1000"}), read_timeout=60) as web:
        started = trio.current_time()
        with pytest.raises(NoAnswer):
            await web.fetch("https://x.org/")
        assert trio.current_time() - started == pytest.approx(60)


async def test_secrets_do_not_follow_a_redirect_to_another_host_and_cookies_are_not_kept() -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("cookie"), request.headers.get("range")))
        if request.url.host == "x.org":
            return httpx.Response(302, headers={"location": "https://cdn.org/f?sig=1", "set-cookie": "a=b"})
        return httpx.Response(200, content=b"ok", headers={"set-cookie": "c=d"})

    async with transport(answer) as web:
        for _ in range(2):
            reply = await web.fetch("https://x.org/", headers={"Cookie": "CAUTH=1", "Range": "bytes=0-1"})
            assert reply.body == b"ok"
    assert seen == [("x.org", "CAUTH=1", "bytes=0-1"), ("cdn.org", None, "bytes=0-1")] * 2


@pytest.mark.parametrize(
    "url", ["", "//cdn.org/x", "https://cdn.org:99999/x", "https://[::1", "ftp://x/", "http://x.org/"]
)
async def test_an_address_that_is_none_is_a_bad_reply(url: str) -> None:
    async with transport(lambda _: pytest.fail("asked")) as web:
        with pytest.raises(BadReply):
            await web.fetch(url)
        with pytest.raises(BadReply):
            async with web.stream(url):
                pass


@pytest.mark.parametrize(
    "target", ["http://cdn.org/f?sig=secret", "ftp://x/", "https://[::1", "//[", "https://cdn.org:99999/secret"]
)
async def test_a_redirect_to_an_unsafe_place_is_not_followed(target: str) -> None:
    async with transport(lambda _: httpx.Response(302, headers={"location": target})) as web:
        with pytest.raises(BadReply, match="not safe") as caught:
            await web.fetch("https://x.org/")
        assert "secret" not in str(caught.value)


async def test_redirects_in_a_circle_end() -> None:
    async with transport(lambda _: httpx.Response(302, headers={"location": "/again"})) as web:
        with pytest.raises(BadReply, match="too many redirects"):
            await web.fetch("https://x.org/")


async def test_offline_makes_no_request() -> None:
    async with transport(lambda _: pytest.fail("asked")) as web:
        web.offline = True
        with pytest.raises(Unreachable, match="offline"):
            await web.fetch("https://x.org/")


async def test_a_reply_that_is_not_json_is_a_bad_reply_without_its_query() -> None:
    async with transport(lambda _: httpx.Response(200, content=b"<html>")) as web:
        with pytest.raises(BadReply, match=r"^x.org/api: the reply is not JSON$"):
            (await web.fetch("https://x.org/api?secret=1")).json()


async def test_after_one_long_wait_other_requests_fail_at_once(autojump_clock: trio.testing.MockClock) -> None:
    is_there = False

    class BlackHole(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if is_there:
                return httpx.Response(200, content=b"ok")
            await trio.sleep(10)
            raise httpx.ConnectTimeout("")

    async with Transport(http_transport=BlackHole()) as web:
        with pytest.raises(NoAnswer):
            await web.fetch("https://x.org/")
        started = trio.current_time()
        with pytest.raises(NoAnswer, match="does not answer"):
            await web.fetch("https://x.org/")
        assert trio.current_time() == started
        is_there = True
        await trio.sleep(5)
        assert (await web.fetch("https://x.org/")).body == b"ok"
        assert (await web.fetch("https://x.org/")).body == b"ok"


async def test_a_bucket_lets_a_burst_through_and_then_its_rate(autojump_clock: trio.testing.MockClock) -> None:
    bucket, times = Bucket(rate=2.0, burst=3), []

    async def take() -> None:
        await bucket.take()
        times.append(trio.current_time())

    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(7):
            nursery.start_soon(take)
    assert [round(at - started, 6) for at in times] == [0, 0, 0, 0.5, 1.0, 1.5, 2.0]


async def test_a_request_is_a_line_of_the_log_without_anything_secret(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/broken":
            raise httpx.ReadError("of https://x.org/broken?Signature=s3cret")
        if request.url.path == "/away":
            raise httpx.ConnectError("[Errno -2] Name or service not known")
        return httpx.Response(206, content=b"ok", headers={"set-cookie": "a=s3cret"})

    secrets = {"Cookie": "CAUTH=s3cret", "Authorization": "Bearer s3cret", "Range": "bytes=0-1"}
    async with transport(answer) as web:
        with caplog.at_level("INFO", "coursefs"):
            await web.fetch("https://x.org/f?Signature=s3cret", headers=secrets)
        assert caplog.text == ""
        with caplog.at_level("DEBUG", "coursefs"):
            await web.fetch("https://x.org/a/f.mp4?Signature=s3cret#s3cret", headers=secrets)
            for path in ("broken", "away"):
                with pytest.raises(Unreachable):
                    await web.fetch(f"https://x.org/{path}?Signature=s3cret", method="POST", headers=secrets)
    assert "s3cret" not in caplog.text
    assert "request method=GET host=x.org path=/a/f.mp4 range=bytes=0-1 status=206 ms=" in caplog.text
    assert "request host=x.org path=/broken error=ReadError reason=''" in caplog.text
    assert "error=ConnectError reason='[Errno -2] Name or service not known'" in caplog.text
