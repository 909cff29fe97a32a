"""The files of lectures, out of what the platform said of them; and what those of every kind are made with (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote
from coursefs.providers.coursera import cml
from coursefs.providers.coursera.attachments import asset_file, is_duplicate
from coursefs.providers.coursera.choice import Choice, LectureText, rendition, texts
from coursefs.providers.coursera.links import external_link
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo
from coursefs.providers.fields import as_identifier
from coursefs.providers.filenames import mime_type
from coursefs.providers.link_files import page_file

#: what a text of a lecture is, by its format: the word of locators and keys, and the kind
_TEXTS = {
    "srt": ("subtitle", Kind.SUBTITLE),
    "vtt": ("caption", Kind.SUBTITLE),
    "txt": ("transcript", Kind.TRANSCRIPT),
}


def asset_ids(parts: Iterable[CourseAsset]) -> tuple[str, ...]:
    """The files that attachments, or the parts of a reading and the pictures in them, refer to."""
    found: list[str] = []
    for part in parts:
        if part.asset_id:
            found.append(part.asset_id)
        found += cml_asset_ids(part.cml)
    return tuple(dict.fromkeys(found))


def cml_asset_ids(value: str) -> list[str]:
    """The files that a CML text refers to, by what can be an id."""
    return [reference.id for reference in cml.assets(value) if as_identifier(reference.id)] if value else []


def lecture_files(
    course: Course,
    item: Item,
    *,
    video: LectureVideo,
    parts: Sequence[CourseAsset],
    assets: Mapping[str, Asset],
    choice: Choice,
) -> list[File]:
    """The video in the wanted resolution, subtitles and transcripts in the wanted languages, and the attachments.

    `assets` are the files that the platform has of those that `parts` refer to.
    """
    ids = {"course_id": course.key, "item_id": item.details["item_id"]}
    if "video_id" in item.details:
        ids["video_id"] = item.details["video_id"]
    files = [_video_file(course, item, video, choice, ids)]
    files += [_text_file(item, text, ids) for text in texts(video, choice)]
    attached = {one: asset for one, asset in assets.items() if choice.duplicates or not is_duplicate(asset)}
    files += asset_files(item, asset_ids(parts), attached, Placement.ATTACHED).values()
    files += [link_file(course, item, part, Placement.ATTACHED) for part in parts if part.type_name == "url"]
    if "in_video_quiz" in item.details:
        reason = "This lecture stops for questions while it is watched on its web page; the video here does not."
        files.append(page_file(course, item, "quiz", marker="in-video quiz", what="in-video quiz", reason=reason))
    return files


def refused_attachments(course: Course, item: Item, error: CoursefsError) -> File:
    """A page in place of attachments that the platform does not give, so that nobody takes them for missing."""
    reason = f"What belongs to this step cannot be had now. {error}."
    return page_file(course, item, "attachments", marker="attachments", what="attachments", reason=reason)


def main_file(item: Item, name: str, kind: Kind, extension: str, body: Remote | Page) -> File:
    """A file that has the item's own name; of `.en.srt` the last part tells the media type."""
    media_type = mime_type(f".{extension.rpartition('.')[2]}")
    return File(f"{item.key}/{name}", kind, Placement.MAIN, "", extension, media_type, body, url=item.url)


def asset_files(item: Item, ids: Iterable[str], assets: Mapping[str, Asset], placement: Placement) -> dict[str, File]:
    """The files of those assets that the platform has, by asset id."""
    return {one: asset_file(item, assets[one], placement) for one in ids if one in assets}


def link_file(course: Course, item: Item, part: CourseAsset, placement: Placement) -> File:
    """A part that is an address somewhere else."""
    name = f"link/{hashlib.sha256(part.url.encode()).hexdigest()[:16]}"  # parts of a reading share one id
    return external_link(course, item, name, title=part.name, url=part.url, placement=placement)


def _video_file(course: Course, item: Item, video: LectureVideo, choice: Choice, ids: Mapping[str, str]) -> File:
    chosen = rendition(video.renditions, choice.wanted.video)
    if chosen is None:
        reason = "The platform offers no video file of this lecture; it may be watched on its web page."
        return page_file(course, item, "video", marker="video", what="lecture", reason=reason)
    resolution, container = chosen
    locator = {"what": "video", "resolution": resolution, "container": container, **ids}
    remote = Remote(f"video/{ids['course_id']}~{ids['item_id']}/{resolution}.{container}", locator)
    return main_file(item, "video", Kind.VIDEO, f".{container}", remote)


def _text_file(item: Item, text: LectureText, ids: Mapping[str, str]) -> File:
    what, kind = _TEXTS[text.format]
    name = f"{text.language}.{text.format}"
    remote = Remote(
        f"{what}/{ids['course_id']}~{ids['item_id']}/{name}", {"what": what, "language": text.language, **ids}
    )
    return main_file(item, f"{what}/{name}", kind, f".{name}", remote)
