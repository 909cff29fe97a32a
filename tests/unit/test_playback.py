"""Playback: whether the reads of one open file are those of a person who plays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from coursefs.library.playback import Film, ReadPattern, is_past_middle

KIB, MIB = 2**10, 2**20
#: a lecture of ten minutes, as Coursera has it at 720p, and a long recording
LECTURE = Film(60 * MIB, 600.0)
RECORDING = Film(700 * MIB, 5400.0)
CLIP = Film(4 * MIB, 12.0)
STEP = 128 * KIB


@dataclass(frozen=True)
class Read:
    """A read at a time, and how long it waited."""

    at: float
    start: int
    size: int = STEP
    took: float = 0.0


Reads = Iterator[Read]


def copy(film: Film, rate: float, *, rests: float = 0.0) -> Reads:
    """From the first byte to the last, at a rate, waiting for each byte but a part of the time."""
    for start in range(0, film.size, STEP):
        yield Read(start / rate, start, min(STEP, film.size - start), STEP / rate * (1 - rests))


def paced(film: Film, speed: float = 1.0, *, start: float = 0.0) -> Reads:
    """As VLC does: each step a little before it is shown."""
    rate, first = film.size / film.duration * speed, int(film.size * start)
    ahead = min(2.0, film.duration / 60)
    for place in range(first, film.size, STEP):
        yield Read(max(0.0, (place - first) / rate - ahead), place, min(STEP, film.size - place), 0.01)


def buffered(film: Film, buffer: int = 150 * MIB, link: float = 10 * MIB, *, start: float = 0.0) -> Reads:
    """As mpv does: the buffer at once, then in steps as it empties."""
    rate, first, now = film.size / film.duration, int(film.size * start), 0.0
    for place in range(first, film.size, STEP):
        now = max(now + STEP / link, (place - first - buffer) / rate)
        yield Read(now, place, min(STEP, film.size - place), STEP / link)


def index_at_the_end(film: Film, reads: Reads) -> Reads:
    """The same after a look at head and end."""
    yield Read(0.0, 0)
    yield Read(0.1, film.size - STEP)
    yield from reads


def jumps(film: Film, places: int, each: int = 2) -> Reads:
    """A few reads at many places."""
    for number in range(places):
        for step in range(each):
            yield Read(number * 0.3 + step * 0.01, film.size // places * number + step * STEP, STEP, 0.05)


def first_time(film: Film, reads: Reads, until: float) -> float | None:
    """When it is first told that a person is past the middle; `until`: when the file is closed."""
    pattern = ReadPattern(film.size, 0.0)
    waiting: list[float] = []
    looks = [(step * 0.5, None) for step in range(int(until * 2) + 1)]
    events: list[tuple[float, Read | None]] = sorted([*((read.at, read) for read in reads), *looks], key=lambda e: e[0])
    for now, read in events:
        if now > until:
            break
        for end in sorted(one for one in waiting if one <= now):
            pattern.ended(end)
            waiting.remove(end)
        if read is None:
            if is_past_middle(pattern, film, now):
                return now
        elif read.took:
            pattern.began(read.start, read.start + read.size, now)
            waiting.append(now + read.took)
        else:
            pattern.answered(read.start, read.start + read.size, now)
    return None


@pytest.mark.parametrize("film", [LECTURE, RECORDING, CLIP])
@pytest.mark.parametrize("index_last", [False, True])
@pytest.mark.parametrize(
    ("reads", "earliest", "latest"),
    [
        pytest.param(paced, 0.45, 0.55, id="paced"),
        pytest.param(lambda film: paced(film, 1.25), 0.35, 0.45, id="paced-1.25"),
        pytest.param(lambda film: paced(film, 1.5), 0.3, 0.37, id="paced-1.5"),
        pytest.param(lambda film: paced(film, 2.0), 0.24, 0.37, id="paced-2"),
        pytest.param(lambda film: paced(film, start=0.6), 0.0, 0.25, id="paced-from-60%"),
        pytest.param(buffered, 0.33, 0.36, id="buffered"),
        pytest.param(lambda film: buffered(film, start=0.3), 0.13, 0.2, id="buffered-from-30%"),
    ],
)
def test_players_are_noticed_in_the_middle(
    film: Film, index_last: bool, reads: Callable[[Film], Reads], earliest: float, latest: float
) -> None:
    seen = reads(film)
    found = first_time(film, index_at_the_end(film, seen) if index_last else seen, film.duration)
    assert found is not None
    slack = 1.0 if film is CLIP else 5.0
    assert earliest * film.duration - slack <= found <= latest * film.duration + slack


@pytest.mark.parametrize("film", [LECTURE, RECORDING, CLIP])
@pytest.mark.parametrize(
    ("reads", "closed"),
    [
        pytest.param(lambda film: copy(film, 50 * MIB), 0.1, id="copy"),
        pytest.param(lambda film: copy(film, film.size / film.duration * 4), 0.25, id="copy-4x"),
        pytest.param(lambda film: copy(film, film.size / film.duration * 4, rests=0.9), 0.25, id="backup-4x"),
        pytest.param(lambda film: copy(film, film.size / film.duration), 1.0, id="copy-over-a-slow-link"),
        pytest.param(lambda film: copy(film, film.size / film.duration, rests=0.2), 1.0, id="grep-over-a-slow-link"),
        pytest.param(lambda film: copy(film, film.size / film.duration / 2), 2.0, id="copy-over-a-slower-link"),
        pytest.param(lambda film: jumps(film, 9), 0.3, id="thumbnailer"),
        pytest.param(lambda film: jumps(film, 9), 2.0, id="thumbnailer-that-stays"),
        pytest.param(lambda film: index_at_the_end(film, iter(())), 2.0, id="probe-that-stays"),
        pytest.param(buffered, 0.3, id="player-that-is-closed-early"),
        pytest.param(paced, 0.45, id="player-that-is-closed-before-the-middle"),
        pytest.param(lambda film: iter(()), 0.3, id="copy-from-the-memory-of-the-kernel"),
    ],
)
def test_others_are_not(film: Film, reads: Callable[[Film], Reads], closed: float) -> None:
    assert first_time(film, reads(film), film.duration * closed) is None


def test_a_player_that_waited_long_for_all_of_it_is_noticed_when_it_rests() -> None:
    film = LECTURE
    found = first_time(film, copy(film, film.size / film.duration * 1.3), film.duration)
    assert found is not None
    assert film.duration / 1.3 < found < film.duration / 1.3 + 25


@pytest.mark.parametrize("film", [Film(0, 10.0), Film(10, 0.0), Film(0, 0.0)])
def test_a_film_without_size_or_duration_is_never_played(film: Film) -> None:
    pattern = ReadPattern(MIB, 0.0)
    pattern.answered(0, 10, 0.0)
    assert not is_past_middle(pattern, film, 1e9)


def test_reads_at_the_same_time_are_waited_for_once() -> None:
    pattern = ReadPattern(MIB, 0.0)
    pattern.began(0, STEP, 1.0)
    pattern.began(STEP, 2 * STEP, 2.0)
    pattern.ended(3.0)
    assert pattern.waited(4.0) == 3.0
    pattern.ended(5.0)
    assert pattern.waited(9.0) == 4.0


@pytest.mark.parametrize(("film", "at"), [(LECTURE, 200.0), (RECORDING, 1800.0), (Film(MIB, 3.0), 5.0)])
def test_a_film_that_the_kernel_has_in_memory_is_played_by_the_clock(film: Film, at: float) -> None:
    found = first_time(film, iter(()), film.duration * 2)
    assert found == at
