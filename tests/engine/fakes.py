"""A provider without a platform, whose courses a test changes as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import trio

from coursefs.errors import CoursefsError
from coursefs.library import Factories, Provider
from coursefs.model import (
    Course,
    File,
    Identity,
    Item,
    Kind,
    Outline,
    Page,
    Placement,
    Remote,
    Section,
    Source,
)


def lecture(key: str, title: str, position: int | None, **more: str) -> Item:
    """An open lecture."""
    return Item(f"item/{key}", title, title.lower(), position, "lecture", details=more)


def video(item: Item, *, url: str | None = None) -> File:
    """The video of a lecture."""
    key = f"{item.key}/video"
    return File(key, Kind.VIDEO, Placement.MAIN, "", ".mp4", "video/mp4", Remote(key, {"key": key}), url)


def reading(item: Item, html: str, image: str | None = None) -> list[File]:
    """A reading, with an image beside it if one is named."""
    page = File(f"{item.key}/page", Kind.READING, Placement.MAIN, "", ".html", "text/html", Page(html))
    if image is None:
        return [page]
    key = f"{item.key}/asset/{image}"
    return [page, File(key, Kind.IMAGE, Placement.BESIDE, image, ".png", "image/png", Remote(key, {"key": key}))]


def section(key: str, title: str, position: int, *items: Item, sections: Sequence[Section] = ()) -> Section:
    """A module."""
    return Section(f"module/{key}", Kind.MODULE, title, title.lower(), position, None, tuple(sections), items)


def made_by(name: str, provider: Provider) -> Factories:
    """The platforms of a library, where there is one of this name, and it makes this provider."""
    return {name: lambda account, transport: provider}


@dataclass
class FakeProvider:
    """Answers from its fields, counts what it is asked, fails where it is told to, waits at its gate."""

    listed: list[Course] = field(default_factory=list)
    outlines: dict[str, Outline] = field(default_factory=dict)
    contents: dict[str, list[File] | CoursefsError] = field(default_factory=dict)
    failure: CoursefsError | None = None
    gate: trio.Event | None = None
    calls: list[str] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)

    async def _asked(self, what: str) -> None:
        self.calls.append(what)
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure

    async def whoami(self) -> Identity:
        await self._asked("whoami")
        return Identity("1")

    async def courses(self) -> Sequence[Course]:
        await self._asked("courses")
        return list(self.listed)

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        await self._asked(f"outline {course.key}")
        outline = self.outlines[course.key]
        return None if tag is not None and tag == outline.tag else outline

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        await self._asked("files " + " ".join(item.key for item in items))
        return {item.key: self.contents.get(item.key, [video(item)]) for item in items}

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        await self._asked(f"source {remote.identity}{' fresh' if fresh else ''}")
        return Source(self.urls[remote.identity])
