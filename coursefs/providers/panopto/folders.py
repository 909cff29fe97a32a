"""The true tree out of folders that each know their parent (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coursefs.model import Item, Kind, Section
from coursefs.providers.panopto.replies import Folder, Playlist, Session
from coursefs.providers.panopto.settings import Settings
from coursefs.providers.panopto.titles import slug, title

SESSION = "session"
SCHEDULED = "scheduled"  # nothing is recorded yet


@dataclass(slots=True)
class Contents:
    """What lies directly in a folder."""

    children: Sequence[Folder] = ()
    sessions: Sequence[Session] = ()
    playlists: Sequence[tuple[Playlist, Sequence[Session]]] = field(default_factory=tuple)


def unknown_parents(folders: Mapping[str, Folder], asked: Iterable[str]) -> list[str]:
    """Parents that are named but not listed, and were not asked for."""
    known = {*folders, *asked}
    return sorted({one.parent_id for one in folders.values() if one.parent_id} - known)


def roots(folders: Mapping[str, Folder]) -> list[Folder]:
    """The folders to begin at, by name: those at the top, those whose parent is not to be seen, one of every circle."""
    tops = {one.id for one in folders.values() if one.parent_id not in folders}
    reached = set(tops)
    for start in sorted(folders):
        chain: dict[str, None] = {}
        at = start
        while at not in reached and at not in chain:
            chain[at] = None
            at = folders[at].parent_id
        if at in chain:  # a circle that no root leads to: its smallest id stands for it, whoever was met first
            circle = list(chain)[list(chain).index(at) :]
            tops.add(min(circle))
        reached |= chain.keys()
    return sorted((folders[one] for one in tops), key=lambda one: (one.name.casefold(), one.id))


def section(folder: Folder, contents: Mapping[str, Contents], settings: Settings) -> Section:
    """A folder with all that lies in it; folders that are not among `contents` were not asked for and are left out."""
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


def _playlist(playlist: Playlist, sessions: Sequence[Session], settings: Settings) -> Section:
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


def _item(session: Session, key: str, position: int | None, settings: Settings) -> Item:
    name = title(session.name, session.start, settings.zone)
    details = {"session_id": session.id}
    if session.start is not None:
        details["start_ns"] = str(int(session.start * 1000) * 10**6)
    if session.captions_url:
        details["captions"] = "listed"
    return Item(
        key=key,
        title=name,
        slug=slug(name),
        position=position,
        type_name=SCHEDULED if session.duration is not None and session.duration <= 0 else SESSION,
        url=session.viewer_url or None,
        details=details,
    )
