"""A shared cache behind HTTP: the web server of `serve-cache`, its reader, and servers that misbehave."""

from __future__ import annotations

import gzip
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trustme
from starlette.requests import Request as HttpRequest

from coursefs.shared import SharedKey
from coursefs.shared.folder import FolderTier
from coursefs.shared.pieces import MOST_SEALED, PIECE_SIZE, BadPiece, seal, unseal
from coursefs.shared.tier import FullTier, ReadOnlyTier, TierFailed
from coursefs.shared.web import WebTier
from coursefs.shared.web_server import _is_urgent
from tests.engine.content_bench import MIB, bench, noise, settled, until
from tests.engine.content_server import Request, Server
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
from tests.engine.web import Authority, reply, server_context, web

BODY = noise(5 * MIB + 12345)
NAME = piece().name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "tier"
    place.mkdir()
    return place


# -- the web server and its reader -------------------------------------------------------------------------------------


async def test_pieces_and_claims_go_there_and_back(folder: Path) -> None:
    async with served(FolderTier(folder)) as address:
        tier = WebTier(f"{address}/", KEY.token)
        assert tier.place == address
        assert await tier.get(NAME) is None
        assert await tier.age(NAME) is None
        data = sealed()
        assert await tier.put(NAME, data)
        assert await tier.get(NAME) == data
        assert await tier.put(claim(), b"", only_new=True)
        assert not await tier.put(claim(), b"", only_new=True)
        os.utime(folder / NAME[:2] / claim(), (0, 0))
        assert await tier.age(claim()) > 10**9  # type: ignore[operator]
        assert await tier.put(claim(), b"")
        assert await tier.age(claim()) <= 2  # type: ignore[operator]  # dates are in whole seconds
        await tier.remove(claim())
        await tier.remove(claim())
        assert await tier.age(claim()) is None
        assert [path.name for path in folder.rglob("*.*")] == []
        await tier.aclose()
        with pytest.raises(TierFailed, match="is used no more"):
            await tier.get(NAME)


async def test_forty_machines_that_begin_at_once_ask_the_platform_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhurried(monkeypatch)
    async with bench(tmp_path, BODY) as it, served(FolderTier(folder)) as address:
        await studied_by(it, tmp_path, 40, lambda: WebTier(address, KEY.token))
        assert from_platform(it) <= 1.05 * len(BODY)
    assert [path.name.count(".") for path in folder.rglob("*") if path.is_file()] == [0] * 6


async def test_web_caches_may_keep_pieces_for_ever_and_nothing_else(folder: Path) -> None:
    async with served(FolderTier(folder)) as address, httpx.AsyncClient(base_url=address) as client:
        client.headers["Authorization"] = f"Bearer {KEY.token}"
        path, there = f"/{NAME[:2]}/{NAME}", f"/{NAME[:2]}/{claim()}"
        answers = [await client.request(method, path) for method in ("GET", "HEAD")]
        answers += [await client.put(there, content=b""), await client.get(there), await client.head(there)]
        answers += [await client.get(there, headers={"Prefer": "wait=1"}), await client.delete(there)]
        answers += [await client.put(path, content=sealed()), await client.get(path, headers={"Authorization": ""})]
        assert {one.headers["Cache-Control"] for one in answers} == {"no-store"}
        assert [one.status_code for one in answers] == [404, 404, 201, 200, 200, 404, 204, 201, 401]
        for method in ("GET", "HEAD"):
            kept = await client.request(method, path)
            assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            # a cache throws away what it has when a HEAD says another length
            assert kept.headers.get("Content-Length", str(MOST_SEALED)) == str(MOST_SEALED)


@pytest.mark.parametrize("token", ["", "another-token"])
async def test_a_token_is_demanded(folder: Path, token: str) -> None:
    async with served(FolderTier(folder)) as address:
        right, wrong = WebTier(address, KEY.token), WebTier(address, token)
        await right.put(NAME, sealed())
        for call in (wrong.get(NAME), wrong.put(NAME, sealed()), wrong.age(NAME), wrong.remove(claim())):
            with pytest.raises(TierFailed, match=r"refuses the token in this machine's shared\.key") as caught:
                await call
            assert not isinstance(caught.value, ReadOnlyTier)
            assert KEY.token not in str(caught.value)
        await right.aclose()
        await wrong.aclose()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc/passwd",
        "/../secret",
        "/ab/../../secret",
        "/ab/..%2f..%2fsecret",
        "/%2e%2e/secret",
        f"/00/{NAME}",
        f"/{NAME[:2]}/{NAME.upper()}",
        f"/{NAME[:2]}/{NAME}.part",
        f"/{NAME[:2]}/{NAME}.claim.claim",
        f"/{NAME[:2]}/{NAME}%0a",
        f"/{NAME[:2]}/{NAME}%00",
        f"//{NAME[:2]}/{NAME}",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_no_other_name_reaches_the_folder(folder: Path, path: str, method: str) -> None:
    (folder.parent / "secret").write_bytes(b"secret")
    async with served(FolderTier(folder)) as address:
        port = int(address.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:  # a client would tidy the path
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY.token}\r\nConnection: close\r\n"
            await stream.send_all(f"{head}Content-Length: 0\r\n\r\n".encode())
            answer = b"".join([part async for part in stream])
    assert answer.split(b" ")[1] in {b"404", b"405", b"400"}
    assert not answer.endswith(b"secret")
    assert (folder.parent / "secret").read_bytes() == b"secret"
    assert not list(folder.iterdir())


@pytest.mark.parametrize("made", ["link", "FIFO", "folder"])
async def test_what_is_no_file_is_not_served(folder: Path, made: str) -> None:
    """Who can write into the folder gets no file of the machine that serves it, and stops none of its threads."""
    place = folder / NAME[:2] / NAME
    place.parent.mkdir()
    (folder.parent / "secret").write_bytes(b"secret")
    if made == "link":
        place.symlink_to(folder.parent / "secret")
    elif made == "FIFO":
        os.mkfifo(place)
    else:
        place.mkdir()
    async with served(FolderTier(folder)) as address:
        tier = WebTier(address, KEY.token)
        for _ in range(6):  # more than there are threads
            with trio.fail_after(5):
                assert await tier.get(NAME) == b""
        await tier.aclose()


async def test_what_is_no_signed_piece_is_not_taken(folder: Path) -> None:
    flipped = bytearray(sealed())
    flipped[-1] ^= 1
    async with served(FolderTier(folder)) as address, httpx.AsyncClient(base_url=address) as client:
        client.headers["Authorization"] = f"Bearer {KEY.token}"
        path = f"/{NAME[:2]}/{NAME}"

        async def status(body: bytes, path: str = path) -> int:
            return (await client.put(path, content=body)).status_code

        assert await status(b"") == 422
        assert await status(bytes(flipped)) == 422
        assert await status(sealed(key=SharedKey.generated())) == 422
        assert await status(sealed(1)) == 422  # signed, but for another name
        assert await status(bytes(MOST_SEALED + 1)) == 413
        assert await status(b"x", f"/{NAME[:2]}/{claim()}") == 413
        assert not list(folder.rglob("*.*")) + [path for path in folder.rglob("*") if path.is_file()]
        assert await status(sealed()) == 201
        assert (await client.delete(path)).status_code == 405  # nobody from afar removes pieces
        assert (await client.get(path)).status_code == 200


async def test_a_full_disk_is_named(folder: Path) -> None:
    async with served(FolderTier(folder, min_free=2**60)) as address:
        tier = WebTier(address, KEY.token)
        for name, data in ((NAME, sealed()), (claim(), b"")):
            with pytest.raises(FullTier, match=r"^http://127\.0\.0\.1:\d+: its disk is full$"):
                await tier.put(name, data)
        await tier.aclose()


async def test_a_folder_that_hangs_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of a network disk does not answer; whoever waits for the web server would otherwise be kept for ever."""
    monkeypatch.setattr("coursefs.shared.web_server._PATIENCE", 0.1)

    class Hanging(FolderTier):
        async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
            await trio.sleep_forever()
            return None

    async with served(Hanging(folder)) as address:
        tier = WebTier(address, KEY.token)
        with pytest.raises(TierFailed, match="answers with status 503"):
            await tier.get(NAME)
        await tier.aclose()


# -- waiting -----------------------------------------------------------------------------------------------------------


async def test_a_piece_that_is_waited_for_comes_when_it_is_put(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.shared.web_server._LOOK_EVERY", 100.0)
    tier = CountingTier(folder)
    async with served(tier) as address:
        one, other = WebTier(address, KEY.token), WebTier(address, KEY.token)
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with trio.fail_after(5):
                    assert await one.get(NAME, wait=9) == sealed_piece

            sealed_piece = sealed()
            nursery.start_soon(wait)
            await until(lambda: tier.looked[NAME])
            await other.put(NAME, sealed_piece)
        assert tier.read[NAME] == 1  # only when it was there
        await one.aclose()
        await other.aclose()


async def test_a_wait_ends_when_the_claim_ends(folder: Path) -> None:
    """The claimant has failed: whoever waits may try now."""
    tier = CountingTier(folder)
    async with served(tier) as address:
        one, other = WebTier(address, KEY.token), WebTier(address, KEY.token)
        await other.put(claim(), b"", only_new=True)
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with trio.fail_after(5):
                    assert await one.get(NAME, wait=9) is None

            nursery.start_soon(wait)
            await until(lambda: tier.looked[NAME])
            await other.remove(claim())
        await one.aclose()
        await other.aclose()


async def test_a_piece_that_comes_into_the_folder_by_another_way_is_seen(folder: Path) -> None:
    async with served(FolderTier(folder)) as address:
        tier, disk = WebTier(address, KEY.token), FolderTier(folder)
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with trio.fail_after(5):
                    assert await tier.get(NAME, wait=9) is not None

            nursery.start_soon(wait)
            await disk.put(NAME, sealed())
        await tier.aclose()


async def test_a_server_that_cannot_wait_is_asked_again() -> None:
    asked = []

    def answer(path: str, _: bytes) -> bytes:
        asked.append(path)
        is_there = path == f"/{NAME[:2]}/{NAME}" and asked.count(path) == 3
        return reply(sealed_piece) if is_there else reply(status="404 Not Found")

    sealed_piece = sealed()
    async with web(answer, host="127.0.0.1") as there:
        tier = WebTier(there.url("", "127.0.0.1"))
        assert await tier.get(NAME, wait=5) == sealed_piece
        began = trio.current_time()
        assert await tier.get(piece(1).name, wait=1) is None
        assert 1 <= trio.current_time() - began < 1.9
        await tier.aclose()


async def test_a_body_of_unknown_length_is_read_to_its_end() -> None:
    """A web cache passes on what it is still receiving."""
    data = sealed()
    server = Server(b"")

    async def chunked(request: Request) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        await request.stream.send_all(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))

    async def until_closed(request: Request) -> bool:
        await request.stream.send_all(b"HTTP/1.0 200 OK\r\n\r\n" + data)
        return True

    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        tier = WebTier(f"http://127.0.0.1:{server.port}")
        for answer in (chunked, until_closed):
            server.always = answer
            assert await tier.get(NAME) == data
        await tier.aclose()
        nursery.cancel_scope.cancel()


async def test_one_connection_is_used_again() -> None:
    """For whatever is asked: a connection with TLS takes longer than an answer."""
    server = Server(b"")

    async def answer(request: Request) -> None:
        await request.send(200, {}, sealed())

    server.always = answer
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        tier = WebTier(f"http://127.0.0.1:{server.port}")
        assert await tier.put(claim(), b"", only_new=True)
        assert await tier.put(NAME, sealed())
        assert len(await tier.get(NAME) or b"") == MOST_SEALED
        assert await tier.age(NAME) == 0.0
        await tier.remove(claim())
        assert server.connections == 1
        await tier.aclose()
        nursery.cancel_scope.cancel()


# -- what a program waits for goes first -------------------------------------------------------------------------------


class GatedTier(CountingTier):
    """The first piece is read when `gate` is opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = trio.Event()
        self.order: list[str] = []
        self.most = self._now = 0  # pieces that are read at once

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        """See `Tier.get`."""
        self.order.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        if name == NAME:
            await self.gate.wait()
        found = await super().get(name, wait=wait, urgent=urgent)
        self._now -= 1
        return found


async def test_what_a_program_waits_for_is_sent_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty machines that begin at once the last one gets its first bytes before the others read ahead."""
    for name in ("_LONGEST_WAIT_FOR_TURN", "_LONGEST_TURN"):
        monkeypatch.setattr(f"coursefs.shared.web_server.{name}", 60.0)
    disk = GatedTier(folder)
    for number in range(12):
        await disk.put(piece(number).name, sealed(number))
    async with served(disk) as address, trio.open_nursery() as nursery:
        tier = WebTier(address, KEY.token)
        nursery.start_soon(tier.get, NAME)
        await until(lambda: disk.order)
        for number in range(2, 12):
            nursery.start_soon(partial(tier.get, piece(number).name, urgent=False))
        for _ in range(3):
            assert await tier.get(piece(1).name) is not None
        assert set(disk.order) == {NAME, piece(1).name}
        disk.most = 0
        disk.gate.set()
        await until(lambda: len(disk.order) == 14)
    assert disk.most <= 4
    await tier.aclose()


async def test_nothing_waits_for_long_for_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.shared.web_server._LONGEST_WAIT_FOR_TURN", 0.1)
    disk = GatedTier(folder)
    await disk.put(piece(1).name, sealed(1))
    async with served(disk) as address, trio.open_nursery() as nursery:
        tier = WebTier(address, KEY.token)
        nursery.start_soon(tier.get, NAME)
        await until(lambda: disk.order)
        for _ in range(5):
            assert await tier.get(piece(1).name, urgent=False) is not None
        disk.gate.set()
    await tier.aclose()


@pytest.mark.parametrize("hang", [1, 4])
async def test_pieces_that_hang_keep_others_for_two_seconds_at_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hang: int
) -> None:
    """Machines that fell asleep while they received something urgent, or, four of them, what was read ahead."""
    monkeypatch.setattr("coursefs.shared.web_server._LONGEST_WAIT_FOR_TURN", 60.0)
    monkeypatch.setattr("coursefs.shared.web_server._LONGEST_TURN", 0.1)
    disk = GatedTier(folder)
    await disk.put(piece(1).name, sealed(1))
    async with served(disk) as address, trio.open_nursery() as nursery:
        tier = WebTier(address, KEY.token)
        for _ in range(hang):
            nursery.start_soon(partial(tier.get, NAME, urgent=hang == 1))
        await until(lambda: len(disk.order) == hang)
        assert await tier.get(piece(1).name, urgent=False) is not None
        disk.gate.set()
    await tier.aclose()


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_turn_ends_also_without_a_piece(folder: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    monkeypatch.setattr("coursefs.shared.web_server._LONGEST_WAIT_FOR_TURN", 60.0)
    disk = GatedTier(folder)
    await disk.put(piece(1).name, sealed(1))
    async with served(disk) as address:
        tier = WebTier(address, KEY.token)
        if hangs:
            with monkeypatch.context() as patched, pytest.raises(TierFailed, match="answers with status 503"):
                patched.setattr("coursefs.shared.web_server._PATIENCE", 0.1)
                await tier.get(NAME)
        else:
            disk.gate.set()
            assert await tier.get(NAME) is None
        with trio.fail_after(20):
            assert await tier.get(piece(1).name, urgent=False) is not None
        await tier.aclose()


@pytest.mark.parametrize(
    ("priority", "is_urgent"),
    [
        (None, True),
        ("u=3", True),
        ("u=0, i", True),
        ("u=4", False),
        ("i, u=7", False),
        ("nonsense", True),
        ("xu=7", True),
    ],
)
def test_the_priority_of_a_request_is_that_of_http(priority: str | None, is_urgent: bool) -> None:
    """RFC 9218: 3 is the default, and a larger number is less urgent."""
    request = HttpRequest({"type": "http", "headers": [] if priority is None else [(b"priority", priority.encode())]})
    assert _is_urgent(request) is is_urgent


# -- TLS, proxies, redirects -------------------------------------------------------------------------------------------


async def test_tls_is_checked_as_for_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = Authority(monkeypatch, tmp_path)
    unknown = server_context(trustme.CA())
    for tls, said in (
        (authority.server(), None),
        (authority.server("other.example.org"), "its certificate is for another host"),
        (unknown, "its certificate is from an unknown authority"),
        (None, "it does not speak TLS on this port"),
    ):
        async with web(lambda *_: reply(b"a piece"), tls) as there:
            tier = WebTier(f"HTTPS:{there.url('').partition(':')[2]}", KEY.token)
            if said is None:
                assert await tier.get(NAME) == b"a piece"
            else:
                with pytest.raises(TierFailed, match=said):
                    await tier.get(NAME)
            await tier.aclose()


async def test_no_proxy_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with web(lambda *_: reply(b"a piece"), host="127.0.0.1") as there, web(lambda *_: reply()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        tier = WebTier(there.url("", "127.0.0.1"), KEY.token)
        assert await tier.get(NAME) == b"a piece"
        assert not proxy.asked
        await tier.aclose()


async def test_no_redirect_is_followed() -> None:
    async with web(lambda *_: reply(b"x")) as elsewhere:
        target = elsewhere.url()
        async with web(lambda *_: reply(b"", f"Location: {target}", status="302 Found")) as there:
            tier = WebTier(there.url(""), KEY.token)
            with pytest.raises(TierFailed, match="answers with status 302"):
                await tier.get(NAME)
            await tier.aclose()
        assert not elsewhere.asked


# -- servers that misbehave --------------------------------------------------------------------------------------------


async def _page(request: Request) -> bool:
    await request.send(200, {"Content-Type": "text/html"}, b"<html>Sign in to this network</html>")
    return False


async def _endless(request: Request) -> bool:
    await request.stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await request.stream.send_all(b"10000\r\n" + bytes(2**16) + b"\r\n")


async def _endless_headers(request: Request) -> bool:
    await request.stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await request.stream.send_all(b"X: " + b"x" * 2**16 + b"\r\n")


async def _silent(_: Request) -> bool:
    await trio.sleep_forever()
    return True


async def _silent_in_the_body(request: Request) -> bool:
    await request.send(200, {}, b"coursefs piece 1\n", length=MOST_SEALED)
    await trio.sleep_forever()
    return True


async def _dripping(request: Request) -> bool:
    await request.send(200, {}, b"", length=MOST_SEALED)
    while True:
        await request.stream.send_all(b"x")
        await trio.sleep(0.2)


async def _reset(request: Request) -> bool:
    await request.send(200, {}, bytes(1000), length=MOST_SEALED)
    request.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return True


async def _closed(_: Request) -> bool:
    return True


async def _half(request: Request) -> bool:
    await request.send(200, {}, sealed()[: MOST_SEALED // 2], length=MOST_SEALED)
    return True


async def _garbage(request: Request) -> bool:
    await request.stream.send_all(b"\x16\x03\x01 what is this\r\n\r\n")
    return True


async def _bomb(request: Request) -> bool:
    await request.send(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(2**26)))
    return False


async def _empty(request: Request) -> bool:
    await request.send(200, {}, b"")
    return False


def _status(status: int) -> Callable[[Request], Awaitable[bool]]:
    async def answer(request: Request) -> bool:
        await request.send(status, {"Date": "nonsense", "Last-Modified": "0"}, b"")
        return False

    return answer


FAULTS = {
    **{
        one.__name__.strip("_"): one
        for one in (
            *(_page, _endless, _endless_headers, _silent, _silent_in_the_body, _dripping),
            *(_reset, _closed, _half, _garbage, _bomb, _empty),
        )
    },
    **{str(status): _status(status) for status in (201, 204, 206, 304, 400, 403, 416, 429, 500, 503)},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_but_a_failure_of_the_tier_comes_of_a_fault(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coursefs.shared.web._TIMEOUT", 0.3)
    server = Server(b"", always=FAULTS[fault])
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        tier = WebTier(f"http://127.0.0.1:{server.port}", KEY.token)
        for call in (
            lambda: tier.get(NAME),
            lambda: tier.get(NAME, wait=0.1),
            lambda: tier.put(NAME, sealed()),
            lambda: tier.put(claim(), b"", only_new=True),
            lambda: tier.age(NAME),
            lambda: tier.remove(claim()),
        ):
            with trio.move_on_after(2):  # as the shared cache does
                try:
                    found = await call()
                except TierFailed as error:
                    assert str(error).startswith(f"http://127.0.0.1:{server.port}: ")
                    assert "\n" not in str(error) and KEY.token not in str(error)
                else:
                    if isinstance(found, bytes):
                        assert len(found) <= MOST_SEALED + 2**17
                        with pytest.raises(BadPiece):
                            unseal(piece(), found, KEY)
        await tier.aclose()
        nursery.cancel_scope.cancel()


async def test_no_more_is_read_than_a_piece_can_have() -> None:
    server = Server(b"", always=_endless)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        tier = WebTier(f"http://127.0.0.1:{server.port}")
        with trio.fail_after(10):
            found = await tier.get(NAME)
        assert found is not None
        assert MOST_SEALED < len(found) < MOST_SEALED + 2**17
        await tier.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.logs
@pytest.mark.parametrize("fault", ["page", "endless", "silent", "dripping", "reset", "half", "garbage", "500"])
async def test_a_machine_reads_on_from_the_platform(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(b"", always=FAULTS[fault])
    async with trio.open_nursery() as nursery, bench(tmp_path, BODY) as it:
        await nursery.start(server.run)
        began = trio.current_time()
        address = f"http://127.0.0.1:{server.port}"
        async with machine(it, tmp_path, 0, lambda: WebTier(address, KEY.token)) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 0
            assert contents.shared.trouble.startswith(address)
        assert trio.current_time() - began < 6
        assert from_platform(it) == len(BODY)
        nursery.cancel_scope.cancel()
    assert KEY.token not in caplog.text


async def test_a_server_that_takes_nothing_is_only_read(tmp_path: Path, folder: Path) -> None:
    """As nginx and Caddy: what is there is taken, what is missing comes from the platform, and nobody is warned."""
    disk = FolderTier(folder)

    async def static(request: Request) -> bool:
        found = None if request.method == "PUT" else await disk.get(request.path.rpartition("/")[2])
        status = 405 if request.method == "PUT" else 404 if found is None else 200
        await request.send(status, {}, found or b"")
        return False

    server = Server(b"", always=static)
    async with trio.open_nursery() as nursery, bench(tmp_path, BODY) as it:
        await nursery.start(server.run)
        await studied_by(it, tmp_path / "filling", 1, lambda: FolderTier(folder))
        for path in sorted(path for path in folder.rglob("*") if path.is_file())[::2]:
            path.unlink()
        it.server.requests.clear()
        async with machine(it, tmp_path, 1, lambda: WebTier(f"http://127.0.0.1:{server.port}")) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 3
            assert contents.shared.trouble == ""
        assert sum(request.method == "PUT" for request in server.requests) == 1
        nursery.cancel_scope.cancel()


def test_a_piece_is_as_long_as_web_servers_must_allow() -> None:
    """Documented: client_max_body_size 2m."""
    assert len(seal(piece(), bytes(PIECE_SIZE), KEY)) == MOST_SEALED < 2 * 2**20
