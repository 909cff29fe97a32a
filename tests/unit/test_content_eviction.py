"""Eviction: what leaves the cache, and what stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.identity import Key
from coursefs.content.index_database import HEAD, TAIL, is_edge
from coursefs.content.quota import EvictionCandidate, choose, excess

SIZE = 10 * HEAD


@pytest.mark.parametrize(
    ("used", "incoming", "max_size", "free", "min_free", "expected"),
    [
        (0, 10, 100, 1000, 0, 0),
        (90, 10, 100, 1000, 0, 0),
        (91, 10, 100, 1000, 0, 1),
        (0, 10, 100, 1000, 990, 0),
        (0, 10, 100, 1000, 995, 5),
        (95, 10, 100, 1000, 993, 5),
        (0, 10, 0, 1000, 0, 10),
    ],
)
def test_excess(*, used: int, incoming: int, max_size: int, free: int, min_free: int, expected: int) -> None:
    assert excess(used=used, incoming=incoming, max_size=max_size, free=free, min_free=min_free) == expected


candidates = st.lists(
    st.builds(
        EvictionCandidate,
        st.builds(Key, st.just("a"), st.sampled_from("xyz")),
        st.one_of(st.none(), st.integers(0, 9)),
        st.integers(1, 50),
        st.integers(0, 9),
    )
)


@given(candidates, st.integers(0, 200))
def test_the_least_recently_read_are_evicted_and_no_more_than_needed(
    given: list[EvictionCandidate], wanted: int
) -> None:
    chosen = choose(given, wanted, favour_edges=False)
    staying = list(given)
    for each in chosen:
        staying.remove(each)
    assert sum(each.size for each in chosen) >= min(wanted, sum(each.size for each in given))
    assert sum(each.size for each in chosen[:-1]) < max(wanted, 1)
    if chosen and staying:
        assert max(each.read_ns for each in chosen) <= min(each.read_ns for each in staying)


MONTH = 30 * 24 * 3600 * 10**9


@pytest.mark.parametrize(("favour", "first"), [(True, "new"), (False, "old")])
def test_head_and_tail_stay_longer(*, favour: bool, first: str) -> None:
    old = EvictionCandidate(Key("a", "old"), None, 5, 100, edge=True)
    new = EvictionCandidate(Key("a", "new"), None, 5, 100 + MONTH - 1)
    (chosen,) = choose([old, new], 1, favour_edges=favour)
    assert chosen.key.identity == first


def test_head_and_tail_are_evicted_in_the_end() -> None:
    old = EvictionCandidate(Key("a", "old"), None, 5, 100, edge=True)
    new = EvictionCandidate(Key("a", "new"), None, 5, 100 + MONTH + 1)
    assert choose([new, old], 1) == [old]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 5, True), (HEAD - 1, 2 * HEAD, True), (HEAD, 2 * HEAD, False), (HEAD, SIZE - TAIL + 1, True)],
)
def test_edges(*, start: int, end: int, expected: bool) -> None:
    assert is_edge(start, end, SIZE) == expected
