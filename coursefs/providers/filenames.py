"""Names of files as platforms give them: their two parts, and the media type (pure)."""

from __future__ import annotations

import mimetypes
import re
from typing import NamedTuple

_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
#: the tables of Python alone, not those of the machine: the same file has the same type everywhere; and what these lack
_TYPES = mimetypes.MimeTypes()
_OFFICE = "application/vnd.openxmlformats-officedocument"
for _extension, _type in {
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".ipynb": "application/x-ipynb+json",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".webp": "image/webp",
}.items():
    _TYPES.add_type(_type, _extension)


class FileName(NamedTuple):
    """A name in its two parts; the extension has its dot, or is ""."""

    title: str
    extension: str


def file_name(name: str, platform_extension: str) -> FileName:
    """The parts of an asset's name.

    Usually the name has its extension; where it seems to have none (`Lecture 1.2`), the platform's own word is added.
    """
    said = platform_extension.strip().lstrip(".").lower()
    title, dot, extension = name.strip().rpartition(".")
    extension = extension.lower()
    if dot and title and _EXTENSION.fullmatch(extension) and (extension == said or not extension.isdecimal()):
        return FileName(title, f".{extension}")
    return FileName(name.strip(), f".{said}" if _EXTENSION.fullmatch(said) else "")


def mime_type(extension: str) -> str:
    """The media type of an extension with its dot."""
    return _TYPES.guess_type(f"file{extension}")[0] or "application/octet-stream"
