"""The media host, point by point, over real sockets; and its faults."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from coursefs.demo.catalogue import Catalogue
from coursefs.demo.cdn import MediaHost
from coursefs.demo.coursera import ApiHost
from coursefs.demo.faults import Faults, Switchboard
from coursefs.demo.graphql import GraphQL
from coursefs.demo.journal import Journal
from coursefs.demo.ranges import Unsatisfiable, requested_range
from coursefs.demo.sessions import Sessions
from coursefs.demo.signing import Signer
from tests.engine.small_platform import MP4, SLIDES, small_platform


async def test_a_whole_file(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.anyone.get(await world.video_url())
        assert reply.status_code == 200
        assert reply.content == MP4
        assert reply.headers["content-length"] == str(len(MP4))
        assert reply.headers["content-type"] == "video/mp4"
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["etag"].startswith('"')
        assert reply.headers["last-modified"].endswith("GMT")


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=199990-", 199_990, 200_000),
        ("bytes=199990-999999", 199_990, 200_000),
        ("bytes=-5", 199_995, 200_000),
        ("bytes=-999999", 0, 200_000),
    ],
)
async def test_one_range_is_206(tmp_path: Path, asked: str, first: int, end: int) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.anyone.get(await world.video_url(), headers={"Range": asked})
        assert reply.status_code == 206
        assert reply.headers["content-range"] == f"bytes {first}-{end - 1}/200000"
        assert reply.content == MP4[first:end]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "bytes=x", "chunks=0-1"])
async def test_ranges_that_are_not_one_give_all(tmp_path: Path, asked: str) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.anyone.get(await world.video_url(), headers={"Range": asked})
        assert (reply.status_code, len(reply.content)) == (200, len(MP4))
        assert "content-range" not in reply.headers


@pytest.mark.parametrize("asked", ["bytes=200000-", "bytes=200000-200001", "bytes=-0"])
async def test_a_range_behind_the_end_is_416(tmp_path: Path, asked: str) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.anyone.get(await world.video_url(), headers={"Range": asked})
        assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */200000")


@given(size=st.integers(0, 50), first=st.integers(0, 60), length=st.integers(1, 60))
def test_a_range_is_what_slicing_gives(size: int, first: int, length: int) -> None:
    content = bytes(range(size))
    try:
        part = requested_range(f"bytes={first}-{first + length - 1}", size)
    except Unsatisfiable:
        assert first >= size
    else:
        assert part is not None
        assert content[slice(*part)] == content[first : first + length] != b""


async def test_only_get_with_an_unbroken_signature(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        url = await world.video_url()
        parts = urlsplit(url)
        other = next(iter((await world.get(f"assets.v1/{SLIDES}"))["elements"]))["url"]["url"]
        forbidden = [
            await world.anyone.head(url),
            await world.anyone.get(url.partition("?")[0]),
            await world.anyone.get(url.replace("Expires=", "Expires=1")),
            await world.anyone.get(url.replace("Signature=", "Signature=A")),
            await world.anyone.get(url.partition("&Key-Pair-Id")[0]),
            await world.anyone.get(f"{other.partition('?')[0]}?{parts.query}"),
        ]
        assert [reply.status_code for reply in forbidden] == [403] * len(forbidden)
        assert "<Code>AccessDenied</Code>" in forbidden[1].text
        assert (await world.anyone.post(url)).status_code == 405
        assert (await world.anyone.get(url)).status_code == 200
        world.platform.signer.revoke()
        assert (await world.anyone.get(url)).status_code == 403
        assert (await world.anyone.get(await world.video_url())).status_code == 200


async def test_conditions(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        url = await world.video_url()
        first = await world.anyone.get(url)
        etag, modified = first.headers["etag"], first.headers["last-modified"]
        table: list[tuple[dict[str, str], int]] = [
            ({"If-Match": etag}, 200),
            ({"If-Match": "*"}, 200),
            ({"If-Match": '"other"'}, 412),
            ({"If-Match": f"W/{etag}"}, 412),
            ({"If-None-Match": etag}, 304),
            ({"If-None-Match": '"other"'}, 200),
            ({"Range": "bytes=0-0", "If-Range": etag}, 206),
            ({"Range": "bytes=0-0", "If-Range": modified}, 206),
            ({"Range": "bytes=0-0", "If-Range": '"other"'}, 200),
        ]
        for headers, status in table:
            assert (await world.anyone.get(url, headers=headers)).status_code == status, headers


async def test_a_new_version_has_a_new_etag(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        url = await world.video_url()
        etag = (await world.anyone.get(url)).headers["etag"]
        assert (await world.anyone.get(url)).headers["etag"] == etag
        (tmp_path / "small" / "media" / "a.720p.mp4").write_bytes(b"new")
        reply = await world.anyone.get(url, headers={"Range": "bytes=0-0", "If-Range": etag})
        assert (reply.status_code, reply.content) == (200, b"new")


@pytest.mark.parametrize(("secret", "status"), [({"Cookie": "a=b"}, 200), ({"Authorization": "Bearer x"}, 400)])
async def test_secrets_sent_to_the_media_host_are_a_leak(tmp_path: Path, secret: dict[str, str], status: int) -> None:
    async with small_platform(tmp_path) as world:
        reply = await world.anyone.get(await world.video_url(), headers=secret)
        assert reply.status_code == status
        assert world.platform.journal.entries[-1].notes == ["leak"]


async def test_a_stall_lets_the_first_bytes_through_and_ends_when_told(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        await world.fail(cdn_stall=70_000)
        async with world.anyone.stream("GET", await world.video_url()) as reply:
            assert reply.status_code == 200
            chunks = reply.aiter_raw()
            content = b""
            while len(content) < 70_000:
                content += await anext(chunks)
            assert content == MP4[:70_000]
            entry = world.platform.journal.entries[-1]
            assert (entry.bytes, entry.done) == (70_000, False)
            await world.fail()
            async for chunk in chunks:
                content += chunk
        assert content == MP4
        assert entry.done


async def test_a_client_that_leaves_a_stalled_reply_is_not_kept(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        await world.fail(cdn_stall=0)
        async with world.anyone.stream("GET", await world.video_url()) as reply:
            assert reply.status_code == 200
            entry = world.platform.journal.entries[-1]
            assert entry.open
        with trio.fail_after(10):
            while entry.open:
                await trio.testing.wait_all_tasks_blocked()
        assert (entry.bytes, entry.done) == (0, False)


async def test_an_empty_file(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        url = await world.video_url()
        (tmp_path / "small" / "media" / "a.720p.mp4").write_bytes(b"")
        assert (await world.anyone.get(url)).content == b""
        assert (await world.anyone.get(url, headers={"Range": "bytes=0-0"})).status_code == 416


async def test_failures_come_in_the_order_given_and_then_end(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        await world.fail(cdn_fail_next=(503, 500))
        url = await world.video_url()
        assert [(await world.anyone.get(url)).status_code for _ in range(3)] == [503, 500, 200]


async def test_a_slow_host_takes_its_time(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(MP4)
    signer = Signer(lambda: 0.0)
    switchboard = Switchboard()
    switchboard.set(Faults(cdn_rate=1000.0))
    host = MediaHost({"/a.mp4": file}, signer, switchboard)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app()), base_url="http://cdn") as client:
        before = trio.current_time()
        reply = await client.get(f"/a.mp4?{signer.media_query('/a.mp4', 100)}")
        assert reply.content == MP4
        assert trio.current_time() - before == pytest.approx(len(MP4) / 1000)


async def test_a_slow_api_takes_its_time(autojump_clock: trio.testing.MockClock) -> None:
    switchboard = Switchboard()
    switchboard.set(Faults(api_delay=30.0))
    graphql = GraphQL([], Catalogue([], 1), switchboard, Journal())
    host = ApiHost({}, {}, Signer(lambda: 0.0), switchboard, Sessions(), graphql)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app()), base_url="http://api") as client:
        before = trio.current_time()
        assert (await client.get("/")).status_code == 200
        assert trio.current_time() - before == pytest.approx(30.0)


async def test_many_readers_at_once(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        url = await world.video_url()
        parts: dict[int, bytes] = {}

        async def read(first: int) -> None:
            reply = await world.anyone.get(url, headers={"Range": f"bytes={first}-{first + 24_999}"})
            parts[first] = reply.content

        async with trio.open_nursery() as nursery:
            for first in range(0, len(MP4), 25_000):
                nursery.start_soon(read, first)
        assert b"".join(parts[first] for first in sorted(parts)) == MP4
