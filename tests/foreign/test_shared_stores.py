"""A shared cache in object stores of others: SeaweedFS, which refuses a second claim, and rclone, which does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from coursefs.shared.objects import ObjectTier
from coursefs.shared.opening import open_tier
from coursefs.shared.pieces import MOST_SEALED
from coursefs.shared.tier import TierFailed
from coursefs.shared.upkeep import check, trim, use_of
from tests.engine.content_bench import MIB, bench, noise
from tests.engine.shared_tiers import KEY, claim, from_platform, piece, sealed, studied_by, unhurried
from tests.foreign.shared_servers import S3_USER, rclone, weed

pytestmark = pytest.mark.foreign

BODY = noise(5 * MIB + 12345)
NAME = piece().name


@pytest.fixture(scope="module", params=[weed, rclone], ids=["seaweedfs", "rclone"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as found:
        yield found


@pytest.fixture
def place(request: pytest.FixtureRequest, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own for each test, in a store that the environment names.

    SeaweedFS takes one to two seconds for claims that meet, and more on a busy machine: no answer is late here.
    """
    unhurried(monkeypatch)
    for name, value in {**S3_USER, "AWS_ENDPOINT": address}.items():
        monkeypatch.setenv(name, value)
    return f"s3://pieces/{abs(hash(request.node.name))}"


def opened(place: str) -> ObjectTier:
    tier = open_tier(place)
    assert isinstance(tier, ObjectTier)
    return tier


async def test_pieces_and_claims_go_there_and_back(place: str) -> None:
    one, other, data = opened(place), opened(place), sealed()
    assert await one.get(NAME) is None
    assert await one.age(NAME) is None
    assert await one.put(NAME, data)
    assert await other.get(NAME) == data
    assert await one.put(claim(), b"", only_new=True)
    assert not await other.put(claim(), b"", only_new=True)
    assert await other.age(claim()) <= 2  # type: ignore[operator]
    assert await one.put(claim(), b"")
    await other.remove(claim())
    await other.remove(claim())
    assert await one.age(claim()) is None
    assert [entry.name async for entry in one.entries()] == [NAME]


async def test_how_many_machines_get_one_claim(place: str, address: str, request: pytest.FixtureRequest) -> None:
    """All ask at the same moment.  One, where the store refuses; else some, which the documentation says."""
    tiers = [opened(place) for _ in range(8)]
    for tier in tiers:
        await tier.put(claim(1), b"", only_new=True)  # the store is tried before
    created = []

    async def create(tier: ObjectTier) -> None:
        created.append(await tier.put(claim(), b"", only_new=True))

    async with trio.open_nursery() as nursery:
        for tier in tiers:
            nursery.start_soon(create, tier)
    print("claims that were created at once:", sum(created))
    if "seaweedfs" in request.node.name:
        assert sum(created) == 1
    assert sum(created) >= 1
    assert not await tiers[0].put(claim(), b"", only_new=True)


async def test_forty_machines_that_begin_at_once_ask_the_platform_once(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with bench(tmp_path, BODY) as it:
        await studied_by(it, tmp_path, 40, lambda: opened(place))
        print(f"bytes of the platform: {from_platform(it) / len(BODY):.2f} of one copy")
        if "seaweedfs" in request.node.name:
            assert from_platform(it) <= 1.05 * len(BODY)
        else:
            assert from_platform(it) <= 10 * len(BODY)
    assert sorted([entry.name.count(".") async for entry in opened(place).entries()]) == [0] * 6


async def test_it_can_be_looked_after(place: str) -> None:
    tier = opened(place)
    for number in range(3):
        await tier.put(piece(number).name, sealed(number))
    await tier.put(piece(3).name, bytes(1000))
    use = await use_of(tier)
    assert (use.pieces, use.bytes) == (4, 3 * MOST_SEALED + 1000)
    assert use.oldest < 60
    found = await check(tier, KEY, delete=True)
    assert (found.pieces, found.bad_pieces) == (3, 1)
    trimmed = await trim(tier, size=2 * MOST_SEALED, age=None)
    assert (trimmed.pieces, trimmed.kept_bytes) == (1, 2 * MOST_SEALED)
    assert (await use_of(tier)).pieces == 2


async def test_wrong_credentials_are_named_without_them(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ANOTHERSECRET")
    tier = opened(place)
    for call in (tier.get(NAME), tier.put(NAME, sealed()), tier.age(NAME), use_of(tier)):
        with pytest.raises(TierFailed) as caught:
            await call
        assert str(caught.value) == f"{place}: refuses the credentials of this machine"


async def test_a_missing_bucket_is_named(place: str) -> None:
    tier = opened("s3://no-such-bucket/lab")
    assert await tier.get(NAME) is None  # a store says the same of a missing object
    with pytest.raises(
        TierFailed, match=r"^s3://no-such-bucket/lab: (there is no such bucket|refuses the credentials)"
    ):
        await tier.put(NAME, sealed())
