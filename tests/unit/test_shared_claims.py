"""Claims of machines that share a cache, and what a tier that fails costs: all times are of a clock that jumps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from coursefs.shared.keys import SharedKey
from coursefs.shared.pieces import SharedFile, seal
from coursefs.shared.shared_cache import ANSWER, LEASE, PATIENCE, Claim, SharedCache, claim_name
from coursefs.shared.tier import ReadOnlyTier, TierFailed

T = TypeVar("T")

KEY = SharedKey.generated()
FILE = SharedFile("demo", "film", 4 * 2**20, "etag one")
PIECES = [FILE.piece(number * 2**20) for number in range(3)]
PIECE, SECOND, THIRD = PIECES
DATA = bytes(PIECE.size)


class MemoryTier:
    """Objects in memory.  `slow`: seconds of each answer; `broken`: methods that fail."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.slow = 0.0
        self.broken: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.place = "memory"

    async def _answer(self, method: str) -> None:
        self.asked.append(method)
        await trio.sleep(self.slow)
        if method in self.broken:
            raise self.broken[method]

    async def get(self, name: str, *, wait: float = 0.0, urgent: bool = True) -> bytes | None:
        until = trio.current_time() + wait
        await self._answer("get")
        while name not in self.objects and trio.current_time() < until:
            await trio.sleep(0.05)
        return self.objects[name][0] if name in self.objects else None

    async def put(self, name: str, data: bytes, *, only_new: bool = False) -> bool:
        await self._answer("put")
        if only_new and name in self.objects:
            return False
        self.objects[name] = data, trio.current_time()
        return True

    async def age(self, name: str) -> float | None:
        await self._answer("age")
        return trio.current_time() - self.objects[name][1] if name in self.objects else None

    async def remove(self, name: str) -> None:
        await self._answer("remove")
        self.objects.pop(name, None)

    async def aclose(self) -> None:
        pass

    @property
    def claims(self) -> list[str]:
        return [name for name in self.objects if name.endswith(".claim")]


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock does not see threads, and would jump while they work."""

    async def called(function: Callable[..., T], *arguments: object) -> T:
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr("coursefs.shared.shared_cache.threads.run_sync", called)


@pytest.fixture
def tier() -> MemoryTier:
    return MemoryTier()


@pytest.fixture
def machines(tier: MemoryTier, nursery: trio.Nursery) -> list[SharedCache]:
    return [SharedCache(tier, KEY, nursery) for _ in range(3)]


async def take(machine: SharedCache, *, urgent: bool = True, progress: Callable[[], int] = int) -> bytes | Claim:
    return await machine.take(PIECE, progress, urgent=urgent)


async def seconds(work: Awaitable[T]) -> tuple[float, T]:
    began = trio.current_time()
    result = await work
    return trio.current_time() - began, result


async def test_one_claims_and_the_others_get_the_piece(
    machines: list[SharedCache], tier: MemoryTier, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    claim = await take(machines[0])
    assert isinstance(claim, Claim) and claim.is_stored
    got: list[object] = []

    async def wait(machine: SharedCache) -> None:
        got.append(await take(machine))

    for machine in machines[1:]:
        nursery.start_soon(wait, machine)
    await trio.sleep(1.0)
    assert got == []
    await machines[0].put(claim, DATA)
    await trio.sleep(0.5)
    assert got == [DATA, DATA]
    assert tier.claims == []


async def test_two_requests_of_a_machine_do_not_wait_for_one_another(
    machines: list[SharedCache], tier: MemoryTier, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The first has claimed the piece and waits for the bytes of it that the second brings."""
    for slow in (0.0, 0.1):
        tier.slow = slow
        taken: list[bytes | Claim] = []

        async def begin(taken: list[bytes | Claim] = taken) -> None:
            taken.append(await take(machines[0]))

        began = trio.current_time()
        async with trio.open_nursery() as requests:
            requests.start_soon(begin)
            requests.start_soon(begin)
        assert trio.current_time() - began < 1.0
        assert sorted(claim.is_stored for claim in taken if isinstance(claim, Claim)) == [False, True]
        for claim in taken:
            assert isinstance(claim, Claim)
            await machines[0].release(claim)


async def test_a_claim_is_renewed_as_long_as_bytes_come(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    bytes_so_far = 0
    claim = await take(machines[0], progress=lambda: bytes_so_far)
    for _ in range(20):
        bytes_so_far += 1
        await trio.sleep(1.0)
        age = await tier.age(claim_name(PIECE))
        assert age is not None and age < LEASE
    assert isinstance(claim, Claim)
    await machines[0].release(claim)
    asked = len(tier.asked)
    await trio.sleep(60.0)
    assert len(tier.asked) == asked  # without claims nothing is done


@pytest.mark.parametrize("urgent", [True, False])
async def test_a_claim_without_progress_is_taken_over_after_the_lease(
    machines: list[SharedCache], autojump_clock: MockClock, urgent: bool
) -> None:
    await take(machines[0])
    waited, taken = await seconds(take(machines[1], urgent=urgent))
    assert isinstance(taken, Claim) and taken.is_stored
    assert LEASE < waited <= PATIENCE


@pytest.mark.logs
async def test_a_claimant_that_goes_on_for_ever_is_not_waited_for_again(
    machines: list[SharedCache], autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = iter(range(10**6))
    await take(machines[0], progress=lambda: next(ticks))
    waited, taken = await seconds(take(machines[1]))
    assert isinstance(taken, Claim) and not taken.is_stored
    assert waited <= PATIENCE + 0.5
    waited, _ = await seconds(machines[1].take(SECOND, int, urgent=True))
    assert waited == 0.0
    assert "slow" in machines[1].trouble
    assert "is slow" in caplog.text


async def test_a_released_claim_lets_the_next_one_fetch_at_once(
    machines: list[SharedCache], nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    claim = await take(machines[0])
    assert isinstance(claim, Claim)
    got: list[float] = []

    async def wait() -> None:
        got.append((await seconds(take(machines[1])))[0])

    nursery.start_soon(wait)
    await trio.sleep(0.5)
    await machines[0].release(claim)
    await trio.sleep(2.0)
    assert len(got) == 1 and got[0] <= 1.5


async def test_a_piece_that_is_put_between_the_look_and_the_claim_is_taken(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    """Else the claim of the second machine would succeed, and it would fetch the piece once more."""
    claim = await take(machines[0])
    assert isinstance(claim, Claim)
    create = tier.put

    async def put(name: str, data: bytes, *, only_new: bool = False) -> bool:
        if only_new:  # the first machine is quicker by a moment
            tier.put = create  # type: ignore[method-assign]
            await machines[0].put(claim, DATA)
        return await create(name, data, only_new=only_new)

    tier.put = put  # type: ignore[method-assign]
    assert await take(machines[1]) == DATA
    assert tier.claims == []


async def test_a_cancelled_wait_or_claim_leaves_nothing(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    for slow in (0.0, 0.4):
        tier.slow = slow
        for pause in (0.0, 0.1, 0.5, 0.9, 1.3):
            with trio.move_on_after(pause):
                claim = await take(machines[0])
                assert isinstance(claim, Claim)
                await machines[0].release(claim)
            assert tier.claims == []
            assert not machines[0].has_claimed(PIECE)


async def test_several_pieces_are_claimed_only_where_that_is_quick(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    await take(machines[0])
    assert machines[0].is_near
    assert await machines[0].claim_missing(SECOND, int) is not None
    assert await machines[1].claim_missing(SECOND, int) is None
    tier.slow = 0.1
    await machines[0].take(THIRD, int, urgent=True)
    assert not machines[0].is_near


async def test_claims_are_released_at_the_end(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    await take(machines[0])
    await machines[0].aclose()
    assert tier.claims == []


async def test_a_tier_that_hangs_keeps_the_end_for_two_seconds_at_most(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    for number in range(3):
        await machines[0].take(PIECES[number], int, urgent=True)
    tier.slow = 10**6
    waited, _ = await seconds(machines[0].aclose())
    assert waited <= 2.0


@pytest.mark.parametrize("claims", [1, 2])
async def test_a_claim_that_ends_before_its_renewal_begins(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock, claims: int
) -> None:
    started: list[Callable[[], Awaitable[None]]] = []

    class Late:
        """Starts a task later than it is told to, as a busy event loop may."""

        def start_soon(self, work: Callable[..., Awaitable[None]], /, *args: object, name: object = None) -> None:
            started.append(lambda: work(*args))

    machine = SharedCache(tier, KEY, Late())
    for _ in range(claims):
        claim = await take(machine)
        assert isinstance(claim, Claim)
        await machine.release(claim)
    for task in started:
        await task()
    assert len(started) == claims


# -- what a bad tier costs ---------------------------------------------------------------------------------------------


@pytest.mark.logs
async def test_a_dead_tier_costs_a_read_two_seconds_once(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    tier.slow = 10**6
    waited, taken = await seconds(take(machines[0]))
    assert isinstance(taken, Claim) and not taken.is_stored
    assert waited == ANSWER
    for number in range(3):
        waited, _ = await seconds(machines[0].take(PIECES[number], int, urgent=True))
        assert waited == 0.0
    await trio.sleep(31.0)
    waited, _ = await seconds(take(machines[0]))
    assert waited == ANSWER
    assert caplog.text.count("does not answer") == 1  # once, however long it lasts


@pytest.mark.logs
@pytest.mark.parametrize(("promoted_after", "waits"), [(None, 8.0), (1.0, 1.5 + ANSWER), (7.9, 8.0)])
async def test_read_ahead_waits_longer_until_a_program_waits_for_it(
    machines: list[SharedCache],
    tier: MemoryTier,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    promoted_after: float | None,
    waits: float,
) -> None:
    """Where many machines begin at once the tier takes its time, and a read-ahead has that."""
    tier.slow = 10**6
    promoted = trio.Event()

    async def promote(after: float) -> None:
        await trio.sleep(after)
        promoted.set()

    if promoted_after is not None:
        nursery.start_soon(promote, promoted_after)
    waited, taken = await seconds(machines[0].take(PIECE, int, urgent=False, promoted=promoted))
    assert isinstance(taken, Claim) and not taken.is_stored
    assert waited == waits


async def test_a_read_goes_before_read_ahead(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    """Few pieces are transferred at once in the background; neither a read nor what a read waits for stands in line."""
    tier.objects[PIECE.name] = seal(PIECE, DATA, KEY), 0.0
    tier.slow = 1.5
    promoted, waits = trio.Event(), dict[str, float]()

    async def read_ahead(name: str, promoted: trio.Event) -> None:
        waits[name], _ = await seconds(machines[0].take(PIECE, int, urgent=False, promoted=promoted))

    async with trio.open_nursery() as readers:
        for name in ("first", "second", "third", "fourth"):
            readers.start_soon(read_ahead, name, trio.Event())
        await trio.sleep(0.1)
        readers.start_soon(read_ahead, "fifth", promoted)
        await trio.sleep(0.1)
        promoted.set()
        waited, _ = await seconds(take(machines[0]))
        assert waited == tier.slow
    assert sorted(waits.values()) == pytest.approx([1.5, 1.5, 1.6, 3.0, 3.0])
    assert waits["fifth"] == pytest.approx(1.6)


async def test_a_program_that_waits_gives_what_comes_in_the_background_half_a_second(
    machines: list[SharedCache], tier: MemoryTier, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    tier.objects[PIECE.name] = seal(PIECE, DATA, KEY), 0.0
    for slow, waits in ((1.0, 1.0), (1.4, 0.7 + 0.5 + 1.4)):
        tier.slow, promoted = slow, trio.Event()

        async def promote(promoted: trio.Event) -> None:
            await trio.sleep(0.7)
            promoted.set()

        nursery.start_soon(promote, promoted)
        waited, taken = await seconds(machines[0].take(PIECE, int, urgent=False, promoted=promoted))
        assert taken == DATA
        assert waited == pytest.approx(waits)
    assert machines[0].trouble == ""


async def test_read_ahead_that_others_overtake_is_no_slow_tier(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    tier.objects[PIECE.name] = seal(PIECE, DATA, KEY), 0.0
    tier.slow = 5.0
    for _ in range(4):
        assert await machines[0].take(PIECE, int, urgent=False) == DATA
    assert machines[0].trouble == ""


async def test_the_claim_of_a_dead_machine_is_taken_over_after_one_look(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    """The first to come would else ask for the age of each claim, as all do that begin with it."""
    tier.objects[claim_name(PIECE)] = b"", trio.current_time()
    await trio.sleep(1000.0)
    waited, claim = await seconds(take(machines[0]))
    assert isinstance(claim, Claim) and claim.is_stored
    assert waited == pytest.approx(1.0, abs=0.1)
    assert tier.asked.count("age") == 2  # of the claim, and of the piece


@pytest.mark.logs
async def test_many_reads_wait_for_a_dead_tier_together(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    tier.slow = 10**6
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(take, machines[0])
    assert trio.current_time() - began == ANSWER


@pytest.mark.logs
async def test_a_tier_that_cannot_be_written_is_still_read(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    claim = await take(machines[0])
    assert isinstance(claim, Claim)
    await machines[0].put(claim, DATA)
    tier.broken["put"] = TierFailed("memory: is full")
    taken = await machines[1].take(SECOND, int, urgent=True)
    assert isinstance(taken, Claim) and not taken.is_stored
    assert await take(machines[1]) == DATA
    assert machines[1].trouble == "memory: is full"


async def test_a_read_only_tier_is_asked_to_write_once(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    tier.broken["put"] = ReadOnlyTier("memory: takes nothing")
    for _ in range(3):
        claim = await take(machines[0])
        assert isinstance(claim, Claim)
        await machines[0].put(claim, DATA)
    assert tier.asked.count("put") == 1
    assert machines[0].trouble == ""
    tier.objects[SECOND.name] = b"", 0.0
    assert await machines[0].claim_missing(SECOND, int) is None  # it is there already


@pytest.mark.logs
async def test_a_slow_tier_is_left_alone(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock
) -> None:
    for number in range(3):
        piece = PIECES[number]
        tier.objects[piece.name] = seal(piece, DATA, KEY), 0.0
    tier.slow = 1.7
    for number in range(3):
        assert await machines[0].take(PIECES[number], int, urgent=True) == DATA
    assert isinstance(await take(machines[0]), Claim)
    assert "is slow" in machines[0].trouble


@pytest.mark.logs
async def test_a_failure_is_said_once(
    machines: list[SharedCache], tier: MemoryTier, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    tier.broken["get"] = TierFailed("memory: breaks the connection off")
    for _ in range(4):
        await take(machines[0])
        await trio.sleep(1000.0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
