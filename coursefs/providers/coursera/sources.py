"""The video files in a lecture's reply, in every shape that the platform gives them (pure).

`sources` was seen as an object by resolution, as a list, as lists or addresses by resolution, and as a text.  So the
value is searched for addresses, and what surrounds an address says its resolution and its container.  Addresses of
streams (HLS, DASH), images and sound alone are no video files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from coursefs.errors import BadReply
from coursefs.providers.kit.fields import Json, as_identifier
from coursefs.transport import parse_json

_LINES = re.compile(r"(\d{2,5})p")
_RESOLUTION = re.compile(r"(\d{3,4})[pP]?")
_IN_PATH = re.compile(r"[/_.-](\d{3,4})p?(?=[/_.-])")
#: keys that name the resolution of what is beside them, and such that name its container
_RESOLUTION_KEYS = ("resolution", "height", "quality", "label", "res")
_TYPE_KEYS = ("type", "mimetype", "contenttype", "format", "container")
#: keys of addresses that are no video file; `hlsUrl` and `dashUrl` are streams
_OTHERS = re.compile(r"image|poster|thumb|preview|playlist|hls|dash|mpd|m3u8|audio|subtitle|caption", re.IGNORECASE)
_STREAMS = re.compile(r"playlist|hls|dash|mpd|m3u8", re.IGNORECASE)
_CONTAINER = re.compile("mp4|webm", re.IGNORECASE)
_DEEPEST = 8
#: the word for a resolution that the platform does not say
ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One resolution of a lecture; a URL is "" when the platform does not have the format."""

    lines: int  # 720; 0 when the platform's word has no number
    mp4: str = field(repr=False)
    webm: str = field(repr=False)

    def url(self, container: str) -> str:
        """The URL of a container (`mp4` or `webm`); "" when there is none."""
        return {"mp4": self.mp4, "webm": self.webm}.get(container, "")


class _Place(NamedTuple):
    """What is known of the addresses at one place of the value."""

    word: str = ""  # resolution
    container: str = ""
    depth: int = 0


class _Address(NamedTuple):
    word: str
    container: str
    url: str


def renditions(sources: Any) -> dict[str, Rendition]:
    """The renditions in a value of any shape, by the platform's word for the resolution; the first of each counts."""
    found: dict[str, Rendition] = {}
    for word, container, url in _addresses(sources, _Place()):
        one = found.get(word) or Rendition(_lines(word), "", "")
        if not one.url(container):
            found[word] = replace(one, mp4=url) if container == "mp4" else replace(one, webm=url)
    return found


def has_stream(video: Json) -> bool:
    """Whether a lecture can be streamed (HLS or DASH), whatever files it has."""
    for source in (video, video.get("sources")):
        if isinstance(source, dict) and any(_STREAMS.search(key) and source[key] for key in source):
            return True
    return False


def by_language(value: Any) -> dict[str, Any]:
    """The parts of a value by language: an object with languages as keys, or a list whose objects say theirs."""
    if isinstance(value, dict):
        return dict(value)
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    found: dict[str, Any] = {}
    for row in rows:
        names = ("languageCode", "language", "locale", "lang")
        language = next((row[name] for name in names if isinstance(row.get(name), str)), "")
        found.setdefault(language, row)
    return found


def _addresses(value: Any, place: _Place) -> Iterator[_Address]:
    if place.depth > _DEEPEST:
        return
    below = place._replace(depth=place.depth + 1)
    if isinstance(value, str):
        yield from _in_text(value.strip(), below)
    elif isinstance(value, list):
        for one in value:
            yield from _addresses(one, below)
    elif isinstance(value, dict):
        yield from _in_object(value, below)


def _in_text(value: str, place: _Place) -> Iterator[_Address]:
    if value[:1] in ("{", "["):
        with suppress(BadReply):
            yield from _addresses(parse_json(value.encode()), place)
        return
    if not value.startswith(("https://", "http://", "/")):
        return
    with suppress(ValueError):
        path = unquote(urlsplit(value).path, errors="replace")
        container = place.container or path.rpartition(".")[2].lower()
        if container in ("mp4", "webm"):
            yield _Address(place.word or _word_in(path), container, value)


def _in_object(value: Mapping[str, Any], place: _Place) -> Iterator[_Address]:
    own = {key.lower(): one for key, one in value.items()}
    word = next((word for key in _RESOLUTION_KEYS if (word := _word(own.get(key), key))), place.word)
    told = (own.get(key) for key in _TYPE_KEYS)
    container = next((one for said in told if isinstance(said, str) and (one := _container(said))), place.container)
    for key, one in value.items():
        if key.lower() in _RESOLUTION_KEYS or key.lower() in _TYPE_KEYS or _OTHERS.search(key):
            continue
        named = key if _RESOLUTION.fullmatch(key) or (isinstance(one, dict) and _has_container(one)) else ""
        named = "" if key in ("byResolution", "formatSources") or _container(key) else named
        yield from _addresses(
            one, place._replace(word=_word(named, "") or word, container=_container(key) or container)
        )


def _has_container(value: Mapping[str, Any]) -> bool:
    return any(_container(key) for key in value)


def _container(said: str) -> str:
    """The container that a key or a media type names: `mp4VideoUrl`, `video/webm`, `mp4`."""
    found = _CONTAINER.search(said)
    return found[0].lower() if found else ""


def _word(value: object, key: str) -> str:
    """The word of a resolution: a text as it is, a number of lines as the platform writes it elsewhere."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000:
        return f"{value}p"
    if not isinstance(value, str) or not as_identifier(value):
        return ""
    if key in ("quality", "label", "height") and not _RESOLUTION.fullmatch(value):
        return ""  # "HD": no number, and perhaps the name of a track
    return f"{value}p" if value.isdecimal() else value


def _word_in(path: str) -> str:
    """The resolution in a path, such as `/full/720p/index.mp4` or `_MP4_720.mp4`."""
    found = _IN_PATH.search(path)
    return f"{found[1]}p" if found else ORIGINAL


def _lines(word: str) -> int:
    lines = _LINES.fullmatch(word)
    return int(lines.group(1)) if lines else 0
