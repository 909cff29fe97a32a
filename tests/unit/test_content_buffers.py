"""Memory that is used again, and never while somebody looks at it."""

from __future__ import annotations

import ctypes
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.buffers import PIECE, BufferPool, ReadBuffers

MIB = 2**20


def address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([1, 4096, 2**15, MIB, MIB + 1]), st.integers(0, 9), st.booleans()), max_size=40
    )
)
def test_what_somebody_looks_at_is_not_written(steps: list[tuple[int, int, bool]]) -> None:
    buffers = ReadBuffers(most=2)
    kept: list[tuple[memoryview, bytes]] = []
    for size, place, is_part in steps:
        view = buffers.view(size)
        assert len(view) == size and not view.readonly
        mark = os.urandom(1)
        view[:1] = view[-1:] = mark
        kept.append(((view[:1] if is_part else view).toreadonly(), mark))
        del view
        if place < len(kept):
            del kept[place]
        for one, expected in kept:
            assert one[:1] == expected == one[-1:]


def test_memory_is_used_again_when_no_view_is_left() -> None:
    buffers = ReadBuffers()
    first = buffers.view(4096)
    where = address(first)
    part = first[:10].toreadonly()
    del first
    assert address(buffers.view(4096)) != where, "a part of it is still looked at"
    del part
    assert address(buffers.view(MIB)) == where


def test_no_more_memory_is_kept_than_was_said() -> None:
    buffers = ReadBuffers(most=2)
    views = [buffers.view(MIB) for _ in range(4)]
    assert len({address(view) for view in views}) == 4
    assert len(buffers._buffers) == 2


@pytest.mark.parametrize("size", [1, 2**15, MIB])
def test_a_view_begins_with_a_page(size: int) -> None:
    assert address(ReadBuffers().view(size)) % 4096 == 0


def test_a_buffer_that_was_given_back_is_used_again() -> None:
    pool = BufferPool(most=1)
    first, second, small = pool.acquire(PIECE), pool.acquire(PIECE), pool.acquire(PIECE - 1)
    where = address(first)
    assert {address(one) % 4096 for one in (first, second)} == {0} and len({where, address(second)}) == 2
    assert len(small) == PIECE - 1
    for one in (first, second, small):
        pool.release(one)
    assert address(pool.acquire(PIECE)) == where
    assert address(pool.acquire(PIECE)) not in {where, address(second)}, "no more than one was kept"


def test_threads_never_get_the_same_memory() -> None:
    buffers = ReadBuffers(most=2)
    wrong: list[bytes] = []

    def use(mark: bytes) -> None:
        for _ in range(3000):
            view = buffers.view(4096)
            view[:] = mark * 4096
            if bytes(view) != mark * 4096:
                wrong.append(mark)

    threads = [threading.Thread(target=use, args=(bytes([number]),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
