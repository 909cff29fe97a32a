"""The planner: tables of cases, and what holds for every plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.planner import (
    ALIGN,
    CERTAIN,
    FARTHEST_AHEAD,
    FIRST,
    KIB,
    LEAST_REQUEST,
    MIB,
    MOST_AHEAD,
    REQUEST,
    REST_SKIP,
    SKIP,
    SURE,
    UNSURE_AHEAD,
    Extent,
    InFlight,
    Run,
    State,
    follow,
    most_ahead,
    needed,
    plan,
)
from coursefs.content.ranges import Range, Ranges
from coursefs.model import KERNEL_READ_AHEAD

SIZE = 100 * MIB
NOTHING = Ranges()


def test_the_first_read_makes_a_small_request() -> None:
    assert plan(State(), 0, 4 * KIB, NOTHING, [], size=SIZE).needed == (Range(0, FIRST),)


def test_a_read_in_the_middle_is_aligned() -> None:
    start = 50 * MIB + 5
    made = plan(State(), start, start + 10, NOTHING, [], size=SIZE)
    assert made.needed == (Range(50 * MIB, 50 * MIB + FIRST),)
    assert made.ahead == ()


def test_no_request_goes_beyond_the_end() -> None:
    assert plan(State(), 0, 10, NOTHING, [], size=10).needed == (Range(0, 10),)


def test_only_missing_bytes_are_requested() -> None:
    present = Ranges.of([(0, 100 * KIB), (200 * KIB, 300 * KIB)])
    assert needed(0, 250 * KIB, present, [], size=SIZE) == (Range(100 * KIB, 200 * KIB),)


@pytest.mark.parametrize(
    ("start", "end", "present", "asked"),
    [
        (0, 128 * KIB, [], [(0, FIRST)]),
        (0, FIRST, [], [(0, FIRST)]),
        (0, FIRST + 1, [], [(0, 640 * KIB)]),
        (0, 512 * KIB, [], [(0, MIB)]),
        (10 * MIB, 11 * MIB, [], [(10 * MIB, 12 * MIB)]),
        (10 * MIB + 5, 11 * MIB + 5, [], [(10 * MIB, 12 * MIB + 128 * KIB)]),
        (SIZE - MIB, SIZE, [], [(SIZE - MIB, SIZE)]),
        (SIZE - 2 * MIB, SIZE - MIB, [], [(SIZE - 2 * MIB, SIZE)]),
        # one request for each gap in the read; gaps beyond its end get none of their own
        (0, MIB, [(256 * KIB, 512 * KIB)], [(0, 256 * KIB), (512 * KIB, 2 * MIB)]),
        (0, MIB, [(MIB, 2 * MIB)], [(0, MIB)]),
        (0, MIB, [(512 * KIB, 2 * MIB)], [(0, 512 * KIB)]),
        (0, MIB, [(1536 * KIB, 3 * MIB)], [(0, 1536 * KIB)]),
        (0, MIB, [(0, MIB)], []),
    ],
)
def test_a_large_read_requests_twice_as_much(
    start: int, end: int, present: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    assert needed(start, end, Ranges.of(present), [], size=SIZE) == tuple(Range(*each) for each in asked)


@pytest.mark.parametrize(
    ("left", "sizes"),
    [
        # MiB from what comes next to the end of the file, and those of the requests for them
        (32, [4] * 6),
        (24, [4] * 6),
        (16, [4] * 4),
        (12, [2] * 6),
        (8, [2] * 4),
        (4, [1] * 4),
        (3, [0.5] * 6),
        (2, [0.5] * 4),
        (0.25, [0.25]),
    ],
)
def test_requests_are_smaller_towards_the_end(left: float, sizes: list[float]) -> None:
    position = 40 * MIB
    size = position + int(left * MIB)
    state = State((Run(0, position - 10, 1),), 1)
    made = plan(state, position - 10, position, Ranges.of([(0, position)]), [], size=size)
    assert [(span.end - span.start) / MIB for span in made.ahead] == sizes
    assert made.ahead[-1].end <= size


@pytest.mark.parametrize("read", [10 * MIB, 40 * MIB, 90 * MIB])
def test_the_end_of_the_file_does_not_wait_for_a_single_connection(read: int) -> None:
    """No request has more than a quarter of what was missing when it was made, unless it is too small to be shared."""
    size, have = 118_000_000, NOTHING
    state = State((Run(0, read, 1),), 1)
    for position in range(read, size, 512 * KIB):
        end = min(position + 512 * KIB, size)
        made = plan(state, position, end, have, [], size=size)
        state, left = made.state, size - have.add(0, end).first_missing(0)
        for span in (*made.needed, *made.ahead):
            assert span in made.needed or span.end - span.start <= max(left // 4, LEAST_REQUEST)
            have = have.add(*span)
    assert have.covers(read, size)


@pytest.mark.parametrize(
    ("read", "ahead"),
    [
        (4 * KIB, FIRST),
        (256 * KIB, FIRST),
        (CERTAIN - 1, FIRST),  # the kernel of a mount of root's has asked for most of that by itself
        (CERTAIN, 2 * MIB),
        (2 * MIB, UNSURE_AHEAD),
        (7 * MIB, UNSURE_AHEAD),  # what `file` reads at the head of a film
        (SURE, 23 * MIB),
        (1000 * MIB, FARTHEST_AHEAD),
    ],
)
def test_read_ahead_of_a_run(read: int, ahead: int) -> None:
    assert Run(5 * MIB, 5 * MIB + read, 1).ahead == ahead


def test_a_request_that_brings_the_bytes_soon_is_waited_for() -> None:
    assert needed(SKIP, SKIP + 10, NOTHING, [InFlight(0, 4 * MIB)], size=SIZE) == ()


def test_a_request_that_brings_the_bytes_late_is_not_waited_for() -> None:
    late = [InFlight(0, 4 * MIB)]
    assert needed(3 * MIB, 3 * MIB + 10, NOTHING, late, size=SIZE) == (Range(3 * MIB, 3 * MIB + FIRST),)


def test_a_server_without_ranges_is_waited_for_however_late() -> None:
    assert needed(90 * MIB, 91 * MIB, NOTHING, [InFlight(0, SIZE, Extent.WHOLE)], size=SIZE) == ()


def test_a_request_with_a_single_use_url_is_waited_for_longer() -> None:
    rest = [InFlight(0, SIZE, Extent.REST)]
    assert needed(REST_SKIP, REST_SKIP + 10, NOTHING, rest, size=SIZE) == ()
    far = REST_SKIP + ALIGN
    assert needed(far, far + 10, NOTHING, rest, size=SIZE) == (Range(far, far + FIRST),)


def test_a_jump_drops_the_read_ahead_and_keeps_that_of_the_other_run() -> None:
    state = State((Run(0, MIB, 1), Run(50 * MIB, 51 * MIB, 2)), 2)
    in_flight = [InFlight(MIB, 2 * MIB), InFlight(51 * MIB, 52 * MIB), InFlight(0, SIZE, Extent.WHOLE)]
    made = plan(state, 80 * MIB, 80 * MIB + 10, NOTHING, in_flight, size=SIZE)
    assert made.drop == (in_flight[0],)
    assert {run.start for run in made.state.runs} == {50 * MIB, 80 * MIB}


def test_two_places_read_alternately_are_both_sequential() -> None:
    state = State()
    app_paths = [0, 50 * MIB]
    for turn in range(20):
        for number, place in enumerate(app_paths):
            made = plan(state, place, place + 128 * KIB, Ranges.of([(0, SIZE)]), [], size=SIZE)
            state, app_paths[number] = made.state, place + 128 * KIB
            assert not made.needed, turn
            assert not made.drop
    assert sorted(run.position - run.start for run in state.runs) == [20 * 128 * KIB] * 2


def test_reads_that_overtake_each_other_are_one_run() -> None:
    state = State()
    for start in (0, 256 * KIB, 128 * KIB, 512 * KIB, 384 * KIB):
        state = plan(state, start, start + 128 * KIB, NOTHING, [], size=SIZE).state
    (run,) = state.runs
    assert (run.start, run.position) == (0, 640 * KIB)


def test_reading_on_grows_the_window_up_to_its_limit() -> None:
    state, have, asked = State(), NOTHING, []
    position = 0
    while position < 60 * MIB:
        made = plan(state, position, position + 128 * KIB, have, [], size=SIZE)
        state = made.state
        for span in (*made.needed, *made.ahead):
            have = have.add(*span)
        position += 128 * KIB
        ahead = have.first_missing(0) - position
        asked.append(ahead)
        most = 4 * position - 2 * KERNEL_READ_AHEAD if position >= CERTAIN else position + FIRST
        assert have.total <= min(most, position + MOST_AHEAD) + ALIGN, "in measure to what was read"
        limit = UNSURE_AHEAD if position <= SURE else MOST_AHEAD
        least = min(position, limit) // 2 if position >= CERTAIN else FIRST - 128 * KIB
        assert position < 512 * KIB or ahead >= least
    assert max(asked) <= MOST_AHEAD + ALIGN


def test_several_requests_work_for_a_sequential_run() -> None:
    state, have, position, most = State(), NOTHING, 0, []
    while position < 2 * MIB:
        made = plan(state, position, position + 128 * KIB, have, [], size=SIZE)
        state, position = made.state, position + 128 * KIB
        most.append(len(made.ahead))
        for span in (*made.needed, *made.ahead):
            have = have.add(*span)
    assert have.total >= 2 * MIB + UNSURE_AHEAD - LEAST_REQUEST
    assert sum(most) >= 6


def test_a_full_window_is_refilled_before_it_is_empty() -> None:
    state = State((Run(0, 64 * MIB, 1),), 1)
    size, place = 1024 * MIB, 64 * MIB
    have = Ranges.of([(0, place + FARTHEST_AHEAD - REQUEST)])

    def ahead(have: Ranges) -> tuple[Range, ...]:
        return plan(state, place - 10, place, have, [], size=size, most_ahead=FARTHEST_AHEAD).ahead

    assert ahead(have) == (Range(place + FARTHEST_AHEAD - REQUEST, place + FARTHEST_AHEAD),)
    assert ahead(have.add(*ahead(have)[0])) == ()


@pytest.mark.parametrize("most", [MOST_AHEAD, 70 * MIB, FARTHEST_AHEAD])
def test_a_sequential_run_makes_full_requests(most: int) -> None:
    size = 512 * MIB
    state, have, asked = State(), NOTHING, []
    for position in range(0, size, 512 * KIB):
        made = plan(state, position, position + 512 * KIB, have, [], size=size, most_ahead=most)
        state = made.state
        for span in (*made.needed, *made.ahead):
            have = have.add(*span)
            asked.append(span)
    assert have.covers(0, size)
    whole = 1 << ((most // 4).bit_length() - 1)
    steady = [span.end - span.start for span in asked if 128 * MIB <= span.start < size - 2 * most]
    assert steady and set(steady) == {min(whole, REQUEST)}


@pytest.mark.parametrize(
    ("rate", "bytes_ahead"),
    [(None, MOST_AHEAD), (0.0, MOST_AHEAD), (60e6, 60e6), (1e9, FARTHEST_AHEAD)],
)
def test_a_second_of_a_quick_link_is_read_ahead(rate: float | None, bytes_ahead: float) -> None:
    assert most_ahead(rate) == max(MOST_AHEAD, bytes_ahead)


def test_reads_inside_the_range_that_a_plan_is_valid_for_need_no_new_plan() -> None:
    state, have, position, unplanned = State(), NOTHING, 0, 0
    until = Range(0, 0)
    while position < SIZE:
        made = plan(state, position, position + 128 * KIB, have, [], size=SIZE)
        if until.start <= position and position + 128 * KIB <= until.end:
            unplanned += 1
            assert (made.needed, made.ahead, made.drop) == ((), (), ())
            assert made.state == follow(state, position, position + 128 * KIB)
        else:
            until = made.valid_for
        state, position = made.state, position + 128 * KIB
        for span in (*made.needed, *made.ahead):
            have = have.add(*span)
    assert unplanned > SIZE // (128 * KIB) * 0.8


@pytest.mark.parametrize("room", [0, 100 * KIB, 3 * MIB])
def test_read_ahead_keeps_its_limit(room: int) -> None:
    run = Run(0, 50 * MIB, 1)
    made = plan(State((run,), 1), 50 * MIB, 50 * MIB + 1, NOTHING, [], size=SIZE, most_ahead=room)
    assert Ranges.of(made.ahead).total <= room + ALIGN
    assert bool(made.ahead) == (room > FIRST)


def test_a_request_that_was_not_begun_for_a_run_is_not_dropped() -> None:
    index = InFlight(99 * MIB, SIZE, keep=True)
    assert plan(State(), 0, 10, NOTHING, [index], size=SIZE).drop == ()


offsets = st.integers(0, 40 * MIB)
spans = st.lists(st.tuples(offsets, st.integers(1, 3 * MIB)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=6)


@given(
    st.lists(st.tuples(offsets, st.integers(1, MIB)), min_size=1, max_size=8),
    spans,
    st.lists(st.tuples(offsets, st.integers(1, 5 * MIB), st.booleans()), max_size=4),
    st.integers(1, 45 * MIB),
)
def test_what_holds_for_every_plan(
    reads: list[tuple[int, int]], have: list[tuple[int, int]], coming: list[tuple[int, int, bool]], size: int
) -> None:
    present = Ranges.of((start, min(end, size)) for start, end in have)
    in_flight = [
        InFlight(start, min(start + length, size), Extent.WHOLE if is_whole else Extent.RANGE)
        for start, length, is_whole in coming
        if start < size
    ]
    under_way = Ranges.of((in_flight.position, in_flight.end) for in_flight in in_flight)
    state = State()
    for offset, length in reads:
        start = offset % size
        end = min(start + length, size)
        made = plan(state, start, end, present, in_flight, size=size)
        state = made.state
        soon = Ranges.of(
            (f.position, f.end) for f in in_flight if f.extent is Extent.WHOLE or start - f.position <= SKIP
        )
        for gap in present.missing(start, end):
            for left in soon.missing(*gap):
                assert Ranges.of(made.needed).covers(*left), "whatever is asked for comes"
        for one in made.needed:
            assert 0 <= one.start < one.end <= size
            assert present.missing(*one) == soon.missing(*one) == (one,), "nothing comes twice"
            assert one.start < end and start < one.end, "nothing is needed that has no part of what is read"
        for one in made.ahead:
            assert one.end - one.start <= REQUEST
            assert present.add(0, 0).missing(*one) == under_way.missing(*one) == (one,)
            assert Ranges.of(made.needed).missing(*one) == (one,)
        assert not any(one.extent is Extent.WHOLE for one in made.drop)
        assert len(state.runs) <= 2


@given(st.lists(st.integers(0, SIZE // (3 * MIB) - 1), unique=True))
def test_scattered_reads_cost_little(app_paths: list[int]) -> None:
    state = State()
    for place in app_paths:
        start = place * 3 * MIB + 1234567 % MIB
        made = plan(state, start, start + 4 * KIB, NOTHING, [], size=SIZE)
        state = made.state
        assert made.ahead == ()
        assert Ranges.of(made.needed).total <= 512 * KIB
