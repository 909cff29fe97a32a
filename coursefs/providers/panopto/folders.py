"""The tree of folders, built from the parent of each, and the titles of recordings in it (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from coursefs.model import Item, Kind, Section
from coursefs.providers.panopto.replies import Folder, Playlist, Recording
from coursefs.providers.panopto.settings import PanoptoSettings

_EXTENSION = re.compile(r"\.(mp4|m4v|mov|avi|wmv|mkv|mp3|m4a)$", re.IGNORECASE)


def title(name: str, start: float | None, zone: tzinfo) -> str:
    """The title of a recording, `2024-01-09 Lecture 3`: the day of its start in this zone, and its name.

    `start`: seconds since 1970.  The extension of an uploaded file is removed, because the file to download may have
    another.  A name that begins with the day does not get it twice.
    """
    plain = _EXTENSION.sub("", name.strip()).strip() or "Recording"
    day = _day(start, zone)
    return plain if not day or plain.startswith(day) else f"{day} {plain}"


def slug(text: str) -> str:
    """The text as a slug: `2024-01-09-lecture-3`."""
    return "-".join(re.findall(r"\w+", text.casefold()))


def _day(start: float | None, zone: tzinfo) -> str:
    if start is None:
        return ""
    try:
        return datetime.fromtimestamp(start, zone).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return ""


SESSION = "session"
SCHEDULED = "scheduled"  # nothing is recorded yet


@dataclass(slots=True)
class FolderContents:
    """The direct contents of a folder."""

    children: Sequence[Folder] = ()
    sessions: Sequence[Recording] = ()
    playlists: Sequence[tuple[Playlist, Sequence[Recording]]] = field(default_factory=tuple)


def unknown_parents(folders: Mapping[str, Folder], asked: Iterable[str]) -> list[str]:
    """The ids of parents that are neither listed nor in `asked`."""
    known = {*folders, *asked}
    return sorted({one.parent_id for one in folders.values() if one.parent_id} - known)


def roots(folders: Mapping[str, Folder]) -> list[Folder]:
    """The roots of the tree, by name: top folders, folders of an invisible parent, and one folder of each cycle."""
    tops = {one.id for one in folders.values() if one.parent_id not in folders}
    reached = set(tops)
    for start in sorted(folders):
        chain: dict[str, None] = {}
        at = start
        while at not in reached and at not in chain:
            chain[at] = None
            at = folders[at].parent_id
        if at in chain:  # a cycle: its root is the smallest id, whatever the order
            circle = list(chain)[list(chain).index(at) :]
            tops.add(min(circle))
        reached |= chain.keys()
    return sorted((folders[one] for one in tops), key=lambda one: (one.name.casefold(), one.id))


def section(folder: Folder, contents: Mapping[str, FolderContents], settings: PanoptoSettings) -> Section:
    """A folder as a section with its contents; subfolders that `contents` lacks are left out."""
    mine = contents[folder.id]
    inner = [section(child, contents, settings) for child in mine.children if child.id in contents]
    lists = [_playlist(one, sessions, settings) for one, sessions in mine.playlists]
    return Section(
        key=f"folder/{folder.id}",
        kind=Kind.FOLDER,
        title=folder.name,
        slug=slug(folder.name),
        position=None,
        url=folder.url or None,
        sections=(*inner, *lists),
        items=tuple(_item(one, f"{SESSION}/{one.id}", None, settings) for one in mine.sessions),
    )


def _playlist(playlist: Playlist, sessions: Sequence[Recording], settings: PanoptoSettings) -> Section:
    key = f"playlist/{playlist.id}"
    return Section(
        key=key,
        kind=Kind.FOLDER,
        title=playlist.name or "Playlist",
        slug=slug(playlist.name),
        position=None,
        url=playlist.url or None,
        items=tuple(_item(one, f"{key}/{one.id}", number, settings) for number, one in enumerate(sessions, 1)),
    )


def _item(session: Recording, key: str, position: int | None, settings: PanoptoSettings) -> Item:
    name = title(session.name, session.start, settings.zone)
    details = {"session_id": session.id}
    if session.start is not None:
        details["start_ns"] = str(int(session.start) * 10**9)  # whole seconds: the web site's listings have no more
    if session.captions_url:
        details["captions"] = "listed"
    if session.is_archived:
        details["archived"] = "true"
    return Item(
        key=key,
        title=name,
        slug=slug(name),
        position=position,
        type_name=SCHEDULED if session.duration is not None and session.duration <= 0 else SESSION,
        url=session.viewer_url or None,
        details=details,
        duration=session.duration if session.duration is not None and session.duration > 0 else None,
    )
