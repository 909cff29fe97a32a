"""A shared cache behind web servers and web caches of others: nginx, Caddy, squid, varnish."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trio

from coursefs.shared.folder import FolderTier
from coursefs.shared.tier import ReadOnlyTier, TierFailed
from coursefs.shared.web import WebTier
from tests.engine.content_bench import MIB, bench, noise, settled, until
from tests.engine.shared_tiers import (
    KEY,
    CountingTier,
    claim,
    from_platform,
    machine,
    piece,
    sealed,
    served,
    studied_by,
    unhurried,
)
from tests.foreign.shared_servers import NGINX_DAV, NGINX_FRONT, NGINX_STATIC, caddy, nginx, squid, varnish

pytestmark = pytest.mark.foreign

BODY = noise(5 * MIB + 12345)
NAME = piece().name

STATIC: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "nginx": lambda folder: nginx(NGINX_STATIC, folder=folder),
    "caddy": lambda folder: caddy(folder=folder),
}
FRONTS: dict[str, Callable[[str], AbstractContextManager[str]]] = {
    "nginx": lambda upstream: nginx(NGINX_FRONT, upstream=upstream),
    "squid": lambda upstream: squid(upstream=upstream),
    "varnish": lambda upstream: varnish(upstream=upstream),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "tier"
    place.mkdir()
    return place


def stored(folder: Path) -> list[int]:
    """The points in the names of what is stored: 0 of a piece, 1 of a claim."""
    return [path.name.count(".") for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("server", STATIC)
async def test_a_static_web_server_is_read(tmp_path: Path, folder: Path, server: str) -> None:
    async with bench(tmp_path, BODY) as it:
        await studied_by(it, tmp_path / "filling", 1, lambda: FolderTier(folder))
        for path in sorted(path for path in folder.rglob("*") if path.is_file())[::2]:
            path.unlink()
        it.server.requests.clear()
        with STATIC[server](folder) as address:
            async with machine(it, tmp_path, 1, lambda: WebTier(address, KEY.token)) as contents:
                assert await it.read_all(contents) == BODY
                await settled(contents)
                assert contents.shared is not None
                assert contents.shared.use.taken_pieces == 3
                assert contents.shared.trouble == ""  # nobody is warned of what cannot be put
            tier = WebTier(address)
            with pytest.raises(ReadOnlyTier, match="takes no pieces from this machine"):
                await tier.put(claim(), b"", only_new=True)
            await tier.aclose()
        assert 0 < from_platform(it) < len(BODY)
    assert stored(folder) == [0] * 3


async def test_webdav_of_nginx_takes_pieces_and_claims(folder: Path) -> None:
    """It knows no conditions for PUT, and says by its status whether there was such a file."""
    with nginx(NGINX_DAV, folder=folder) as address:
        one, other = WebTier(address), WebTier(address)
        data = sealed()
        assert await one.put(NAME, data)
        assert await one.put(NAME, data)
        assert await other.get(NAME) == data
        assert await one.put(claim(), b"", only_new=True)
        assert not await other.put(claim(), b"", only_new=True)
        assert await other.age(claim()) <= 2  # type: ignore[operator]
        await one.remove(claim())
        await one.remove(claim())
        assert await other.age(claim()) is None
        await one.aclose()
        await other.aclose()


async def test_a_limit_of_nginx_that_is_too_small_is_named(folder: Path) -> None:
    with nginx(NGINX_DAV.replace("2m", "1m"), folder=folder) as address:
        tier = WebTier(address)
        with pytest.raises(TierFailed, match=r"takes no bodies of 1048685 bytes; allow 2 MB there"):
            await tier.put(NAME, sealed())
        await tier.aclose()


async def test_forty_machines_behind_webdav_ask_the_platform_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhurried(monkeypatch)
    with nginx(NGINX_DAV, folder=folder) as address:
        async with bench(tmp_path, BODY) as it:
            await studied_by(it, tmp_path, 40, lambda: WebTier(address))
            assert from_platform(it) <= 1.05 * len(BODY)
    assert stored(folder) == [0] * 6


# -- web caches in front of `coursefs serve-cache` ---------------------------------------------------------------------


@pytest.mark.parametrize("front", FRONTS)
async def test_a_web_cache_asks_for_a_piece_once_and_keeps_nothing_else(folder: Path, front: str) -> None:
    upstream = CountingTier(folder)
    async with served(upstream) as behind:
        with FRONTS[front](behind) as address:
            tiers = [WebTier(address, KEY.token) for _ in range(40)]
            one, other = tiers[:2]
            data = sealed()
            # that there is no piece is not kept
            assert await one.get(NAME) is None
            assert await one.age(NAME) is None
            assert await other.put(NAME, data)
            upstream.read.clear()
            assert await one.get(NAME) == data
            assert await one.age(NAME) is not None

            async def get(tier: WebTier) -> None:
                assert await tier.get(NAME) == data

            async with trio.open_nursery() as nursery:
                for tier in tiers:
                    nursery.start_soon(get, tier)
            assert upstream.read[NAME] == 1
            # and no claim
            for _ in range(2):
                assert await one.age(claim()) is None
                assert await one.put(claim(), b"", only_new=True)
                assert await other.age(claim()) is not None
                assert not await other.put(claim(), b"", only_new=True)
                await one.remove(claim())
            # the token is demanded of what is not kept
            stranger = WebTier(address, "another-token")
            for call in (stranger.put(NAME, data), stranger.get(piece(1).name), stranger.get(piece(1).name, wait=1)):
                with pytest.raises(TierFailed, match="refuses the token"):
                    await call
            for tier in (*tiers, stranger):
                await tier.aclose()


@pytest.mark.parametrize("front", FRONTS)
async def test_forty_waits_through_a_web_cache_end_with_the_piece(folder: Path, front: str) -> None:
    """A wait is not answered after another one."""
    upstream = CountingTier(folder)
    async with served(upstream) as behind:
        with FRONTS[front](behind) as address:
            tiers = [WebTier(address, KEY.token) for _ in range(40)]
            data, come = sealed(), []

            async def wait(tier: WebTier) -> None:
                assert await tier.get(piece(1).name, wait=1) is None
                come.append(await tier.get(NAME, wait=9))

            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:
                    for tier in tiers[1:]:
                        nursery.start_soon(wait, tier)
                    await until(lambda: upstream.looked[NAME] >= 39)
                    assert not come
                    await tiers[0].put(NAME, data)
            assert come == [data] * 39
            assert upstream.read[NAME] < 39  # most come from the web cache; how many, is a matter of milliseconds
            for tier in tiers:
                await tier.aclose()


@pytest.mark.parametrize("front", FRONTS)
async def test_forty_machines_behind_a_web_cache_ask_the_platform_once(
    tmp_path: Path, folder: Path, front: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhurried(monkeypatch)
    async with served(FolderTier(folder)) as behind:
        with FRONTS[front](behind) as address:
            async with bench(tmp_path, BODY) as it:
                await studied_by(it, tmp_path, 40, lambda: WebTier(address, KEY.token))
                assert from_platform(it) <= 1.05 * len(BODY)
    assert stored(folder) == [0] * 6
