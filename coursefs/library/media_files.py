"""What the files for media centres contain, from what a course page is made from (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coursefs.catalog import page_nodes as names
from coursefs.formats.media_center import SEASON_FILE, SHOW_FILE, Episode, Show, episode_nfo, season_nfo, show_nfo
from coursefs.model import Kind
from coursefs.pages.course_page import CoursePage, PageFile, PageItem, PageSection

#: at the beginning of an episode's name (`coursefs.formats.media_center.episode_name`)
_EPISODE = re.compile(r"S(\d{2,})E(\d{2,})(?!\d)")


def nfo(course: CoursePage, key: str) -> bytes:
    """The file with this key (`coursefs.catalog.page_nodes`); b"" of what the course has no longer."""
    if key == SHOW_FILE:
        seasons = [(number, section.title) for section in course.sections if (number := _season(section)) is not None]
        return show_nfo(Show(course.key, course.title, seasons, poster_url=course.image))
    if key.startswith(names.EPISODE):
        return _episode_of(course, key.removeprefix(names.EPISODE))
    wanted = key.removeprefix(f"{SEASON_FILE}/")
    module = next((section for section in course.sections if section.key == wanted), None)
    number = None if module is None else _season(module)
    return b"" if module is None or number is None else season_nfo(f"{course.key}/{module.key}", number, module.title)


def _episode_of(course: CoursePage, key: str) -> bytes:
    for item in _items(course):
        for file in item.files:
            if file.key == key and file.kind is Kind.VIDEO:
                season, number = _numbers(file) or (0, 0)
                title = f"{item.title} - {file.title}" if file.title else item.title
                identity = f"{course.key}/{file.key}"
                return episode_nfo(Episode(identity, title, season, number, course.title, item.duration))
    return b""


def _season(section: PageSection) -> int | None:
    """The season that a module is: that of its first video; None where it has none."""
    videos = (file for item in _items(section) for file in item.files if file.kind is Kind.VIDEO)
    return next((numbers[0] for file in videos if (numbers := _numbers(file)) is not None), None)


def _numbers(file: PageFile) -> tuple[int, int] | None:
    match = _EPISODE.match(file.path.rpartition("/")[2])
    return None if match is None else (int(match[1]), int(match[2]))


def _items(section: CoursePage | PageSection) -> Iterator[PageItem]:
    for inner in section.sections:
        yield from _items(inner)
    yield from section.items
