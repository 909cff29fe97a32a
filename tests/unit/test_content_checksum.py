"""Running checksums, and recent pieces."""

from __future__ import annotations

import zlib

import pytest

from coursefs.content.cached_file import RecentPieces
from coursefs.content.data_file import BLOCK, checksum, running_checksums
from tests.engine.content_bench import noise


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 7])
def test_any_blocks_can_be_checked_without_those_before_them(size: int) -> None:
    data = memoryview(noise(size))
    running = running_checksums(data)
    assert list(running) == [zlib.crc32(data[:end]) for end in (*range(0, size, BLOCK), size)]
    for first in range(len(running)):
        for last in range(first, len(running)):
            assert checksum(data[first * BLOCK : last * BLOCK], running[first]) == running[last]


def test_every_bit_counts() -> None:
    data = bytearray(noise(BLOCK))
    right = running_checksums(memoryview(data))
    for place in (0, 1, BLOCK // 2, BLOCK - 1):
        for bit in range(8):
            data[place] ^= 1 << bit
            assert checksum(data, right[0]) != right[1]
            data[place] ^= 1 << bit


def test_recent_pieces_are_few_for_all_files_together() -> None:
    recent = RecentPieces(2)
    data = {name: memoryview(name.encode()) for name in "abcd"}
    for name in "abc":
        recent.put(name, data[name])
    assert [recent.get(name) for name in "abcd"] == [None, data["b"], data["c"], None]
    recent.drop("b")
    recent.drop("b")
    recent.put("d", data["d"])
    assert [recent.get(name) for name in "abcd"] == [None, None, data["c"], data["d"]]
