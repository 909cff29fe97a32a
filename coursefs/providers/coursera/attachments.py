"""The files that lie with lectures and readings: names, kinds, and which of them nobody wants to see (pure)."""

from __future__ import annotations

import re

from coursefs.model import File, Item, Kind, Placement, Remote
from coursefs.providers.coursera.replies import Asset
from coursefs.providers.filenames import file_name, mime_type

_MERGED = re.compile(r"_merged(_\d+)?$", re.IGNORECASE)


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
