"""Eviction: what leaves the cache, and what stays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.cache_folder import CacheFolder
from coursefs.content.cached_file import CachedFile, Piece
from coursefs.content.identity import Key
from coursefs.content.index import Index
from coursefs.content.index_database import HEAD, TAIL, is_edge
from coursefs.content.quota import EvictionCandidate, Quota, choose, excess, order
from coursefs.content.ranges import Range
from coursefs.model import Version

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
    chosen = choose(sorted(given, key=order(favour_edges=False)), wanted)
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
    (chosen,) = choose(sorted([old, new], key=order(favour_edges=favour)), 1)
    assert chosen.key.identity == first


def test_head_and_tail_are_evicted_in_the_end() -> None:
    old = EvictionCandidate(Key("a", "old"), None, 5, 100, edge=True)
    new = EvictionCandidate(Key("a", "new"), None, 5, 100 + MONTH + 1)
    assert choose(sorted([new, old], key=order(favour_edges=True)), 1) == [old]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 5, True), (HEAD - 1, 2 * HEAD, True), (HEAD, 2 * HEAD, False), (HEAD, SIZE - TAIL + 1, True)],
)
def test_edges(*, start: int, end: int, expected: bool) -> None:
    assert is_edge(start, end, SIZE) == expected


def index_of(count: int) -> tuple[Index, list[Key]]:
    """An index of files of two hundred bytes each, half of them edges; the least recently read first."""
    index = Index()
    keys = [Key("a", f"{number:04d}") for number in range(count)]
    for number, key in enumerate(keys):
        row = index.add(key, Version(SIZE, None, None))
        row.read_ns, row.cached, row.edges = number, 200, 100
        index.used, index.edges = index.used + 200, index.edges + 100
    return index, keys


def quota_of(index: Index) -> Quota:
    return Quota(cast(CacheFolder, None), index, max_size=10**12, min_free=0)


def test_an_eviction_looks_at_no_more_files_than_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is held meanwhile, so reads wait whose bytes have come."""
    index, keys = index_of(2000)
    looked: list[Key] = []
    row = index.row
    monkeypatch.setattr(index, "row", lambda key: looked.append(key) or row(key))  # type: ignore[func-returns-value]
    victims = quota_of(index).victims({}, 950)
    assert [(one.key, one.edge) for one in victims] == [(key, False) for key in keys[:10]]
    assert len(looked) < 20
    index.database.close()


def test_what_is_read_or_pinned_or_forgotten_is_no_victim_of_the_next_eviction() -> None:
    index, keys = index_of(6)
    quota = quota_of(index)
    index.touch(keys[0], Version(SIZE, None, None))
    index.pin(keys[1], True)
    index.forget(keys[2])
    index.add(Key("a", "new"), Version(SIZE, None, None)).cached = 300
    order_of_eviction = [(one.key, one.edge) for one in quota.victims({}, 10**6)]
    assert order_of_eviction == [
        *[(key, False) for key in keys[3:]],
        *[(key, True) for key in keys[3:]],
        (keys[0], False),
        (Key("a", "new"), False),
        (keys[0], True),
    ]
    index.database.close()


def test_edges_leave_with_the_rest_where_they_fill_the_cache() -> None:
    index, keys = index_of(3)
    quota = quota_of(index)
    quota.max_size = 600
    assert [(one.key, one.edge) for one in quota.victims({}, 300)] == [
        (keys[0], False),
        (keys[0], True),
        (keys[1], False),
    ]
    index.database.close()


def test_of_an_open_file_the_pieces_leave_that_no_read_waits_for() -> None:
    index, keys = index_of(3)
    version = Version(SIZE, None, None)
    pieces = [Piece(HEAD * number, HEAD * (number + 1), 0, number) for number in range(1, 4)]
    file = SimpleNamespace(users=1, in_use=[Range(HEAD, HEAD + 1)], pieces=lambda: pieces, version=version)
    victims = quota_of(index).victims({(keys[1], version): cast(CachedFile, file)}, 10**9)
    assert [(one.key, one.start) for one in victims if not one.edge] == [
        (keys[0], None),
        (keys[1], 2 * HEAD),
        (keys[2], None),
        (keys[1], 3 * HEAD),
    ]
    index.database.close()
