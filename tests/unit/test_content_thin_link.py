"""The planner and the scheduler over a thin link, and the film that is played over it."""

from __future__ import annotations

import pytest
import trio

from coursefs.content.film import RESERVE, Playing, film_rate
from coursefs.content.link import THIN, Link, Pace
from coursefs.content.planner import ALIGN, KIB, MIB, PAGE, InFlight, State, follow, needed, plan
from coursefs.content.ranges import Range, Ranges
from coursefs.content.scheduler import Priority, QueuedRequest, Scheduler
from coursefs.model import KERNEL_READ_AHEAD
from tests.unit.test_content_media import box, mvhd
from tests.unit.test_content_scheduler import Driver

SIZE = 100 * MIB
NOTHING = Ranges()
SLOW = Pace(300e3, 0.15)
QUICK = Pace(3 * THIN, 0.05)


def read(state: State, start: int, end: int, in_flight: list[InFlight], pace: Pace, present: Ranges = NOTHING) -> State:
    return plan(state, start, end, present, in_flight, size=SIZE, pace=pace).state


def in_order(start: int, end: int, *, step: int = 128 * KIB) -> State:
    """The state of a reader that has read from `start` to `end`."""
    state = State()
    for at in range(start, end, step):
        state = follow(state, at, at + step)
    return state


# The planner


def test_a_jump_begins_at_the_page_that_is_needed() -> None:
    start = 50 * MIB + 70_000
    (asked,) = needed(start, start + 10, NOTHING, [], size=SIZE, pace=SLOW)
    assert 0 <= start - asked.start < PAGE
    assert asked.end - asked.start == pytest.approx(600e3, abs=ALIGN), "two seconds of the link"
    assert needed(start, start + 10, NOTHING, [], size=SIZE, pace=QUICK)[0].start == 50 * MIB


@pytest.mark.parametrize("ahead", [100 * KIB, 300 * KIB, MIB])
def test_a_gap_is_received_only_where_that_is_quicker_than_a_request(ahead: int) -> None:
    one = InFlight(10 * MIB, 20 * MIB)
    takes = ahead / 300e3
    asked = needed(10 * MIB + ahead, 10 * MIB + ahead + PAGE, NOTHING, [one], size=SIZE, pace=SLOW)
    assert bool(asked) == (takes > 0.15 + 0.25)
    assert not needed(10 * MIB + ahead, 10 * MIB + ahead + PAGE, NOTHING, [one], size=SIZE, pace=QUICK)


def test_a_jump_drops_what_was_left_behind() -> None:
    state = in_order(0, 8 * MIB)
    ahead = [InFlight(8 * MIB, 9 * MIB), InFlight(9 * MIB, 10 * MIB)]
    assert plan(state, 8 * MIB, 8 * MIB + PAGE, NOTHING, ahead, size=SIZE, pace=SLOW).drop == ()
    assert plan(state, 60 * MIB, 60 * MIB + PAGE, NOTHING, ahead, size=SIZE, pace=SLOW).drop == tuple(ahead)


@pytest.mark.parametrize("pace", [Pace(), QUICK])
def test_a_jump_keeps_what_a_quick_link_brings_at_once(pace: Pace) -> None:
    state = in_order(0, 8 * MIB)
    ahead = [InFlight(8 * MIB, 9 * MIB), InFlight(9 * MIB, 10 * MIB)]
    assert plan(state, 60 * MIB, 60 * MIB + PAGE, NOTHING, ahead, size=SIZE, pace=pace).drop == ()


def test_a_reader_that_alternates_keeps_the_requests_of_both_places() -> None:
    sound, picture = 10 * MIB, 60 * MIB
    in_flight = [InFlight(sound + 200 * KIB, sound + MIB), InFlight(picture + 200 * KIB, picture + MIB)]
    state, dropped = State(), []
    for number in range(8):
        for place in (sound, picture):
            at = place + number * 16 * KIB
            made = plan(state, at, at + 16 * KIB, NOTHING, in_flight, size=SIZE, pace=SLOW)
            state = made.state
            dropped.append(made.drop)
    assert any(dropped[:4]), "at first it is taken for a jump"
    assert not any(dropped[6:]), "then it has come back often enough"


def test_coming_back_once_is_no_alternating() -> None:
    """A player looks at the index at the end of a film, and plays from the beginning; later it seeks."""
    state = in_order(0, 256 * KIB)
    state = read(state, SIZE - MIB, SIZE - MIB + PAGE, [], SLOW)
    for at in range(256 * KIB, 8 * MIB, 128 * KIB):
        state = follow(state, at, at + 128 * KIB)
    ahead = InFlight(8 * MIB, 10 * MIB)
    assert plan(state, 60 * MIB, 60 * MIB + PAGE, NOTHING, [ahead], size=SIZE, pace=SLOW).drop == (ahead,)


def test_the_kernels_read_ahead_is_no_jump() -> None:
    """It may read a window that is there already, while the program waits for a page before it."""
    state = in_order(0, 4 * MIB)
    ahead = InFlight(4 * MIB, 8 * MIB)
    window = 4 * MIB + KERNEL_READ_AHEAD
    made = plan(state, window, window + KERNEL_READ_AHEAD, NOTHING, [ahead], size=SIZE, pace=SLOW)
    assert made.drop == () and made.run_start == 0
    late = plan(made.state, 4 * MIB, 4 * MIB + PAGE, NOTHING, [ahead], size=SIZE, pace=SLOW)
    assert late.drop == () and late.run_start == 0


def test_a_short_jump_forward_does_not_wait_for_what_lies_before() -> None:
    state = in_order(0, 4 * MIB)
    ahead = InFlight(4 * MIB, 8 * MIB)
    place = 4 * MIB + 800 * KIB
    made = plan(state, place, place + PAGE, NOTHING, [ahead], size=SIZE, pace=SLOW)
    assert [asked.start for asked in made.needed] == [place]
    in_flight = [InFlight(4 * MIB, place), InFlight(place, made.needed[0].end)]  # the first was cut
    again = plan(made.state, place + PAGE, place + 2 * PAGE, NOTHING, in_flight, size=SIZE, pace=SLOW)
    assert again.drop == (in_flight[0],)
    made = plan(state, place, place + PAGE, NOTHING, [ahead], size=SIZE, pace=QUICK)
    assert made.needed == () and made.drop == ()


def test_a_short_jump_forward_to_what_nobody_fetches_is_one() -> None:
    state = in_order(0, 4 * MIB)
    made = plan(state, 4 * MIB + 800 * KIB, 5 * MIB, NOTHING, [], size=SIZE, pace=SLOW)
    assert made.run_start == 4 * MIB + 800 * KIB


def test_read_ahead_is_large_from_the_beginning() -> None:
    """A server begins each response slowly, so short requests would never have the whole link."""
    start = 50 * MIB
    state = read(State(), start, start + PAGE, [], SLOW)
    first = InFlight(start + 100 * KIB, start + 600 * KIB)
    made = plan(state, start + PAGE, start + 2 * PAGE, NOTHING, [first], size=SIZE, pace=SLOW)
    assert made.ahead[0].start == first.end
    assert sum(end - begin for begin, end in made.ahead) >= 1.4e6
    later = [first, *(InFlight(*span) for span in made.ahead)]
    again = plan(made.state, start + 2 * PAGE, start + 3 * PAGE, NOTHING, later, size=SIZE, pace=SLOW)
    assert (again.ahead, again.drop) == ((), ()), "it is not dropped again"


# The scheduler


def thin(driver: Driver, *, rate: float = 300e3, round_trip: float = 0.1) -> Driver:
    driver.scheduler.link.rate = rate
    driver.scheduler.link.answered(round_trip)
    return driver


async def arrive(driver: Driver, name: str, remaining: int) -> None:
    """So many bytes of this request are still to come."""
    driver.scheduler.arrived(driver.queued[name], 0, remaining)
    await trio.testing.wait_all_tasks_blocked()


async def enter(driver: Driver, name: str, size: int = MIB, **kind: object) -> None:
    await driver.enter(name, remaining=size, **kind)  # type: ignore[arg-type]  # passed on


async def test_requests_follow_one_another(nursery: trio.Nursery) -> None:
    driver = thin(Driver(nursery, total=24, per_group=6))
    for name in ("first", "second", "third"):
        await enter(driver, name)
    assert driver.running == ["first"]
    await arrive(driver, "first", 200_000)
    assert driver.running == ["first"], "there is time"
    await arrive(driver, "first", 100_000)
    assert driver.running == ["first", "second"], "until the second one is at its full rate the first one has ended"
    await driver.leave("first")
    assert driver.running == ["second"]


async def test_a_request_begins_earlier_where_a_response_takes_longer_to_fill_the_link(nursery: trio.Nursery) -> None:
    """At 6 MB/s and 150 ms a server doubles what it sends six times, a round trip each."""
    driver = thin(Driver(nursery, total=24, per_group=6), rate=6e6, round_trip=0.15)
    for name in ("first", "second"):
        await enter(driver, name, 16 * MIB)
    await arrive(driver, "first", 7_000_000)
    assert driver.running == ["first"]
    await arrive(driver, "first", 6_500_000)
    assert driver.running == ["first", "second"]


@pytest.mark.parametrize("rate", [None, 3.0 * THIN])
async def test_over_another_link_they_do_not_wait(nursery: trio.Nursery, rate: float | None) -> None:
    driver = Driver(nursery, total=24, per_group=6)
    driver.scheduler.link.rate = rate
    for name in ("first", "second", "third"):
        await enter(driver, name)
    assert driver.running == ["first", "second", "third"]


async def test_a_read_does_not_wait_for_read_ahead_nor_for_another_file(nursery: trio.Nursery) -> None:
    driver = thin(Driver(nursery, total=24, per_group=6))
    await enter(driver, "ahead")
    await enter(driver, "read", urgent=True)
    await enter(driver, "other", urgent=True, group="another")
    assert driver.running == ["ahead", "read", "other"]
    await enter(driver, "next", urgent=True)
    assert "next" not in driver.running, "the kernel's next read comes after the one before it"
    await driver.leave("read")
    assert "next" in driver.running


async def test_a_read_cancels_what_runs_in_the_background(nursery: trio.Nursery) -> None:
    driver = thin(Driver(nursery, total=24, per_group=6))
    cancelled: list[str] = []
    await enter(driver, "fetch", background=True, group="another")
    driver.queued["fetch"].preempt = lambda: cancelled.append("fetch")
    await enter(driver, "ahead")
    assert not cancelled
    await arrive(driver, "fetch", 100_000)
    await enter(driver, "soon", urgent=True)
    assert not cancelled, "it ends in a moment"
    await arrive(driver, "fetch", MIB)
    await enter(driver, "read", urgent=True, group="third")
    assert cancelled == ["fetch"]


async def test_what_a_trial_has_begun_ends_with_it(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """One connection more brings no more: the read gets the whole link again, at once."""
    driver = thin(Driver(nursery, total=24, per_group=6))
    link = driver.scheduler.link
    cut: set[str] = set()

    async def play(seconds: float) -> None:
        """The link brings what it can, the same to each request that runs."""
        for _ in range(int(seconds / 0.05)):
            await trio.sleep(0.05)
            link._receiving = len(driver.running)
            for name in driver.running:
                driver.scheduler.arrived(driver.queued[name], 15_000 // len(driver.running), 2 * MIB)
            for name in cut & set(driver.running):
                await driver.leave(name)

    for name in ("read", "ahead", "more ahead", "last"):
        await enter(driver, name, 2 * MIB)
        driver.queued[name].cut = lambda name=name: cut.add(name)  # type: ignore[misc]
    driver.scheduler.promote(driver.queued["read"])
    await play(4)
    assert driver.running == ["read"]
    while link.most_connections == 1:
        await play(0.05)
    await play(0.1)
    assert driver.running == ["read", "ahead"], "another one is tried"
    while link.most_connections == 2:
        await play(0.05)
    assert trio.current_time() < 12
    await play(0.05)
    assert (driver.running, cut) == (["read"], {"ahead"})


async def test_a_link_that_turns_out_to_be_thin_is_left_to_the_read(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Until then a fetch and read-ahead have begun side by side."""
    driver = Driver(nursery, total=24, per_group=6)
    cut: list[str] = []
    await enter(driver, "read", 8 * MIB, urgent=True)
    for name, kind in {"ahead": {}, "fetch": {"background": True, "group": "another"}}.items():
        await enter(driver, name, 8 * MIB, **kind)
        driver.queued[name].cut = lambda name=name: cut.append(name)  # type: ignore[misc]
    driver.queued["read"].cut = lambda: cut.append("read")
    assert driver.running == ["read", "ahead", "fetch"]
    while driver.scheduler.link.most_connections is None:
        assert not cut
        await trio.sleep(0.05)
        driver.scheduler.link._receiving = 3
        for name in driver.running:
            driver.scheduler.arrived(driver.queued[name], 5_000, 8 * MIB)
    assert cut == ["ahead", "fetch"]


def test_the_background_is_known() -> None:
    scheduler = Scheduler(total=24, per_group=6)
    scheduler.enqueue(QueuedRequest("file", Priority.AHEAD))
    assert not scheduler.has_background
    scheduler.enqueue(QueuedRequest("file", Priority.BACKGROUND))
    assert scheduler.has_background


# The film


def test_a_player_is_early_when_it_has_more_than_its_reserve() -> None:
    playing = Playing(0, 1000, 50.0)
    assert playing.early_until(1000 + int(RESERVE * 100e3), 100e3) == 50.0
    assert playing.early_until(101_000 + int(RESERVE * 100e3), 100e3) == 51.0, "a second more has to be played"


def a_film(seconds: int, size: int = 400_000) -> bytes:
    """A MP4 of which nothing but the boxes and the duration is right; its index comes last."""
    header = mvhd(seconds * 1000, 1000)
    index = (8 + len(header)).to_bytes(4, "big") + b"moov" + header
    picture = bytes(size)
    return box(b"ftyp", 32) + (8 + len(picture)).to_bytes(4, "big") + b"mdat" + picture + index


async def test_the_rate_of_a_film() -> None:
    body, is_there = a_film(10), False

    async def cached(start: int, end: int) -> memoryview | None:
        return memoryview(body)[start:end] if is_there else None

    assert await film_rate(cached, len(body)) is None
    is_there = True
    assert await film_rate(cached, len(body)) == pytest.approx(len(body) / 10)
    body = a_film(0)
    assert await film_rate(cached, len(body)) is None


def test_a_link_is_thin_below_a_bound() -> None:
    assert Pace(THIN - 1).is_thin and not Pace(THIN).is_thin and not Link().pace.is_thin


@pytest.mark.parametrize(
    ("pace", "round_trips"),
    [(Pace(6e6, 0.15), 6.9), (Pace(1e6, 0.15), 4.4), (Pace(300e3, 0.05), 1.0), (Pace(20e3, 0.05), 1.0), (Pace(), 1.0)],
)
def test_a_response_fills_the_link_after_so_many_round_trips(pace: Pace, round_trips: float) -> None:
    assert round(pace.round_trips_to_fill, 1) == round_trips


def test_ranges_are_whole_pages() -> None:
    start = 33 * MIB + 12_345
    (asked,) = needed(start, start + 5 * PAGE, NOTHING, [], size=SIZE, pace=Pace(20e3, 0.3))
    assert asked.start % PAGE == asked.end % PAGE == 0
    assert Range(start, start + 5 * PAGE) == Range(max(asked.start, start), min(asked.end, start + 5 * PAGE))
