"""The outline of a course as rows for its template, without recursion: sections may be nested to any depth (pure)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from coursefs.model import Kind
from coursefs.pages.cleaning import link_target
from coursefs.pages.course_page.model import CoursePage, PageFile, PageItem, PageSection
from coursefs.pages.course_page.texts import anchor, clock, file_title, key_of, length, line, link, seconds_of

#: which file of an item its title leads to
_MAIN = (Kind.VIDEO, Kind.AUDIO, Kind.READING, Kind.ATTACHMENT, Kind.IMAGE, Kind.LINK, Kind.TRANSCRIPT, Kind.SUBTITLE)
#: deeper headings are of the same level
_DEEPEST_HEADING = 6


@dataclass(frozen=True, slots=True)
class FileRow:
    """A link to a file."""

    key: str
    href: str
    title: str
    kind: str
    type: str
    language: str
    cues: str


@dataclass(frozen=True, slots=True)
class OutlineRow:
    """A step of the outline: a section begins or ends, a list of items begins or ends, or an item, or a notice."""

    opens: bool = False
    closes: bool = False
    starts_list: bool = False
    ends_list: bool = False
    unlisted: int = 0  # items of which it says that their files are not listed; 0: it is no such notice
    depth: int = 0  # of a section, from 1
    level: int = 2  # of its heading
    id: str = ""
    key: str = ""
    title: str = ""
    number: str = ""
    label: str = ""
    locked: str = ""
    icon: str = ""
    href: str = ""
    url: str = ""
    seconds: int | None = None
    time: str = ""
    iso: str = ""
    chapters: str = ""  # JSON: [[seconds, title], …]
    files: tuple[FileRow, ...] = ()


def rows(page: CoursePage) -> Iterator[OutlineRow]:
    """The rows of a course: what lies directly in it first, then its sections."""
    taken: set[str] = set()
    yield from _items(page.items, taken)
    open_sections: list[Iterator[PageSection]] = [iter(page.sections)]
    while open_sections:
        section = next(open_sections[-1], None)
        depth = len(open_sections)
        if section is None:
            open_sections.pop()
            if open_sections:
                yield OutlineRow(closes=True, depth=depth - 1)
            continue
        yield OutlineRow(
            opens=True,
            depth=depth,
            level=min(depth + 1, _DEEPEST_HEADING),
            id=_free(f"s-{anchor(section.key)}", taken),
            key=key_of(section.key),
            title=line(section.title) or section.kind.title(),
            number="" if section.position is None else f"{section.position:02}",
        )
        if section.unlisted:
            yield OutlineRow(unlisted=section.unlisted)
        yield from _items(section.items, taken)
        open_sections.append(iter(section.sections))


def items(page: CoursePage) -> Iterator[PageItem]:
    """All items of a course, in the order of its outline."""
    yield from page.items
    for section in page.sections:
        yield from section_items(section)


def section_items(section: PageSection) -> Iterator[PageItem]:
    """All items of a section, in the order of the outline."""
    left = [section]
    while left:
        one = left.pop()
        yield from one.items
        left.extend(reversed(one.sections))


def main_file(item: PageItem) -> PageFile | None:
    """The file that an item's title leads to; None: it has no files."""
    ranked = {kind: rank for rank, kind in enumerate(_MAIN)}
    return min(item.files, key=lambda file: ranked.get(file.kind, len(ranked)), default=None)


def _items(found: tuple[PageItem, ...], taken: set[str]) -> Iterator[OutlineRow]:
    if found:
        yield OutlineRow(starts_list=True)
        yield from (_item(item, taken) for item in found)
        yield OutlineRow(ends_list=True)


def _item(item: PageItem, taken: set[str]) -> OutlineRow:
    main, seconds = main_file(item), seconds_of(item.duration)
    return OutlineRow(
        id=_free(f"i-{anchor(item.key)}", taken),
        key=key_of(item.key),
        title=line(item.title) or line(item.label) or "Untitled",
        label=line(item.label),
        locked=line(item.locked or ""),
        icon="locked" if item.locked else (main.kind.value if main else "none"),
        href=link(main.path) if main else "",
        url=link_target(item.url) or "",
        seconds=seconds,
        time=_time(seconds, main),
        iso=f"PT{seconds}S" if seconds else "",
        chapters=_chapters(item),
        files=tuple(_file(file) for file in item.files),
    )


def _time(seconds: int | None, main: PageFile | None) -> str:
    if seconds is None:
        return ""
    return clock(seconds) if main and main.kind in {Kind.VIDEO, Kind.AUDIO} else length(seconds)


def _file(file: PageFile) -> FileRow:
    return FileRow(
        key=key_of(file.key),
        href=link(file.path),
        title=file_title(file),
        kind=file.kind.value,
        type=line(file.mime_type),
        language=line(file.language or ""),
        cues=link(file.cues) if file.cues else "",
    )


def _chapters(item: PageItem) -> str:
    found = [
        [round(one.at, 3), line(one.title) or clock(int(one.at))]
        for one in item.chapters
        if math.isfinite(one.at) and one.at >= 0
    ]
    return json.dumps(found, ensure_ascii=False) if found else ""


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number if a row has it: keys are unique, but a page with equal ones is valid as well."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}.{number}"
    taken.add(free)
    return free
