"""What the Resources tab of a course lists (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import CourseAsset, course_assets
from coursefs.providers.fields import Json, identifier, record, text

#: the one kind of content that was recorded
_ASSET = "org.coursera.ondemand.reference.AssetReferenceContent"


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of the Resources tab."""

    id: str
    short_id: str  # of its web address; "" where it is not said
    name: str
    slug: str
    parts: tuple[CourseAsset, ...]  # its text; () where the platform did not send it


def references(envelope: Envelope) -> tuple[Reference, ...]:
    """The reply of `onDemandReferences.v1`: every entry with its text, which the reply lists apart."""
    texts: dict[str, list[CourseAsset]] = {}
    for part in course_assets(envelope):
        texts.setdefault(part.id, []).append(part)
    found = (_reference(row, texts) for row in envelope.elements)
    return tuple({one.id: one for one in found if one.id}.values())


def _reference(row: Json, texts: dict[str, list[CourseAsset]]) -> Reference:
    asset_id = identifier(record(record(row, "content"), _ASSET), "assetId")
    return Reference(
        id=identifier(row, "id") or identifier(row, "shortId"),
        short_id=identifier(row, "shortId"),
        name=text(row, "name"),
        slug=text(row, "slug"),
        parts=tuple(texts.get(asset_id, ())),
    )
