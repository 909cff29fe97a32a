"""How long it takes to update a large account of which nothing has changed, without a platform and its network.

A program of its own, so that its memory and what it has imported count for nothing else:
`python -m benchmarks.updating COURSES` prints the seconds of one update, after all was listed once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio

from benchmarks.account import FILES_OF_STEP, LESSONS, MODULES, STEPS
from coursefs.errors import CoursefsError
from coursefs.library import ROOT, AccountSource, Library, LibrarySettings, open_library
from coursefs.model import Course, File, Identity, Item, Kind, Outline, Placement, Remote, Section, Source, Wanted

NAME = "large"


class Large:
    """A platform that answers at once, and always the same."""

    def __init__(self, number_of_courses: int) -> None:
        self._courses = [
            Course(f"c{number:04d}", f"course-{number}", f"Course {number:04d}") for number in range(number_of_courses)
        ]

    async def whoami(self) -> Identity:
        """Anybody."""
        return Identity(NAME)

    async def courses(self) -> Sequence[Course]:
        """All courses."""
        return self._courses

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline:  # noqa: ARG002  # all are alike
        """Modules, lessons and their steps."""
        return Outline(tuple(_module(module) for module in range(1, MODULES + 1)))

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these steps, as in `benchmarks.account`."""
        return {
            item.key: [_file(course, item, kind, ending) for kind, ending in FILES_OF_STEP[item.position == STEPS]]
            for item in items
        }

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  # the protocol's
        """Nothing is read."""
        raise CoursefsError("these files are for listings only")


def _module(module: int) -> Section:
    lessons = tuple(_lesson(module, lesson) for lesson in range(1, LESSONS + 1))
    return Section(f"module/{module}", Kind.MODULE, "Module", f"module-{module}", module, sections=lessons)


def _lesson(module: int, lesson: int) -> Section:
    key = f"{module}/{lesson}"
    steps = tuple(Item(f"{key}/{position}", "Step", "step", position, "lecture") for position in range(1, STEPS + 1))
    return Section(f"lesson/{key}", Kind.LESSON, "Lesson", f"lesson-{lesson}", lesson, items=steps)


def _file(course: Course, item: Item, kind: Kind, extension: str) -> File:
    key = f"{item.key}/{kind.value}"
    return File(key, kind, Placement.MAIN, "", extension, "text/plain", Remote(f"{course.key}/{key}", {"key": key}))


async def _updated(folder: Path, number_of_courses: int) -> float:
    provider = Large(number_of_courses)
    settings = LibrarySettings(folder / "catalogue", folder / "cache", [AccountSource(NAME, NAME, {}, {})], Wanted())
    factories = {NAME: lambda *_: provider}
    async with open_library(settings, providers=factories, contents=False) as library:
        await _walk(library, ROOT)
        begun = time.perf_counter()
        async for _ in library.courses.update([]):
            pass
        return time.perf_counter() - begun


async def _walk(library: Library, directory: int) -> None:
    for node in await library.files.children(directory):
        if node.is_directory:
            await _walk(library, node.inode)


def main() -> int:
    """Measure, and print seconds."""
    with tempfile.TemporaryDirectory(prefix="coursefs-updating-") as folder:
        print(trio.run(_updated, Path(folder), int(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
