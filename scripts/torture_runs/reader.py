"""A reader: reads the mount in every way that programs do, and compares every byte.

`python -m torture_runs.reader FOLDER COUNTERS SLOT SEED DEADLINE [check|mmap]` runs until it is ended.  What is wrong
it says as one JSON object a line on standard output.  `check` reads every file once and says which of them failed.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from torture_runs import golden
from torture_runs.counters import Counters
from torture_runs.names import Names, file_of

T = TypeVar("T")

_PAGE = 4096
#: operations for which the kernel looks up each part of a path
_BY_PATH = ("open", "readdir", "stat", "getxattr")
#: seconds after an error, so that a mount that is away does not count millions of operations
_AFTER_ERROR = 0.01


class Reader:
    """Does one operation after the other."""

    def __init__(self, folder: Path, counters: Counters, slot: int, seed: str, deadline: float) -> None:
        self.folder = folder
        self.names = Names(folder)
        self.is_check = False  # it wants every file under its own name
        self.counters = counters
        self.slot = slot
        self.random = random.Random(seed)
        self.deadline_ns = int(deadline * 1e9)
        self.descriptors: dict[int, int] = {}
        self.scratch = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self.buffer = mmap.mmap(-1, 2**20)
        self.ways: list[tuple[int, Callable[[], None]]] = [
            (40, self.pread),
            (8, self.sequential),
            (8, self.readv),
            (6, self.sendfile),
            (8, self.direct),
            (10, self.forget),
            (8, self.stat),
            (4, self.list),
            (4, self.attribute),
            (4, self.whole),
        ]

    def run(self) -> None:
        """Read for ever."""
        weights = [weight for weight, _ in self.ways]
        ways = [way for _, way in self.ways]
        while True:
            (way,) = self.random.choices(ways, weights)
            self.attempt(way)

    def attempt(self, way: Callable[[], None]) -> None:
        """One way of reading, with whatever error it ends."""
        try:
            way()
        except OSError:
            self.counters.add(self.slot, "failures")
            self.close()
            time.sleep(_AFTER_ERROR)

    @contextmanager
    def operation(self, name: str, file: int | str = "") -> Iterator[None]:
        """One system call: counted, and timed from begin to end, whatever it ends with."""
        paused = self.counters.paused
        begun = time.monotonic_ns()
        self.counters.set(self.slot, "begun", begun)
        failure = None
        try:
            yield
        except OSError as error:
            failure = error.errno
            raise
        finally:
            took = time.monotonic_ns() - begun - (self.counters.paused - paused)
            self.counters.set(self.slot, "begun", 0)
            self.counters.add(self.slot, "operations")
            if took > self.counters.get(self.slot, "longest"):
                self.counters.set(self.slot, "longest", took)
            # Where nothing is known a path costs two requests, for the courses and the files, each with the deadline.
            if took > self.deadline_ns * (2 if self.counters.began_anew and name in _BY_PATH else 1):
                self.counters.add(self.slot, "late")
                word = errno.errorcode.get(failure, str(failure)) if failure else "done"
                self.say("late", f"{name} of {file} took {took / 1e9:.1f} s: {word}")

    def say(self, what: str, text: str) -> None:
        """Tell the runner."""
        print(json.dumps({"step": self.counters.step, "what": what, "text": text}), flush=True)

    def close(self) -> None:
        """Let go of every open file."""
        for descriptor in self.descriptors.values():
            with suppress(OSError):
                os.close(descriptor)
        self.descriptors.clear()

    def opened(self, file: int, *, flags: int = 0) -> int:
        """A descriptor of a file, a new one."""

        def opening(path: Path) -> int:
            with self.operation("open", file):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)

        path, descriptor = self.at_its_place(file, opening)
        try:
            if path != self.names.usual(file) and file_of(descriptor) != file:  # another has that name by now
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    @property
    def has_wrong_titles(self) -> bool:
        """Whether files may have other names than theirs."""
        return not self.is_check and self.counters.has_wrong_titles

    def at_its_place(self, file: int, use: Callable[[Path], T]) -> tuple[Path, T]:
        """Use the path of a file, and what came of it.  While the server says other titles it is looked for."""
        for path in self.names.places(file) if self.has_wrong_titles else [self.names.usual(file)]:
            try:
                return path, use(path)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def some(self) -> tuple[int, int]:
        """A file that is open, and its descriptor."""
        file = self.random.choice(list(golden.SIZES))
        if file not in self.descriptors:
            if len(self.descriptors) >= 4 or self.random.random() < 0.02:
                self.close()
            self.descriptors[file] = self.opened(file)
        return file, self.descriptors[file]

    def place(self, file: int, most: int = 2**18) -> tuple[int, int]:
        """A place in a file: anywhere, of any length."""
        size = golden.SIZES[file]
        length = int(2 ** self.random.uniform(0, most.bit_length() - 1))
        start = self.random.randrange(size)
        if self.random.random() < 0.1:
            start = max(0, size - length)
        return start, length

    def compare(self, data: bytes, file: int, start: int, length: int, descriptor: int = -1) -> None:
        """Every byte is what some version has there; pages of two versions in one old descriptor are looked at again.

        A read may end before a page that gives an error: then who reads on gets that error, or what is missing.
        """
        newest = self.counters.version(file)
        if descriptor >= 0 and len(data) < length and start + len(data) < golden.SIZES[file]:
            with self.operation("pread", file):
                rest = os.pread(descriptor, length - len(data), start + len(data))
            if rest:
                data += rest
            elif start + len(data) < os.fstat(descriptor).st_size:  # else the file has become shorter
                self.counters.add(self.slot, "wrong")
                self.say("wrong", f"an end at {start + len(data)} in the middle of file {file}")
                return
            length = len(data) if start + len(data) < golden.SIZES[file] and rest else length
        if golden.is_right(data, file, newest, start, start + length):
            self.counters.add(self.slot, "bytes", len(data))
            return
        if newest > 1:  # the kernel keeps pages by file: only who opens it again is promised one version
            fresh = self.opened(file)
            try:
                with self.operation("pread", file):
                    again = os.pread(fresh, length, start)
            finally:
                os.close(fresh)
            if golden.is_right(again, file, self.counters.version(file), start, start + length):
                pages = [data[at : at + 512] for at in range(0, len(data), 512)]
                if all(
                    golden.is_right(page, file, newest, start + at * 512, start + at * 512 + len(page))
                    for at, page in enumerate(pages)
                ):
                    return
        self.counters.add(self.slot, "wrong")
        self.say("wrong", golden.what_is_wrong(data, file, newest, start, start + length))

    def pread(self) -> None:
        """Anywhere."""
        file, descriptor = self.some()
        start, length = self.place(file)
        with self.operation("pread", file):
            data = os.pread(descriptor, length, start)
        self.compare(data, file, start, length, descriptor)

    def sequential(self) -> None:
        """On and on for a while, as players do."""
        file, descriptor = self.some()
        start, _ = self.place(file)
        for _ in range(8):
            with self.operation("read on", file):
                data = os.pread(descriptor, 2**17, start)
            self.compare(data, file, start, 2**17, descriptor)
            start += len(data)
            if len(data) < 2**17:
                return

    def whole(self) -> None:
        """A file from start to end, opened anew."""
        file = self.random.choice([one for one, size in golden.SIZES.items() if size < 2**20])
        descriptor = self.opened(file)
        try:
            start = 0
            while True:
                with self.operation("read", file):
                    data = os.read(descriptor, 2**17)
                if not data:
                    break
                self.compare(data, file, start, len(data))
                start += len(data)
        finally:
            os.close(descriptor)

    def readv(self) -> None:
        """Into several buffers."""
        file, descriptor = self.some()
        start, length = self.place(file, 2**16)
        parts = [bytearray(length // 3 + 1) for _ in range(3)]
        with self.operation("preadv", file):
            count = os.preadv(descriptor, parts, start)
        whole = sum(map(len, parts))
        self.compare(b"".join(parts)[:count], file, start, whole, descriptor)

    def sendfile(self) -> None:
        """From the kernel into another file."""
        file, descriptor = self.some()
        start, length = self.place(file, 2**17)
        os.ftruncate(self.scratch.fileno(), 0)
        os.lseek(self.scratch.fileno(), 0, os.SEEK_SET)
        with self.operation("sendfile", file):
            count = os.sendfile(self.scratch.fileno(), descriptor, start, length)
        data = os.pread(self.scratch.fileno(), count, 0)
        if count:  # it may send less than was asked for
            self.compare(data, file, start, count)

    def direct(self) -> None:
        """Past the page cache."""
        file = self.random.choice(list(golden.SIZES))
        descriptor = self.opened(file, flags=os.O_DIRECT)
        try:
            start = self.random.randrange(1 + golden.SIZES[file] // _PAGE) * _PAGE
            length = _PAGE * self.random.randint(1, 64)
            with self.operation("O_DIRECT pread", file):
                count = os.preadv(descriptor, [memoryview(self.buffer)[:length]], start)
            self.compare(self.buffer[:count], file, start, length)
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """What the page cache does not have."""
        _, descriptor = self.some()
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        self.pread()

    def stat(self) -> None:
        """The size is that of some version."""
        file = self.random.choice(list(golden.SIZES))

        def asking(path: Path) -> os.stat_result:
            with self.operation("stat", file):
                return path.stat()

        path, status = self.at_its_place(file, asking)
        if path != self.names.usual(file) and file_of(path) != file:  # another had, or has, that name
            return
        sizes = {golden.size_of(file, version) for version in range(1, min(9, self.counters.version(file) + 1))}
        if status.st_size not in sizes:
            self.counters.add(self.slot, "wrong")
            self.say("wrong", f"file {file} is said to have {status.st_size} bytes, not {sorted(sizes)}")

    def list(self) -> None:
        """Everything is listed, or an error is."""
        may_have_other_names, may_lack_some = self.has_wrong_titles, self.counters.may_lack_some
        folder = self.names.folder() if may_have_other_names else self.folder
        with self.operation("readdir"):
            listed = list(folder.iterdir())
        missing = {self.names.usual(file).name for file in golden.SIZES} - {path.name for path in listed}
        if missing and may_have_other_names:
            missing = {self.names.usual(file).name for file in golden.SIZES.keys() - self.names.learn(listed)}
        if missing and not may_lack_some:
            self.counters.add(self.slot, "wrong")
            self.say("wrong", f"not listed: {', '.join(sorted(missing))}")

    def attribute(self) -> None:
        """How much of it is cached."""
        file = self.random.choice(list(golden.SIZES))

        def asking(path: Path) -> None:
            with self.operation("getxattr", file):
                os.getxattr(path, "user.coursefs.cached")

        self.at_its_place(file, asking)

    def mapped(self) -> None:
        """Through the page tables: an error ends this process with SIGBUS."""
        file = self.random.choice([one for one, size in golden.SIZES.items() if size >= _PAGE])
        descriptor = self.opened(file)
        try:
            with self.operation("mmap", file):
                memory = mmap.mmap(descriptor, golden.SIZES[file], prot=mmap.PROT_READ)
            with memory:
                for _ in range(8):
                    start, length = self.place(file, _PAGE)
                    length = min(length, golden.SIZES[file] - start, _PAGE - start % _PAGE)  # one page, one fault
                    with self.operation("page fault", file):
                        data = memory[start : start + length]
                    self.compare(data, file, start, length)
        finally:
            os.close(descriptor)


def check(reader: Reader, give_up: float) -> None:
    """Read every file whole, under its own name, until it could be read.

    Says which could not until `give_up` (monotonic seconds).
    """
    reader.is_check = True
    lost = {}
    for file in golden.SIZES:
        while True:
            try:
                descriptor = reader.opened(file)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    start = 0
                    while True:
                        with reader.operation("read", file):
                            data = os.pread(descriptor, 2**20, start)
                        reader.compare(data, file, start, len(data))
                        start += len(data)
                        if not data:
                            break
                finally:
                    os.close(descriptor)
                size = golden.size_of(file, golden.version_of(os_read(reader, file), 0) or 1)
                if golden.SIZES[file] >= golden.WORD and start != size:
                    raise OSError(errno.EIO, f"{start} bytes in place of {size}")
                break
            except OSError as error:
                if time.monotonic() > give_up:
                    lost[file] = str(error)
                    break
                time.sleep(0.2)
    print(json.dumps({"what": "checked", "lost": lost}), flush=True)


def os_read(reader: Reader, file: int) -> bytes:
    """The first word of a file."""
    descriptor = reader.opened(file)
    try:
        return os.pread(descriptor, golden.WORD, 0)
    finally:
        os.close(descriptor)


def main() -> None:
    """Read as the arguments say."""
    folder, counters, slot, seed, deadline, *rest = sys.argv[1:]
    reader = Reader(Path(folder), Counters(Path(counters)), int(slot), seed, float(deadline))
    if rest[:1] == ["check"]:
        check(reader, time.monotonic() + float(rest[1]))
        return
    if rest == ["mmap"]:
        reader.ways = [(1, reader.mapped)]
    reader.run()


if __name__ == "__main__":
    main()
