"""The overflow buffer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.overflow import OverflowBuffer


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(1, 60)), max_size=30))
def test_the_budget_holds_and_the_newest_stay(puts: list[tuple[str, int, int]]) -> None:
    memory = OverflowBuffer(100)
    for owner, start, size in puts:
        memory.put(owner, start, bytes(size))
        assert memory.used == sum(len(data) for each in "abc" for data in memory.pieces(each).values()) <= 100
        assert len(memory.pieces(owner)[start]) == size
    for owner in "abc":
        memory.forget(owner)
        assert not memory.pieces(owner)
    assert memory.used == 0


def test_the_oldest_piece_is_evicted() -> None:
    memory = OverflowBuffer(100)
    for owner, start in [("a", 0), ("b", 0), ("a", 0), ("c", 0)]:
        memory.put(owner, start, bytes(40))
    assert [bool(memory.pieces(owner)) for owner in "abc"] == [True, False, True]


def test_read_ahead_is_shared_by_the_files_in_the_buffer() -> None:
    memory = OverflowBuffer(100)
    assert memory.read_ahead_limit("a", 70) == 70
    memory.put("a", 0, b"x")
    assert memory.read_ahead_limit("a", 70) == 50
    assert memory.read_ahead_limit("a", 30) == 30
    memory.put("b", 0, b"x")
    assert memory.read_ahead_limit("a", 70) == 25
    assert memory.read_ahead_limit("c", 70) == 70
