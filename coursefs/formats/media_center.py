"""Courses as a media centre sees them: a show, its modules as seasons, its lectures as episodes (pure).

Kodi and Jellyfin read `tvshow.nfo` in the folder of the show, `season.nfo` in that of a season, and for each episode
a file with the name of the video and the extension `.nfo`. Season and episode are taken from the name of the video
(`S01E02`), so an episode has it at the beginning of its name. All of it is XML in UTF-8; the same facts are the same
bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from coursefs.base.characters import legible, one_line
from coursefs.pages.cleaning import link_target, plain

#: files of a show that programs look for by name
SHOW_FILE, SEASON_FILE = "tvshow.nfo", "season.nfo"
#: the season of what is in no module: the specials of a show
SPECIALS = 0
#: Jellyfin warns of these characters in names; a slash is none in any case
_RESERVED = re.compile(r'[<>:"/\\|?*]+')
_LONGEST_PLOT = 10_000


@dataclass(frozen=True, slots=True)
class Show:
    """A course."""

    identity: str  # account and key of the course
    title: str
    seasons: Sequence[tuple[int, str]] = ()  # number and title of each module
    plot: str = ""
    studios: Sequence[str] = ()  # universities and companies
    poster_url: str | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """A lecture."""

    identity: str  # account, and keys of course and item
    title: str
    season: int
    number: int
    show: str = ""  # title of the course
    duration: float | None = None  # seconds


def episode_name(season: int, number: int, title: str) -> str:
    """The beginning of the names of an episode's files: `S01E02 - Introduction`."""
    words = " ".join(_RESERVED.sub(" ", legible(title)).split()).strip(" .-")
    mark = f"S{season:02d}E{number:02d}"
    return f"{mark} - {words}" if words else mark


def show_nfo(show: Show) -> bytes:
    """The contents of `tvshow.nfo`."""
    root = ET.Element("tvshow")
    _add(root, "title", _line(show.title) or "Course")
    _add(root, "plot", plain(show.plot)[:_LONGEST_PLOT].strip())
    for studio in show.studios:
        _add(root, "studio", _line(studio))
    for number, title in show.seasons:
        _add(root, "namedseason", _line(title), number=str(number))
    if (poster := link_target(show.poster_url)) is not None and poster.startswith("http"):
        _add(root, "thumb", poster, aspect="poster")
    return _written(root, show.identity)


def season_nfo(identity: str, number: int, title: str) -> bytes:
    """The contents of `season.nfo`."""
    root = ET.Element("season")
    _add(root, "title", _line(title) or f"Season {number}")
    _add(root, "seasonnumber", str(number))
    return _written(root, identity)


def episode_nfo(episode: Episode) -> bytes:
    """The contents of the file beside an episode."""
    root = ET.Element("episodedetails")
    _add(root, "title", _line(episode.title) or "Lecture")
    _add(root, "showtitle", _line(episode.show))
    _add(root, "season", str(episode.season))
    _add(root, "episode", str(episode.number))
    if episode.duration is not None:
        _add(root, "runtime", str(max(1, round(episode.duration / 60))))  # in minutes
    return _written(root, episode.identity)


def _add(root: ET.Element, tag: str, text: str, **attributes: str) -> None:
    if text:
        ET.SubElement(root, tag, attributes).text = text


def _written(root: ET.Element, identity: str) -> bytes:
    _add(root, "uniqueid", _line(identity) or "course", type="coursefs", default="true")
    ET.indent(root)
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()
    )


def _line(text: str) -> str:
    return one_line(legible(text))
