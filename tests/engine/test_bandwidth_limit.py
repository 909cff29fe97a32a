"""The bandwidth limit on a library: transfers keep to it, reads do not, and a reload changes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from coursefs.errors import UsageError
from coursefs.settings.rates import parse_rate
from tests.engine.content_bench import CONTENT, MIB, bench, noise, until
from tests.engine.content_server import Request
from tests.engine.shelf import PATHS, VIDEOS, Shelf, counts, run, shelf
from tests.engine.test_download import files
from tests.engine.test_fetching import read

__all__ = ["shelf"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds for which the limit would have let transfers wait; they do not wait in fact."""
    found: list[float] = []
    real = trio.current_time
    ahead = 0.0

    def now() -> float:
        return real() + ahead

    async def wait(bandwidth: object, ended: trio.Event | None = None) -> None:
        nonlocal ahead
        seconds = bandwidth._wait()  # type: ignore[attr-defined]
        if not (ended is not None and ended.is_set()):
            found.append(seconds)
            ahead += seconds
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr("coursefs.transport.bandwidth.trio.current_time", now)
    monkeypatch.setattr("coursefs.transport.bandwidth.Bandwidth.wait", wait)
    yield found


async def test_a_fetch_keeps_to_the_limit_of_the_settings(shelf: Shelf, waits: list[float]) -> None:
    shelf.settings = replace(shelf.settings, limit=parse_rate("100KiB/s"))
    async with shelf.opened() as library:
        began = time.monotonic()
        assert counts(await run(library, "fetch", PATHS[1])) == (1, 0, 0, 0)
        assert sum(waits) == pytest.approx(50, abs=3 + time.monotonic() - began)
        assert await read(library, PATHS[1]) == shelf.cdn.bodies[VIDEOS[1]]


async def test_a_read_never_waits_for_the_limit(shelf: Shelf, waits: list[float]) -> None:
    shelf.settings = replace(shelf.settings, limit=parse_rate("1KiB/s"))
    async with shelf.opened() as library:
        assert await read(library, PATHS[1]) == shelf.cdn.bodies[VIDEOS[1]]
        assert waits == []


@pytest.mark.parametrize("is_framed", [True, False])
async def test_a_read_takes_over_what_a_limited_fetch_has_begun(tmp_path: Path, is_framed: bool) -> None:
    """With real waits: with a byte a second the fetch would take weeks, and the read comes at once."""
    body = noise(3 * MIB)
    async with bench(tmp_path, body) as engine, engine.contents() as contents, trio.open_nursery() as nursery:
        if not is_framed:
            engine.server.always = _without_length
        engine.transport.bandwidth.rate = lambda: 1.0
        nursery.start_soon(contents.prefetch, CONTENT)
        await until(lambda: any(one.received > one.start for one in contents.fetching()))
        with trio.fail_after(20):
            assert await engine.read_all(contents) == body
        nursery.cancel_scope.cancel()


async def test_what_comes_by_a_socket_comes_as_slowly_as_it_should(tmp_path: Path) -> None:
    body = noise(2 * MIB)
    async with bench(tmp_path, body) as engine, engine.contents() as contents:
        engine.transport.bandwidth.rate = lambda: 2.0 * MIB
        began = time.monotonic()
        await contents.prefetch(CONTENT)
        assert time.monotonic() - began > 0.7, "one second, but for what may come at once"
        assert await engine.read_all(contents) == body


async def _without_length(request: Request) -> bool:
    """An answer of which only the end of the connection says where it ends."""
    assert request.range is not None
    start, end = request.range
    body = noise(3 * MIB)
    head = f'HTTP/1.1 206 X\r\nETag: "one"\r\nContent-Range: bytes {start}-{end - 1}/{len(body)}\r\n'
    await request.stream.send_all(f"{head}Connection: close\r\n\r\n".encode() + body[start:end])
    return True


async def test_a_command_has_its_own_limit_in_place_of_that_of_the_settings(shelf: Shelf, waits: list[float]) -> None:
    shelf.settings = replace(shelf.settings, limit=parse_rate("1KiB/s"))
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[0], limit="off")
        assert sum(waits) == 0
        await run(library, "fetch", PATHS[1], limit="1MiB/s")
        assert 3 < sum(waits) < 6
        with pytest.raises(UsageError, match="is not a rate"):
            await run(library, "fetch", limit="quick")


@pytest.mark.logs
async def test_a_download_past_the_cache_keeps_to_it_too(shelf: Shelf, waits: list[float], tmp_path: Path) -> None:
    shelf.settings = replace(shelf.settings, max_size=0)
    async with shelf.opened() as library:
        await run(library, "download", PATHS[1], to=str(tmp_path / "to"), umask=0, limit="1MiB/s")
    assert files(tmp_path / "to")[PATHS[1]] == shelf.cdn.bodies[VIDEOS[1]]
    assert sum(waits) > 3


async def test_a_reload_changes_the_limit(shelf: Shelf, waits: list[float]) -> None:
    async with shelf.opened() as library:
        await run(library, "fetch", PATHS[0])
        assert sum(waits) == 0
        applied = library.apply(replace(shelf.settings, limit=parse_rate("100KiB/s")))
        assert applied.changed == ("network.limit",)
        await run(library, "fetch", PATHS[1])
        # 50 s for all of it; nothing waits after the last part, of 2 MiB at most, once the file is whole
        assert sum(waits) > 25
