"""The files that lie with lectures and readings: names, kinds, and which of them nobody wants to see (pure)."""

from __future__ import annotations

import mimetypes
import re
from typing import NamedTuple

from coursefs.model import File, Item, Kind, Placement, Remote
from coursefs.providers.coursera.replies import Asset

_MERGED = re.compile(r"_merged(_\d+)?$", re.IGNORECASE)
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


def is_duplicate(asset: Asset) -> bool:
    """Whether an attachment is made by the platform out of the lecture itself.

    Many lectures carry a second whole video with an audio description (`…extended-description-mixed.mp4`) and a
    transcript in a word processor's format (`…_merged.doc`): users take the first for a second download of all.
    """
    title, extension = file_name(asset.name, asset.extension)
    if "extended-description" in title.lower():
        return True
    return extension in (".doc", ".docx") and _MERGED.search(title) is not None


def asset_file(item: Item, asset: Asset, placement: Placement) -> File:
    """The file that shows an asset.  Content under an asset id does not change."""
    title, extension = file_name(asset.name or asset.id, asset.extension)
    media_type = mime_type(extension)
    return File(
        key=asset_key(item, asset.id),
        kind=Kind.IMAGE if media_type.startswith("image/") else Kind.ATTACHMENT,
        placement=placement,
        title="" if placement is Placement.MAIN else title,
        extension=extension,
        mime_type=media_type,
        body=Remote(f"asset/{asset.id}", {"what": "asset", "asset_id": asset.id}),
        url=item.url,
    )


def asset_key(item: Item, asset_id: str) -> str:
    """The key of the file that shows an asset."""
    return f"{item.key}/asset/{asset_id}"
