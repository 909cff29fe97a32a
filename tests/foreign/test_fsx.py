"""fsx for readers: a seeded walk over all the ways to read, each of which gives the golden bytes."""

from __future__ import annotations

import mmap
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.foreign.shelf import Shelf, golden_folder, shelf

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

_SIZES = {"big.bin": 9_000_001, "round.bin": 2**20, "small.bin": 4_097, "one.bin": 1}
_OPERATIONS = 1_500
_PAGE = 4096


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Shelf]:
    """Files of sizes at the borders of pages and pieces."""
    golden = golden_folder(tmp_path)
    source = random.Random(1)
    for name, size in _SIZES.items():
        (golden / name).write_bytes(source.randbytes(size))
    with shelf(tmp_path, golden) as mounted:
        yield mounted


class Reader:
    """One file, open."""

    def __init__(self, path: Path, golden: bytes, source: random.Random) -> None:
        self.path = path
        self.golden = golden
        self.source = source
        self.descriptor = os.open(path, os.O_RDONLY)
        self.buffer = mmap.mmap(-1, 2**20)

    def span(self) -> tuple[int, int]:
        """A place that may reach beyond the end, and a length."""
        start = self.source.randrange(len(self.golden) + 100)
        return start, int(2 ** self.source.uniform(0, 19))

    def pread(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        return os.pread(self.descriptor, length, start), self.golden[start : start + length]

    def read(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        os.lseek(self.descriptor, start, os.SEEK_SET)
        return os.read(self.descriptor, length), self.golden[start : start + length]

    def readv(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        parts = [bytearray(1 + length // 4) for _ in range(4)]
        count = os.preadv(self.descriptor, parts, start)
        return b"".join(parts)[:count], self.golden[start : start + sum(map(len, parts))]

    def direct(self) -> tuple[bytes, bytes]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
        try:
            start = self.source.randrange(1 + len(self.golden) // _PAGE) * _PAGE
            length = _PAGE * self.source.randint(1, 128)
            count = os.preadv(descriptor, [memoryview(self.buffer)[:length]], start)
            return self.buffer[:count], self.golden[start : start + length]
        finally:
            os.close(descriptor)

    def mapped(self) -> tuple[bytes, bytes]:
        with mmap.mmap(self.descriptor, 0, prot=mmap.PROT_READ) as memory:
            start, length = self.span()
            return memory[start : start + length], self.golden[start : start + length]

    def sendfile(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        with tempfile.TemporaryFile() as out:
            count = os.sendfile(out.fileno(), self.descriptor, start, length)
            sent = os.pread(out.fileno(), length, 0)
        expected = self.golden[start : start + length]
        assert count == len(sent) and (count > 0 or not expected)
        return sent, expected[:count]

    def splice(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        reading, writing = os.pipe()
        try:
            count = os.splice(self.descriptor, writing, min(length, 2**16), offset_src=start)
            return (os.read(reading, count) if count else b""), self.golden[start : start + count]
        finally:
            os.close(reading)
            os.close(writing)

    def forget(self) -> tuple[bytes, bytes]:
        start, length = self.span()
        os.posix_fadvise(
            self.descriptor, start, length, self.source.choice([os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED])
        )
        return self.pread()

    def reopen(self) -> tuple[bytes, bytes]:
        os.close(self.descriptor)
        self.descriptor = os.open(self.path, os.O_RDONLY)
        return self.pread()

    def size(self) -> tuple[bytes, bytes]:
        assert os.fstat(self.descriptor).st_size == len(self.golden)
        end = os.lseek(self.descriptor, -min(10, len(self.golden)), os.SEEK_END)
        return os.read(self.descriptor, 100), self.golden[end:]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_way_is_taken_the_bytes_are_the_golden_ones(files: Shelf, seed: int) -> None:
    source = random.Random(seed)
    readers = [
        Reader(files.mounted / name, (files.golden / name).read_bytes(), source) for name in _SIZES for _ in range(2)
    ]
    ways: list[Callable[[Reader], tuple[bytes, bytes]]] = [
        Reader.pread, Reader.pread, Reader.read, Reader.readv, Reader.direct, Reader.mapped, Reader.sendfile,
        Reader.splice, Reader.forget, Reader.reopen, Reader.size,
    ]  # fmt: skip
    try:
        for number in range(_OPERATIONS):
            reader, way = source.choice(readers), source.choice(ways)
            got, expected = way(reader)
            assert got == expected, f"seed {seed}, operation {number}: {way.__name__} of {reader.path.name}"
    finally:
        for reader in readers:
            os.close(reader.descriptor)
