"""What a sample server holds: folders, recordings and playlists."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_OURS = uuid.UUID("c0257e5f-5000-4000-8000-000000000000")


def made_guid(*parts: str) -> str:
    """An id of the platform's form that always comes out the same."""
    return str(uuid.uuid5(_OURS, "\n".join(parts)))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; whoever signs in sees it, unless it is hidden."""

    id: str
    name: str
    parent: str | None = None  # id
    hidden: bool = False  # the learner may not see it: it is not listed, and 403 when it is asked for
    unlisted: bool = False  # the search for all folders does not bring it


@dataclass(frozen=True, slots=True)
class Session:
    """A recording."""

    id: str
    name: str
    folder: str  # id
    start: str | None  # ISO 8601
    duration: float
    video: Path | None = None  # None: no podcast was made of it
    audio: Path | None = None
    captions: Mapping[int, Path] = field(default_factory=dict)  # by number of language; a missing file is empty
    default_captions: Path | None = None
    download: bool = True  # downloads are allowed
    chapters: tuple[tuple[float, str], ...] = ()
    slides: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Playlist:
    """Recordings in somebody's order."""

    id: str
    name: str
    folder: str  # id
    sessions: tuple[str, ...]  # ids


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that a server holds."""

    folders: Mapping[str, Folder]
    sessions: Mapping[str, Session]
    playlists: Mapping[str, Playlist] = field(default_factory=dict)

    def is_visible(self, folder_id: str) -> bool:
        """Whether the learner may see a folder."""
        folder = self.folders.get(folder_id)
        return folder is not None and not folder.hidden


def holdings(folders: list[Folder], sessions: list[Session], playlists: list[Playlist] | None = None) -> Holdings:
    """Holdings of these, by id."""
    return Holdings(
        {one.id: one for one in folders}, {one.id: one for one in sessions}, {one.id: one for one in playlists or []}
    )
