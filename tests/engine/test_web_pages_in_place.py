"""Web pages that come in place of a film, with the type of one: found out by their first bytes, and never kept."""

from __future__ import annotations

import gc
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from coursefs.content.identity import Content
from coursefs.content.sniffing import is_markup
from coursefs.errors import BadReply, CaptivePortal
from coursefs.model import Source, Version
from coursefs.transport import Transport
from coursefs.transport.body import beginning_of
from tests.engine.content_bench import CONTENT, bench, content, noise
from tests.engine.content_server import Handler, Request
from tests.engine.web import reply, web

BODY = noise(2_500_000)
LINES = b"00:00:01,000 --> 00:00:02,000\r\nHello.\r\n" * 30
PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in.</body></html>" + b" " * 3000


@pytest.mark.parametrize(
    "beginning",
    [
        b"<!doctype html>",
        b"<!DOCTYPE HTML PUBLIC",
        b"<html>",
        b"\r\n\t <HTML lang=en>",
        b"\xef\xbb\xbf<html>",
        b"\xef\xbb\xbf\n\n<html>",
        b"\xff\xfe<\0h\0",
        b"\xfe\xff\0<\0h",
        b"<!-- a comment --><html>",
        b'<?xml version="1.0"?><!DOCTYPE html>',
        b"<Error><Code>AccessDenied</Code></Error>",
        b"<",
    ],
)
def test_beginnings_of_pages(beginning: bytes) -> None:
    assert is_markup(beginning)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\0\0\0\x18ftypmp42",
        b"\x1aE\xdf\xa3",
        b"%PDF-1.7 <<",
        b"PK\3\4",
        b"1\r\n00:00:01,000",
        b"WEBVTT <",
        b"\0<",
        b"\xff\xfb<",
    ],
)
def test_beginnings_of_files(beginning: bytes) -> None:
    assert not is_markup(beginning)


def sending(body: bytes, *, kind: str, status: int = 206, coding: str = "", total: int | None = None) -> Handler:
    """Answers every request with a page that is said to be something else."""

    async def handler(request: Request) -> None:
        headers = {"Content-Type": kind, "ETag": '"one"'} | ({"Content-Encoding": coding} if coding else {})
        if status == 206 and request.range is not None:
            start, end = request.range
            end = min(end, len(body))
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{total or len(body)}"
            await request.send(206, headers, body[start:end])
        else:
            await request.send(200, headers, body)

    return handler


@pytest.mark.parametrize("kind", ["application/octet-stream", "video/mp4", "binary/octet-stream", ""])
@pytest.mark.parametrize("blanks", [b"", b"\r\n  ", b"\xef\xbb\xbf"])
async def test_a_page_in_place_of_a_film_is_neither_given_nor_kept(tmp_path: Path, kind: str, blanks: bytes) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        page = blanks + PAGE + bytes(len(BODY) - len(PAGE) - len(blanks))  # as long as the film
        for status in (206, 200):
            b.server.always = sending(page, kind=kind, status=status)
            reader = contents.open(CONTENT, version)
            with pytest.raises((BadReply, CaptivePortal), match=r"web page instead of the file|captive portal"):
                await reader.read(0, 5000)
            assert contents.cached_bytes(CONTENT) == 0
        b.server.always = None
        assert await reader.read(0, 5000) == BODY[:5000]


@pytest.mark.parametrize("kind", ["application/json", "application/JSON; charset=utf-8", "application/problem+json"])
@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "Not found."}',
        b'["error"]',
        # the first byte, all that is asked for at first to learn a size, says nothing here
        b'\r\n  ["error"]',
        b'\n{"detail": "' + b"Not found. " * 300 + b'"}',
        b'\xef\xbb\xbf{"a":{"a":1}}',
        b"9" * 6000,
        b"-1.5e9",
        b" null\n",
        b"NaN",
        b'"Not found."',
    ],
)
async def test_an_answer_of_the_api_is_no_file(tmp_path: Path, kind: str, body: bytes, status: int) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        version = await contents.probe(CONTENT)
        asset = b.server.url.rpartition("/")[0] + "/asset"  # which is the URL of anything, not only of a film
        b.server.always = sending(body, kind=kind, status=status)
        for name in ("en.srt", "captions/en.vtt", "slide/1", "handout.pdf", "transcript/1/en.txt", "page.html"):
            b.source = Source(asset if name.endswith((".txt", ".html")) else b.server.url)
            with pytest.raises(BadReply, match="sent a reply of its API instead of the file"):
                await contents.probe(content(name))
        reader = contents.open(CONTENT, version)
        with pytest.raises(BadReply, match="sent a reply of its API instead of the file"):
            await reader.read(0, 5000)
        b.source = Source(asset)
        assert (await contents.probe(content("data.json"))).size == len(body)
        assert (await contents.probe(content("unnamed"))).size == len(body)


@pytest.mark.parametrize("more", [b"", b"2\r\n00:00:03,000 --> 00:00:04,000\r\nWell.\r\n" * 50])
async def test_captions_that_are_said_to_be_json_are_captions(tmp_path: Path, more: bytes) -> None:
    subtitles = b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello.\r\n" + more
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.server.always = sending(subtitles, kind="application/json")
        assert (await contents.probe(content("en.srt"))).size == len(subtitles)


@pytest.mark.parametrize(("status", "coding"), [(200, ""), (200, "gzip"), (206, "")])
@pytest.mark.parametrize("blanks", [b"", b"\n", b" \r\n", b"\xef\xbb\xbf"])
async def test_a_page_has_no_size_of_a_film(tmp_path: Path, status: int, coding: str, blanks: bytes) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        page = gzip.compress(blanks + PAGE) if coding else blanks + PAGE
        b.server.always = sending(page, kind="application/octet-stream", status=status, coding=coding)
        with pytest.raises((BadReply, CaptivePortal), match=r"web page instead of the file|captive portal"):
            await contents.probe(content("another"))
        assert contents.cached_bytes(content("another")) == 0


@pytest.mark.parametrize(
    ("name", "kind", "body", "ranges"),
    [
        ("en.srt", "text/plain", b"1\r\n" + LINES, [(0, 1)]),
        ("en.srt", "text/plain", b"\n1\r\n" + LINES, [(0, 1), (0, 512)]),
        ("en.srt", "application/json", b"1\r\n" + LINES, [(0, 1), (0, 512)]),
        ("en.srt", "text/plain", b"\n", [(0, 1)]),  # which is all of it
        ("slide.jpg", "image/jpeg", b"\xff\xd8" + LINES, [(0, 1)]),
        ("data.json", "application/json", b"{" + LINES, [(0, 1)]),
        ("data.bin", "application/octet-stream", b"<data>" + LINES, [(0, 1), (0, 512)]),
    ],
)
async def test_more_than_a_byte_is_asked_for_only_where_that_tells_nothing(
    tmp_path: Path, name: str, kind: str, body: bytes, ranges: list[tuple[int, int]]
) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source(b.server.url.rpartition("/")[0] + "/asset")
        b.server.always = sending(body, kind=kind)
        assert (await contents.probe(content(name))).size == len(body)
        assert b.server.ranges == ranges


@pytest.mark.parametrize(
    "one", [content("data.bin"), content("model.pkl"), content("t.parquet"), replace(content("asset/7"), name="A.bin")]
)
@pytest.mark.parametrize("page", [PAGE, b"\n <html>" + bytes(4000), b"\xff\xfe" + PAGE.decode().encode("utf-16-le")])
async def test_a_page_in_place_of_data_is_neither_given_nor_kept(tmp_path: Path, one: Content, page: bytes) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source(b.server.url.rpartition("/")[0] + "/asset")
        b.server.always = sending(page, kind="application/octet-stream", status=200)
        with pytest.raises((BadReply, CaptivePortal), match=r"web page instead of the file|captive portal"):
            await contents.probe(one)
        b.server.always = sending(page, kind="application/octet-stream", total=len(BODY))
        if not page.startswith(b"\xff"):  # as pictures do
            with pytest.raises((BadReply, CaptivePortal), match=r"web page instead of the file|captive portal"):
                await contents.probe(one)
        with pytest.raises((BadReply, CaptivePortal), match=r"web page instead of the file|captive portal"):
            await contents.open(one, Version(len(BODY))).read(0, 5000)
        assert contents.cached_bytes(one) == 0


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("site.php", "application/octet-stream", PAGE),
        ("page.md", "application/octet-stream", PAGE),
        ("data.xml", "application/octet-stream", b"<html></html>"),
        ("data", "text/plain", PAGE),
        ("data", "application/octet-stream", PAGE),
        ("page.phtml", "application/octet-stream", PAGE),
        ("data.bin", "text/plain", PAGE),
        ("data", "application/octet-stream", b"<?xml version='1.0'?><data/>"),
        ("data", "application/octet-stream", b"<htmlish>"),
        ("data", "application/octet-stream", b"<"),
    ],
)
async def test_files_that_may_begin_so_are_files(tmp_path: Path, name: str, kind: str, body: bytes) -> None:
    async with bench(tmp_path, BODY) as b, b.contents() as contents:
        b.source = Source(b.server.url.rpartition("/")[0] + "/asset")
        b.server.always = sending(body, kind=kind, status=200)
        assert (await contents.probe(content(name))).size == len(body)


class _Parts(httpx.AsyncByteStream):
    """A body as httpx's own are: a generator that its caller has to bring to its end."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(9):
            if self.is_closed:
                raise httpx.StreamClosed
            yield b"part"

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("is_made", [False, True])
@pytest.mark.filterwarnings("error")
async def test_a_body_that_is_left_after_its_beginning_leaves_nothing_open(is_made: bool) -> None:
    """Also one whose response was made with its content: httpx does not close the stream of such a response."""

    def answered(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"partpart") if is_made else httpx.Response(200, stream=_Parts())

    async with Transport(http_transport=httpx.MockTransport(answered)) as transport:
        async with transport.stream("https://x.org/") as response:
            assert await beginning_of(response, 5) == b"partp"
        del response
        gc.collect()
        await trio.testing.wait_all_tasks_blocked()


async def test_a_beginning_that_was_looked_at_is_still_read() -> None:
    text = bytes(range(256)) * 40
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%b\r\n" % (len(part), part) for part in (text[:1], text[1:300], text[300:])
    )
    answers = {"/length": reply(text), "/chunked": chunked + b"0\r\n\r\n", "/short": reply(b"ab"), "/none": reply()}
    wanted = {"/length": text, "/chunked": text, "/short": b"ab", "/none": b""}
    async with web(lambda path, _: answers[path]) as there, Transport(read_timeout=5.0) as transport:
        for path, expected in wanted.items():
            async with transport.stream(there.url(path)) as response:
                for count in (1, 1, 512, 5):
                    assert await beginning_of(response, count) == expected[:count]
                assert b"".join([part async for part in response.aiter_raw()]) == expected
        assert there.connections == 1  # it is used again
