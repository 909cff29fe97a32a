"""Names that the kernel has cached are invalidated, and never after the session was closed."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator

import pytest
import trio

pytest.importorskip("pyfuse3")

from coursefs.base import threads
from coursefs.mount.kernel_cache import KernelCache
from tests.mount.world import until


class Kernel:
    """A kernel that notes the names, and holds each call until `let_go` is set."""

    def __init__(self, error: int = 0) -> None:
        self.names: list[tuple[int, bytes]] = []
        self.error = error
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def invalidate_entry(self, parent: int, name: bytes) -> None:
        self.names.append((parent, name))
        self.entered.set()
        assert self.let_go.wait(20)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A kernel that lets go of every thread at the end."""
    one = Kernel()
    yield one
    one.let_go.set()


def test_each_name_is_invalidated(kernel: Kernel) -> None:
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    cache.forget_names([(1, "a"), (1, "é")])
    cache.forget_names([(2, "b")])
    until(lambda: len(kernel.names) == 3, "all were invalidated")
    assert kernel.names == [(1, b"a"), (1, "é".encode()), (2, b"b")]
    cache.close()


def test_nothing_enters_the_kernel_after_the_close(kernel: Kernel) -> None:
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    kernel.let_go.clear()
    cache.forget_names([(1, "a"), (1, "b")])
    until(kernel.entered.is_set, "the thread is in the kernel")
    closing = threading.Thread(target=cache.close)
    closing.start()
    assert closing.is_alive(), "the session may be closed while a thread uses it"
    kernel.let_go.set()
    closing.join(20)
    assert kernel.names == [(1, b"a")]


def test_the_close_does_not_wait_for_ever(kernel: Kernel) -> None:
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    kernel.let_go.clear()
    cache.forget_names([(1, "a")])
    until(kernel.entered.is_set, "the thread is in the kernel")
    cache.close()
    assert not kernel.let_go.is_set()


@pytest.mark.parametrize(
    ("error", "is_said"),
    [(errno.ENOENT, False), (errno.ENODEV, False), (errno.ENOTCONN, False), (errno.EBADF, False), (errno.EINVAL, True)],
)
@pytest.mark.logs
def test_an_error_is_said_only_where_something_is_wrong(
    error: int, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = Kernel(error)
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    with caplog.at_level(logging.WARNING):
        cache.forget_names([(1, "a"), (1, "b")])
        until(lambda: len(kernel.names) == 2, "both were tried")
        cache.close()
    said = [f"{name!r} in inode 1: Invalid argument" for name in ("a", "b")]
    assert [one.getMessage() for one in caplog.records] == (said if is_said else [])


async def test_what_is_settled_was_invalidated_before(kernel: Kernel) -> None:
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    with trio.fail_after(20):
        for number in range(100):
            cache.forget_names([(1, str(number))])
            await cache.settled()
            assert len(kernel.names) == number + 1
    cache.close()


async def test_to_settle_takes_a_second_at_most(kernel: Kernel) -> None:
    cache = KernelCache(kernel.invalidate_entry)
    cache.start()
    kernel.let_go.clear()
    cache.forget_names([(1, "a")])
    with trio.fail_after(20):
        await cache.settled()
    assert not kernel.let_go.is_set()


def test_without_memory_a_name_is_tried_again() -> None:
    tried: list[bytes] = []

    def invalidate_entry(_: int, name: bytes) -> None:
        tried.append(name)
        if len(tried) < 3:
            raise MemoryError

    cache = KernelCache(invalidate_entry)
    cache.start()
    cache.forget_names([(1, "a")])
    until(lambda: tried == [b"a"] * 3, "it was invalidated")
    cache.close()


def test_without_a_thread_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    with pytest.raises(threads.NoThread):
        KernelCache().start()
