"""Range arithmetic against sets of numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.ranges import Range, Ranges

spans = st.tuples(st.integers(0, 40), st.integers(0, 40))


def build(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[Ranges, set[int]]:
    """The same changes made to ranges and to a set."""
    ranges, model = Ranges(), set[int]()
    for adding, (start, end) in changes:
        if adding:
            ranges, model = ranges.add(start, end), model | set(range(start, end))
        else:
            ranges, model = ranges.remove(start, end), model - set(range(start, end))
    return ranges, model


changes = st.lists(st.tuples(st.booleans(), spans), max_size=12)


def bytes_of(ranges: tuple[Range, ...] | Ranges) -> set[int]:
    return {byte for start, end in ranges for byte in range(start, end)}


@given(changes)
def test_holds_what_was_added_and_not_removed(made: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, model = build(made)
    assert bytes_of(ranges) == model
    assert ranges.total == len(model)
    for one, other in pairwise(ranges):
        assert one.end < other.start, "sorted, disjoint, and joined where they touch"
    assert all(start < end for start, end in ranges)


@given(changes, spans)
def test_missing_and_covers(made: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]) -> None:
    ranges, model = build(made)
    wanted = set(range(*asked))
    gaps = ranges.missing(*asked)
    assert bytes_of(gaps) == wanted - model
    assert all(one.end < other.start for one, other in pairwise(gaps))
    assert ranges.covers(*asked) == (wanted <= model)


@given(changes, st.integers(0, 45))
def test_first_missing(made: list[tuple[bool, tuple[int, int]]], start: int) -> None:
    ranges, model = build(made)
    assert ranges.first_missing(start) == next(byte for byte in range(start, 100) if byte not in model)


@given(st.lists(spans))
def test_of_is_the_same_as_adding_one_by_one(parts: list[tuple[int, int]]) -> None:
    assert Ranges.of(parts) == build([(True, part) for part in parts])[0]


@pytest.mark.parametrize(
    ("have", "add", "expected"),
    [
        ([], (3, 5), [(3, 5)]),
        ([(0, 3)], (3, 5), [(0, 5)]),
        ([(5, 9)], (3, 5), [(3, 9)]),
        ([(0, 3), (5, 9)], (3, 5), [(0, 9)]),
        ([(0, 2), (4, 5), (7, 9)], (1, 8), [(0, 9)]),
        ([(0, 9)], (3, 5), [(0, 9)]),
        ([(0, 2)], (5, 5), [(0, 2)]),
    ],
)
def test_add(have: list[tuple[int, int]], add: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    assert list(Ranges.of(have).add(*add)) == expected
