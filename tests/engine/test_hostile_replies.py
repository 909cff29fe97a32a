"""Replies that were made to fill the memory or to hold up the event loop, over real sockets."""

from __future__ import annotations

import gzip
import json
import socketserver
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import trio

from coursefs.errors import BadReply, CoursefsError, Unreachable
from coursefs.transport import Transport
from coursefs.transport.body import Inflate, content_coding
from tests.engine.web import reply, web

_MIB = 2**20
_ROOT = Path(__file__).resolve().parents[2]


def many(unit: str, length: int) -> bytes:
    """A list of equal things."""
    return f"[{','.join([unit] * (length // (len(unit.encode()) + 1)))}]".encode()


def zeros(size: int) -> bytes:
    return gzip.compress(bytes(size), mtime=0)


#: by name: the body, or how many bytes of lists without an end, and its Content-Encoding
_REPLIES = {
    "two-codings": lambda: (gzip.compress(zeros(100 * _MIB), mtime=0), "gzip, gzip"),
    "bomb": lambda: (zeros(100 * _MIB), "gzip"),
    "endless": lambda: (None, ""),
    "lists": lambda: (many("[]", 83_000), ""),
    "nested": lambda: (many("[" * 100 + "]" * 100, 62_000), ""),
    "objects": lambda: (many('{"a":0}', 220_000), ""),
    "keys": lambda: (b"{" + b",".join(b'"%x":0' % number for number in range(245_000)) + b"}", ""),
    "texts": lambda: (many('"äa"', 1_400_000), ""),
    "wide": lambda: (b'["' + b"a" * (8 * _MIB - 10) + "😀".encode() + b'"]', ""),
    "floats": lambda: (many("1.5", 990_000), ""),
    "children": lambda: (
        b'{"root":"r","blocks":{"r":{"id":"r","type":"course","children":['
        + b",".join(b'"b%d"' % number for number in range(245_000))
        + b"]}}}",
        "",
    ),
    "blocks": lambda: (
        b'{"root":"b0","blocks":['
        + b",".join(b'{"id":"b%d","children":["b%d"]}' % (number, number + 1) for number in range(9_900))
        + b"]}",
        "",
    ),
    "elements": lambda: (
        b'{"elements":[' + b",".join(b'{"id":"b%d"}' % number for number in range(27_000)) + b"]}",
        "",
    ),
}


@cache
def body(name: str) -> tuple[bytes | None, str]:
    return _REPLIES[name]()  # type: ignore[no-untyped-call]


class _Hostile(socketserver.StreamRequestHandler):
    """Answers `/NAME/…` with the reply of that name."""

    def handle(self) -> None:
        try:
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                self._answer(line.split()[1].decode().split("/")[1])
        except OSError:
            pass

    def _answer(self, name: str) -> None:
        content, coding = body(name)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        head += f"Content-Encoding: {coding}\r\n" if coding else ""
        if content is not None:
            self.wfile.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            return
        self.wfile.write(f"{head}\r\n[".encode())
        while True:
            self.wfile.write(b"[]," * 20_000)


@contextmanager
def hostile() -> Iterator[str]:
    """The address of a server that sends such replies.  In threads: what it sends has no end."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Hostile) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


#: MB, on every Python
_AFTER = 120


@pytest.fixture(scope="module")
def effects() -> dict[str, dict[str, float]]:
    """What each of the replies did to one process, which asked for each of them eight times."""
    for name in _REPLIES:
        body(name)  # before a task waits for it
    with hostile() as base:
        command = [sys.executable, "-m", "tests.engine.hostile_client", base, *_REPLIES]
        ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True, timeout=240)
    return dict(zip(_REPLIES, map(json.loads, ran.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", _REPLIES)
def test_no_reply_fills_the_memory_or_holds_up_the_event_loop(name: str, effects: dict[str, dict[str, float]]) -> None:
    effect = effects[name]
    assert effect["peak"] <= 200, effect  # MB, of this and of those before
    assert effect["after"] <= _AFTER, effect
    assert effect["late"] < 0.5, effect  # seconds


@pytest.mark.parametrize(
    "coding", ["gzip, gzip", "gzip,deflate", "br", "zstd", "compress", "gzip, identity, gzip", "x"]
)
async def test_a_coding_that_was_not_asked_for_is_a_bad_reply(coding: str) -> None:
    async with web(lambda *_: reply(b"whatever", f"Content-Encoding: {coding}")) as server, Transport() as transport:
        with pytest.raises(BadReply, match="compression that was not requested"):
            await transport.fetch(server.url())


async def test_several_content_encoding_headers_are_several_codings() -> None:
    twice = gzip.compress(gzip.compress(b"{}"), mtime=0)
    async with (
        web(lambda *_: reply(twice, "Content-Encoding: gzip", "Content-Encoding: gzip")) as server,
        Transport() as transport,
    ):
        with pytest.raises(BadReply, match="compression that was not requested"):
            await transport.fetch(server.url())


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("GZIP", gzip.compress(b'{"a": 1}', mtime=0)),
        ("identity, gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("gzip", gzip.compress(b'{"a"', mtime=0) + gzip.compress(b": 1}", mtime=0) + bytes(8)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}', wbits=-15)),
        ("identity", b'{"a": 1}'),
        ("", b'{"a": 1}'),
    ],
)
async def test_one_coding_is_taken(coding: str, sent: bytes) -> None:
    async with web(lambda *_: reply(sent, f"Content-Encoding: {coding}")) as server, Transport() as transport:
        assert (await transport.fetch(server.url())).json() == {"a": 1}


async def test_what_cannot_be_decompressed_is_a_bad_reply() -> None:
    async with web(lambda *_: reply(b"no gzip", "Content-Encoding: gzip")) as server, Transport() as transport:
        with pytest.raises(BadReply, match="cannot be decompressed"):
            await transport.fetch(server.url())


async def test_a_compressed_body_that_breaks_off_is_not_taken() -> None:
    half = gzip.compress(bytes(range(256)) * 9)[:-20]
    async with (
        web(lambda *_: reply(half, "Content-Encoding: gzip")) as server,
        Transport(read_timeout=1.0) as transport,
    ):
        with pytest.raises(CoursefsError) as caught:
            await transport.fetch(server.url(), method="POST", content=b"")
        assert isinstance(caught.value, Unreachable)


def test_a_bomb_is_left_off_soon() -> None:
    grown = 0
    with pytest.raises(BadReply, match="grows without bound"):
        for part in Inflate("gzip").feed(zeros(200 * _MIB)):
            assert len(part) <= 65536
            grown += len(part)
    assert grown <= 17 * _MIB


def test_all_of_a_body_comes_out_however_it_is_cut() -> None:
    text = b"".join(b"%d " % number for number in range(40_000)) + bytes(300_000)
    for coding, data in (("gzip", gzip.compress(text, mtime=0)), ("deflate", zlib.compress(text))):
        for step in (1, 7, 4096, len(data)):
            inflate = Inflate(coding)
            assert (
                b"".join(part for at in range(0, len(data), step) for part in inflate.feed(data[at : at + step]))
                == text
            )
            inflate.finish()


def test_codings() -> None:
    assert content_coding(None) is content_coding("") is content_coding(" identity , ") is None
    assert content_coding("X-GZip") == "x-gzip"


@pytest.mark.parametrize("length", [0, 1])
async def test_a_reply_that_says_it_is_longer_than_any_is_not_waited_for(length: int) -> None:
    async with (
        web(lambda *_: reply(b"[" * length, length=10**18)) as server,
        Transport(read_timeout=2.0) as transport,
    ):
        with trio.fail_after(20), pytest.raises(CoursefsError):
            await transport.fetch(server.url())


@pytest.mark.parametrize("after", ["9" * 400, "Sun, 06 Nov 99999999999 08:49:37 GMT", "NaN", "-5", ""])
async def test_an_absurd_wait_is_no_crash(after: str) -> None:
    async with (
        web(lambda *_: reply(b"", f"Retry-After: {after}", status="503 Busy")) as server,
        Transport(read_timeout=0.3) as transport,
    ):
        with trio.fail_after(20), pytest.raises(CoursefsError):
            await transport.fetch(server.url())
        paused = transport.traffic.of("localhost").paused_until
        assert paused is None or paused < 2e10
