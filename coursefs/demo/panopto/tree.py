"""The holdings of a sample server: folders, recordings and playlists."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_OURS = uuid.UUID("c0257e5f-5000-4000-8000-000000000000")


def made_guid(*parts: str) -> str:
    """A deterministic id in the platform's form."""
    return str(uuid.uuid5(_OURS, "\n".join(parts)))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; every signed-in user sees it, unless it is hidden."""

    id: str
    name: str
    parent: str | None = None  # id
    hidden: bool = False  # the learner may not see it: not listed, and 403 on request
    unlisted: bool = False  # missing in the search for all folders
    closed: bool = False  # the learner may open its recordings one by one, but not list it


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording."""

    id: str
    name: str
    folder: str  # id
    start: str | None  # ISO 8601
    duration: float
    video: Path | None = None  # None: it has no podcast file
    audio: Path | None = None
    captions: Mapping[int, Path] = field(default_factory=dict)  # by language number; a missing file is empty
    default_captions: Path | None = None
    download: bool = True  # downloads are allowed
    chapters: tuple[tuple[float, str], ...] = ()
    slides: tuple[Path, ...] = ()
    ai_chapters: tuple[tuple[float, str], ...] = ()
    archived: bool = False  # only its web page can bring it back
    shared: bool = False  # with the learner in person
    streams_only: bool = False  # the download page answers 404; the viewer has the film


@dataclass(frozen=True, slots=True)
class Playlist:
    """A user's ordered list of recordings."""

    id: str
    name: str
    folder: str  # id
    sessions: tuple[str, ...]  # ids


@dataclass(frozen=True, slots=True)
class Holdings:
    """Everything that a server holds."""

    folders: Mapping[str, Folder]
    sessions: Mapping[str, Recording]
    playlists: Mapping[str, Playlist] = field(default_factory=dict)

    def is_visible(self, folder_id: str) -> bool:
        """Whether the learner may see a folder."""
        folder = self.folders.get(folder_id)
        return folder is not None and not folder.hidden


def holdings(folders: list[Folder], sessions: list[Recording], playlists: list[Playlist] | None = None) -> Holdings:
    """The holdings of these folders, sessions and playlists, by id."""
    return Holdings(
        {one.id: one for one in folders}, {one.id: one for one in sessions}, {one.id: one for one in playlists or []}
    )
