"""`coursefs serve-cache` as a person runs it: a process of its own, over TLS as well, until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trustme

from coursefs.shared.tier import TierFailed
from coursefs.shared.web import WebTier
from tests.engine.content_bench import MIB, bench, noise
from tests.engine.shared_tiers import KEY, claim, from_platform, piece, sealed, studied_by, unhurried
from tests.mount.program import PROGRAM

BODY = noise(5 * MIB + 12345)
NAME = piece().name


@pytest.fixture
def folder(tmp_path: Path, own_home: Path) -> Path:
    place = tmp_path / "courses"
    place.mkdir()
    key = own_home / ".config" / "coursefs" / "shared.key"
    key.parent.mkdir()
    key.write_text(KEY.lines())
    key.chmod(0o600)
    return place


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and its address."""
    command = [*PROGRAM, "serve-cache", str(folder), "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            line = child.stderr.readline()
            found = re.fullmatch(rf"serving {re.escape(str(folder))} at (https?://127\.0\.0\.1:\d+)\n", line)
            assert found, line
            yield child, found[1]
        finally:
            child.kill()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_ended(folder: Path, end: signal.Signals) -> None:
    """Also while somebody waits for a piece; it says nothing but where it serves."""
    with serving(folder) as (child, address):
        one, other = WebTier(address, KEY.token), WebTier(address, KEY.token)
        data = sealed()
        assert await one.put(NAME, data)
        assert await other.get(NAME) == data
        assert (folder / NAME[:2] / NAME).read_bytes() == data
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with pytest.raises(TierFailed):
                    await one.get(piece(1).name, wait=10)
                ended.set()

            ended = trio.Event()
            nursery.start_soon(wait)
            await other.get(piece(1).name, wait=1)  # by then the other one waits
            child.send_signal(end)
            with trio.fail_after(20):
                assert await trio.to_thread.run_sync(child.wait) == 0
                await ended.wait()
        assert child.stderr is not None and child.stdout is not None
        assert child.stderr.read() + child.stdout.read() == ""
        with pytest.raises(TierFailed, match="it refuses the connection"):
            await other.get(NAME)
        await one.aclose()
        await other.aclose()


async def test_it_serves_over_tls(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, private, trusted = (str(tmp_path / name) for name in ("cert.pem", "key.pem", "authority.pem"))
    for chain in issued.cert_chain_pems:
        chain.write_to_path(cert, append=True)
    issued.private_key_pem.write_to_path(private)
    authority.cert_pem.write_to_path(trusted)
    with serving(folder, "--tls-cert", cert, "--tls-key", private) as (_, address):
        assert address.startswith("https://")
        stranger = WebTier(address, KEY.token)
        with pytest.raises(TierFailed, match="its certificate is from an unknown authority"):
            await stranger.get(NAME)
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        tier = WebTier(address, KEY.token)
        assert await tier.put(claim(), b"", only_new=True)
        assert not await tier.put(claim(), b"", only_new=True)
        assert await tier.put(NAME, sealed())
        assert await tier.get(NAME) is not None
        await stranger.aclose()
        await tier.aclose()


async def test_forty_machines_that_begin_at_once_ask_the_platform_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhurried(monkeypatch)
    with serving(folder) as (_, address):
        async with bench(tmp_path, BODY) as it:
            await studied_by(it, tmp_path, 40, lambda: WebTier(address, KEY.token))
            assert from_platform(it) <= 1.05 * len(BODY)
    assert [path.name.count(".") for path in folder.rglob("*") if path.is_file()] == [0] * 6


async def test_a_folder_that_goes_is_a_failure_and_comes_again(folder: Path) -> None:
    """A network disk that is not there for a while."""
    with serving(folder) as (_, address):
        tier = WebTier(address, KEY.token)
        assert await tier.put(NAME, sealed())
        away = folder.with_name("away")
        folder.rename(away)
        assert await tier.get(NAME) is None
        with pytest.raises(TierFailed, match="answers with status 503"):
            await tier.put(NAME, sealed())
        away.rename(folder)
        assert await tier.get(NAME) is not None
        assert os.listdir(folder) == [NAME[:2]]
        await tier.aclose()
