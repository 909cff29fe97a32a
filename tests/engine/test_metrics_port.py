"""The port for Prometheus, as web pages and slow or greedy clients meet it."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
import trio.testing

from coursefs.daemon import metrics_server


async def page() -> tuple[str, str]:
    return "text/plain", "coursefs_info 1\n"


async def broken() -> tuple[str, str]:
    raise RuntimeError("no status now")


PAGES = {"/metrics": page, "/broken": broken}


async def asked(port: int, request: bytes) -> bytes:
    """The whole answer."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        found = b""
        while part := await stream.receive_some():
            found += part
        return found


def get(host: str, path: str = "/metrics") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9464", "LocalHost:1", "127.0.0.1", "127.0.0.1:9464", "[::1]", "[::1]:9464", "localhost."],
)
async def test_a_request_for_this_machine_is_answered(host: str) -> None:
    async with metrics_server.serving(0, PAGES) as port:
        assert port is not None
        said = await asked(port, get(host))
        assert said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert said.endswith(b"coursefs_info 1\n")


@pytest.mark.parametrize(
    "request_",
    [
        get("evil.example"),
        get("evil.example:9464"),
        get("localhost.evil.example"),
        get("evil.example#localhost"),
        get("127.0.0.1.evil.example"),
        get("0.0.0.0"),
        get("127.0.0.2"),
        get("localhost:9464:1"),
        get("localhost evil.example"),
        get("localhost\r\nHost: evil.example"),
        get(""),
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nX-Host: localhost\r\n\r\n",
    ],
)
async def test_a_web_page_whose_name_means_this_machine_learns_nothing(request_: bytes) -> None:
    async with metrics_server.serving(0, PAGES) as port:
        assert port is not None
        said = await asked(port, request_)
        assert said.startswith(b"HTTP/1.1 421 ")
        assert b"coursefs" not in said


async def test_other_methods_paths_and_sizes_are_refused() -> None:
    async with metrics_server.serving(0, PAGES) as port:
        assert port is not None
        assert (await asked(port, b"POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert (await asked(port, get("localhost", "/"))).startswith(b"HTTP/1.1 404 ")
        assert (await asked(port, get("localhost", "http://evil.example/metrics"))).startswith(b"HTTP/1.1 404 ")
        assert (await asked(port, b"GET /" + b"x" * 16384)).startswith(b"HTTP/1.1 431 ")


@pytest.mark.logs
async def test_a_page_that_cannot_be_made_ends_nothing() -> None:
    async with metrics_server.serving(0, PAGES) as port:
        assert port is not None
        assert (await asked(port, get("localhost", "/broken"))).startswith(b"HTTP/1.1 500 ")
        assert (await asked(port, get("localhost"))).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_drips_is_left(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()

    async def drip() -> None:
        for byte in get("localhost") * 2:
            await ours.send_all(bytes([byte]))
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        started = trio.current_time()
        await metrics_server.answer(theirs, b"", PAGES, is_port=True)
        assert trio.current_time() - started == 5
        nursery.cancel_scope.cancel()


async def test_a_crowd_of_silent_clients_is_bounded_and_passes() -> None:
    async with metrics_server.serving(0, PAGES) as port:
        assert port is not None
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(16)]
        await trio.testing.wait_all_tasks_blocked(0.02)
        with trio.fail_after(2):  # one too many is sent away at once
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                with suppress(trio.BrokenResourceError):
                    assert await stream.receive_some() == b""
        for stream in silent:
            await stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert (await asked(port, get("localhost"))).startswith(b"HTTP/1.1 200 ")
