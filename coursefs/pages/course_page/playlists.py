"""Playlists of a course or a module, as mpv, VLC and others read them (extended M3U in UTF-8; pure)."""

from __future__ import annotations

import posixpath

from coursefs.model import Kind
from coursefs.pages.course_page.model import CoursePage, PageFile, PageItem, PageSection
from coursefs.pages.course_page.outline import items, section_items
from coursefs.pages.course_page.texts import line, seconds_of


def playlist(part: CoursePage | PageSection, folder: str = "") -> bytes:
    """The lectures of a course or a section: one video each, or a sound recording where there is no video.

    `folder`: the path of the folder that the playlist is in, relative to the course folder; "" for the course folder.
    """
    found = items(part) if isinstance(part, CoursePage) else section_items(part)
    lines = ["#EXTM3U", f"#PLAYLIST:{line(part.title)}"]
    for item in found:
        media = _media(item)
        if media is not None and not set(media.path) & {"\n", "\r"}:  # no playlist can hold such a name
            lines += [f"#EXTINF:{seconds_of(item.duration) or -1},{line(item.title)}", _path(media.path, folder)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _media(item: PageItem) -> PageFile | None:
    by_kind = {file.kind: file for file in reversed(item.files)}
    return by_kind.get(Kind.VIDEO) or by_kind.get(Kind.AUDIO)


def _path(path: str, folder: str) -> str:
    """A path as a line of a playlist; `./` keeps a leading `#` or `name:` from being a comment or a protocol."""
    return f"./{posixpath.relpath(path, folder) if folder else path}"
