"""Which of a video's files is shown (pure)."""

from __future__ import annotations

from urllib.parse import urlsplit

from coursefs.providers.openedx.replies import VideoData

#: profiles that are files, with the lines that they have on edx.org; the best first.  `fallback` and the sources are
#: whatever an author has put there, so they are taken when nothing else is there, and never for being small.
_LINES = {"desktop_mp4": 720, "desktop_webm": 720, "mobile_high": 540, "mobile_low": 360}
FALLBACK = "fallback"
SOURCE = "source"
YOUTUBE = "youtube"
_FILES = (".mp4", ".m4v", ".webm", ".mov")


def profile(video: VideoData, lines: int | None) -> str | None:
    """The profile to show, as `video_url` takes it; None where the video has no file.

    Of the platform's own encodings it is the wanted one or the next lower one, else the lowest; None wants the best.
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
    """The URL of this profile; "" where the video does not have it (any more)."""
    if name == SOURCE:
        return next(filter(_is_file, video.sources), "")
    encoding = video.encodings.get(name)
    return encoding.url if encoding else ""


def video_size(video: VideoData, name: str) -> int | None:
    """The bytes of this profile, where the platform says them: of its own encodings, never of an author's address."""
    return video.encodings[name].size if name in _LINES and name in video.encodings else None


def extension(url: str, name: str) -> str:
    """What the file of a video is called at its end: by its address, where that says it, else by its profile."""
    path = _path(url)
    return next((one for one in _FILES if path.endswith(one)), ".webm" if name == "desktop_webm" else ".mp4")


def web_url(video: VideoData) -> str:
    """Where a video without a file can be watched; "" where the platform says nothing but its own page."""
    youtube = video.encodings.get(YOUTUBE)
    return youtube.url if youtube else ""


def _is_file(url: str) -> bool:
    """Whether this seems to be a file: not a playlist of parts, not a page."""
    return _path(url).endswith(_FILES)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.lower()
    except ValueError:
        return ""
