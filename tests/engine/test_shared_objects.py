"""A shared cache in an object store: a small S3 server in this process, which can be told to misbehave.

tests/foreign/test_shared_stores.py tries the same with real servers.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from coursefs.shared.objects import ObjectTier
from coursefs.shared.pieces import MOST_SEALED, BadPiece, unseal
from coursefs.shared.shared_cache import LEASE
from coursefs.shared.tier import TierFailed
from coursefs.shared.upkeep import check, trim, use_of
from tests.engine.content_bench import MIB, bench, noise, settled
from tests.engine.content_server import Request, Server
from tests.engine.shared_tiers import KEY, claim, from_platform, machine, piece, sealed, studied_by, unhurried
from tests.engine.test_shared_web import FAULTS

BODY = noise(5 * MIB + 12345)
NAME = piece().name


@dataclass
class Store:
    """A bucket, as obstore asks an S3 server for it."""

    refuses: bool = True  # to create what there is
    ahead: float = 0.0  # seconds that its clock is ahead
    objects: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    async def answer(self, request: Request) -> None:
        parts = urlsplit(request.path)
        key = parts.path.removeprefix("/pieces/")
        self.asked[request.method] += 1
        if request.method == "PUT":
            exists = key in self.objects and request.headers.get("if-none-match") == "*"
            if not (exists and self.refuses):
                self.objects[key] = (request.body, time.time() + self.ahead)
            await request.send(412 if exists and self.refuses else 200, {"ETag": '"x"'}, b"")
        elif request.method == "POST":
            keys = re.findall(r"<Key>(.*?)</Key>", request.body.decode())
            for one in keys:
                self.objects.pop(one, None)
            deleted = "".join(f"<Deleted><Key>{one}</Key></Deleted>" for one in keys)
            await request.send(200, {}, f"<DeleteResult>{deleted}</DeleteResult>".encode())
        elif "list-type=2" in parts.query:
            listed = "".join(
                f"<Contents><Key>{name}</Key><LastModified>{_iso(written)}</LastModified><ETag>x</ETag>"
                f"<Size>{len(data)}</Size></Contents>"
                for name, (data, written) in self.objects.items()
            )
            found = f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
            await request.send(200, {}, found.encode())
        elif key not in self.objects:
            await request.send(404, {}, b"")
        else:
            data, written = self.objects[key]
            etag = hashlib.sha256(data).hexdigest()
            dates = {"ETag": f'"{etag}"', "Last-Modified": formatdate(written, usegmt=True)}
            await request.send(200, dates, data)


def _iso(written: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(written))


def point_at(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person sets in the environment for a server of their own."""
    for name, value in {
        "AWS_ENDPOINT": f"http://127.0.0.1:{server.port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "SECRETEXAMPLE",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery) -> AsyncIterator[Server]:
    there = Server(b"")
    await nursery.start(there.run)
    point_at(there, monkeypatch)
    yield there
    nursery.cancel_scope.cancel()


@pytest.fixture
def store(server: Server) -> Store:
    found = Store()
    server.always = found.answer
    return found


def tier() -> ObjectTier:
    return ObjectTier("s3://pieces/lab")


async def test_pieces_and_claims_go_there_and_back(store: Store) -> None:
    one, other, data = tier(), tier(), sealed()
    assert await one.get(NAME) is None
    assert await one.age(NAME) is None
    assert await one.put(NAME, data)
    assert await other.get(NAME) == data
    assert await one.put(claim(), b"", only_new=True)
    assert not await other.put(claim(), b"", only_new=True)
    assert await other.age(claim()) <= 2  # type: ignore[operator]  # dates are in whole seconds
    assert await one.put(claim(), b"")
    await other.remove(claim())
    await other.remove(claim())
    assert await one.age(claim()) is None
    assert list(store.objects) == [f"lab/{NAME[:2]}/{NAME}"]  # nothing is left of what was tried
    assert one.place == "s3://pieces/lab"


async def test_a_piece_is_waited_for(store: Store) -> None:
    one, data = tier(), sealed()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with trio.fail_after(10):
                assert await one.get(NAME, wait=9) == data

        nursery.start_soon(wait)
        await tier().put(NAME, data)
    began = trio.current_time()
    assert await one.get(piece(1).name, wait=0.3) is None
    assert trio.current_time() - began < 3


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_a_wrong_clock_gives_no_claim_away(store: Store, ahead: float) -> None:
    store.ahead = ahead
    one, other = tier(), tier()
    assert await one.put(claim(), b"", only_new=True)
    assert not await other.put(claim(), b"", only_new=True)
    assert 0 <= await other.age(claim()) < LEASE  # type: ignore[operator]
    data, written = store.objects[f"lab/{NAME[:2]}/{claim()}"]
    store.objects[f"lab/{NAME[:2]}/{claim()}"] = (data, written - 2 * LEASE)
    assert await other.age(claim()) > LEASE  # type: ignore[operator]


async def test_a_store_that_creates_what_there_is_is_looked_at_first(store: Store) -> None:
    store.refuses = False
    one, other = tier(), tier()
    assert await one.put(claim(), b"", only_new=True)
    assert not await other.put(claim(), b"", only_new=True)
    assert not await one.put(claim(), b"", only_new=True)


async def test_a_store_that_refuses_is_asked_once_for_a_claim(store: Store) -> None:
    one = tier()
    await one.put(claim(), b"", only_new=True)
    store.asked.clear()
    await one.put(claim(1), b"", only_new=True)
    assert store.asked == {"PUT": 1}


@pytest.mark.parametrize("refuses", [True, False])
async def test_forty_machines_that_begin_at_once_ask_the_platform_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """Where the store does not refuse the second claim, a few may ask."""
    unhurried(monkeypatch)
    store.refuses = refuses
    async with bench(tmp_path, BODY) as it:
        await studied_by(it, tmp_path, 40, tier)
        assert from_platform(it) <= (1.05 if refuses else 5) * len(BODY)
    assert [name.count(".") for name in store.objects] == [0] * 6


async def test_it_can_be_looked_after(store: Store) -> None:
    it = tier()
    for number in range(3):
        await it.put(piece(number).name, sealed(number))
    await it.put(piece(3).name, bytes(1000))
    await it.put(claim(4), b"")
    use = await use_of(it)
    assert (use.pieces, use.bytes) == (4, 3 * MOST_SEALED + 1000)
    assert use.oldest < 60
    assert (await check(it, KEY, delete=True)).bad_pieces == 1
    assert (await trim(it, size=2 * MOST_SEALED, age=None)).pieces == 1
    assert sorted(name.count(".") for name in store.objects) == [0, 0, 1]


async def test_an_object_that_is_too_long_is_not_read(store: Store) -> None:
    store.objects[f"lab/{NAME[:2]}/{NAME}"] = (bytes(MOST_SEALED + 1), time.time())
    assert await tier().get(NAME) == b""


@pytest.mark.parametrize("fault", FAULTS)
async def test_nothing_but_a_failure_of_the_tier_comes_of_a_fault(server: Server, fault: str) -> None:
    server.always = FAULTS[fault]
    it = tier()
    for call in (
        lambda: it.get(NAME),
        lambda: it.get(NAME, wait=0.1),
        lambda: it.put(NAME, sealed()),
        lambda: it.put(claim(), b"", only_new=True),
        lambda: it.age(NAME),
        lambda: it.remove(claim()),
        lambda: use_of(it),
    ):
        with trio.move_on_after(1):  # as the shared cache does, after two seconds
            try:
                found = await call()
            except TierFailed as error:
                assert str(error).startswith("s3://pieces/lab: ")
                assert "\n" not in str(error) and "127.0.0.1" not in str(error) and "EXAMPLE" not in str(error)
            else:
                if isinstance(found, bytes):
                    with pytest.raises(BadPiece):
                        unseal(piece(), found, KEY)


@pytest.mark.logs
@pytest.mark.parametrize("fault", ["page", "silent", "half", "403", "503"])
async def test_a_machine_reads_on_from_the_platform(server: Server, tmp_path: Path, fault: str) -> None:
    server.always = FAULTS[fault]
    async with bench(tmp_path, BODY) as it:
        began = trio.current_time()
        async with machine(it, tmp_path, 0, tier) as contents:
            assert await it.read_all(contents) == BODY
            await settled(contents)
            assert contents.shared is not None
            assert contents.shared.use.taken_pieces == 0
            assert contents.shared.trouble.startswith("s3://pieces/lab: ")
        assert trio.current_time() - began < 6
        assert from_platform(it) == len(BODY)


async def test_plain_http_is_refused_unless_the_environment_allows_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(TierFailed, match="to allow that, set AWS_ALLOW_HTTP=true in the environment"):
        await tier().get(NAME)
    assert not store.asked
