"""The choice of a video's file (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from coursefs.providers.openedx.replies import VideoData

#: profiles that are files, with their lines on edx.org, the best first.  `fallback` and the sources are addresses that
#: an author has entered, of unknown size; they are used only when there is no other.
_LINES = {"desktop_mp4": 720, "desktop_webm": 720, "mobile_high": 540, "mobile_low": 360}
FALLBACK = "fallback"
SOURCE = "source"
YOUTUBE = "youtube"
_FILES = (".mp4", ".m4v", ".webm", ".mov")


def profile(video: VideoData, lines: int | None) -> str | None:
    """The profile to show, for `video_url`; None when the video has no file.

    Of the platform's own encodings it is the one with `lines`, else the next lower one, else the lowest; None wants
    the best.
    """
    own = [name for name in _LINES if name in video.encodings and name != "desktop_webm"]
    own = own or [name for name in _LINES if name in video.encodings]
    fitting = [name for name in own if lines is None or _LINES[name] <= lines]
    if own:
        return fitting[0] if fitting else own[-1]
    fallback = video.encodings.get(FALLBACK)
    if fallback is not None and _is_file(fallback.url):
        return FALLBACK
    return SOURCE if any(map(_is_file, video.sources)) else None


def video_url(video: VideoData, name: str) -> str:
    """The URL of this profile; "" when the video does not have it (any more)."""
    if name == SOURCE:
        return next(filter(_is_file, video.sources), "")
    encoding = video.encodings.get(name)
    return encoding.url if encoding else ""


def video_size(video: VideoData, name: str) -> int | None:
    """The size of this profile in bytes; None when unknown, as for every address that an author has entered."""
    return video.encodings[name].size if name in _LINES and name in video.encodings else None


def extension(url: str, name: str) -> str:
    """The extension of a video's file: from its URL if it has one, else from its profile."""
    path = _path(url)
    return next((one for one in _FILES if path.endswith(one)), ".webm" if name == "desktop_webm" else ".mp4")


def web_url(video: VideoData) -> str:
    """The web address to watch a video without a file; "" when there is only the platform's own page."""
    youtube = video.encodings.get(YOUTUBE)
    return youtube.url if youtube else ""


def _is_file(url: str) -> bool:
    """Whether a URL seems to be a file, and not a streaming playlist or a page."""
    return _path(url).endswith(_FILES)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.lower()
    except ValueError:
        return ""
