"""Buffers: memory for bytes from the server and from the cache, used again and not given back.

New memory has to be cleared first, which costs a third of what reading a piece from the page cache does.  And the
kernel copies fastest to and from the beginning of a page: 16 bytes behind it, where the bytes of a large `bytearray`
begin, a copy takes up to twice as long on some processors.
"""

from __future__ import annotations

import ctypes
import threading

#: bytes of a piece, and of a buffer
PIECE = 2**20
_PAGE = 4096


class BufferPool:
    """Buffers of one piece for range requests, which say themselves when they need one no more."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._buffers: list[memoryview] = []

    def acquire(self, size: int) -> memoryview:
        """A buffer of at least `size` bytes (`PIECE` at most), with any content."""
        if size < PIECE:
            return memoryview(bytearray(size))
        if self._buffers:
            return self._buffers.pop()
        buffer, start = _with_a_page()
        return memoryview(buffer)[start : start + PIECE]

    def release(self, buffer: memoryview) -> None:
        """Give a buffer back.  No thread may write to it and no view of it may be read any more."""
        if len(buffer) == PIECE and len(self._buffers) < self._most:
            self._buffers.append(buffer)


class ReadBuffers:
    """At most `most` buffers of one piece, for reads of the cache, whose callers say nothing.

    Safe to use from several threads; never waits.
    """

    def __init__(self, most: int = 5) -> None:
        self._most = most
        self._buffers: list[tuple[bytearray, int]] = []
        self._lock = threading.Lock()

    def view(self, size: int) -> memoryview:
        """A writable view of `size` bytes with any content, which nobody else has.

        The memory is free again when this view, and every one that was made of it, has gone.
        """
        if size <= PIECE:
            with self._lock:
                # The first ones are used most often: what a processor has in its cache is written fastest.
                for buffer, start in self._buffers:
                    if _is_free(buffer):
                        return memoryview(buffer)[start : start + size]
                if len(self._buffers) < self._most:
                    buffer, start = _with_a_page()
                    self._buffers.append((buffer, start))
                    return memoryview(buffer)[start : start + size]
        return memoryview(bytearray(size))


def _with_a_page() -> tuple[bytearray, int]:
    """Memory for a piece, and the offset in it at which a page begins."""
    buffer = bytearray(PIECE + _PAGE)
    return buffer, -ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % _PAGE


def _is_free(buffer: bytearray) -> bool:
    """Whether there is no view of a buffer: Python refuses to change the size of one that has any.

    Neither call moves the memory: a `bytearray` gives none back for a single byte.
    """
    try:
        buffer.append(buffer.pop())
    except BufferError:
        return False
    return True
