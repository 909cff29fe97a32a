"""The files of lectures and readings, out of what the platform said of them (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote, Wanted
from coursefs.pages import beside_url, document
from coursefs.providers.coursera import choice, cml
from coursefs.providers.coursera.attachments import asset_file, asset_key, is_duplicate
from coursefs.providers.coursera.links import external_link
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo
from coursefs.providers.filenames import mime_type
from coursefs.providers.link_files import page_file


def asset_ids(parts: Iterable[CourseAsset]) -> tuple[str, ...]:
    """The files that attachments, or the parts of a reading and the pictures in them, refer to."""
    found: list[str] = []
    for part in parts:
        if part.asset_id:
            found.append(part.asset_id)
        found += [reference.id for reference in cml.assets(part.cml)] if part.cml else []
    return tuple(dict.fromkeys(found))


def lecture_files(
    course: Course,
    item: Item,
    *,
    video: LectureVideo,
    parts: Sequence[CourseAsset],
    assets: Mapping[str, Asset],
    wanted: Wanted,
) -> list[File]:
    """The video in the wanted resolution, subtitles and transcripts in the wanted languages, and the attachments.

    `assets` are the files that the platform has of those that `parts` refer to.
    """
    ids = {"course_id": course.key, "item_id": item.details["item_id"]}
    content = f"{ids['course_id']}~{ids['item_id']}"
    files: list[File] = []
    chosen = choice.rendition(video.renditions, wanted.video)
    if chosen:
        resolution, container = chosen
        locator = {"what": "video", "resolution": resolution, "container": container, **ids}
        remote = Remote(f"video/{content}/{resolution}.{container}", locator)
        files.append(_main_file(item, "video", Kind.VIDEO, f".{container}", remote))
    else:
        reason = "The platform offers no video file of this lecture; it may be watched on its web page."
        files.append(page_file(course, item, "video", marker="video", what="lecture", reason=reason))
    for language in choice.lecture_languages(video, wanted):
        for what, kind, extension, urls in (
            ("subtitle", Kind.SUBTITLE, "srt", video.subtitles),
            ("transcript", Kind.TRANSCRIPT, "txt", video.transcripts),
        ):
            if language in urls:
                name = f"{language}.{extension}"
                remote = Remote(f"{what}/{content}/{name}", {"what": what, "language": language, **ids})
                files.append(_main_file(item, f"{what}/{name}", kind, f".{name}", remote))
    attached = {one: asset for one, asset in assets.items() if not is_duplicate(asset)}
    files += _asset_files(item, asset_ids(parts), attached, Placement.ATTACHED).values()
    links = [part for part in parts if part.type_name == "url"]
    return files + [_link(course, item, part, Placement.ATTACHED) for part in links]


def reading_files(course: Course, item: Item, parts: Sequence[CourseAsset], assets: Mapping[str, Asset]) -> list[File]:
    """One page of all texts of a reading, what it refers to beside it; its other parts as files and link pages.

    A reading that is a single file is that file.
    """
    texts = [part for part in parts if part.cml or part.html]
    beside = _asset_files(item, asset_ids(texts), assets, Placement.BESIDE)
    files = [_reading_page(course, item, texts, beside.keys())] if texts else []
    files += [_link(course, item, part, Placement.MARKED) for part in parts if part.type_name == "url"]
    whole = asset_ids([part for part in parts if part not in texts])
    placement = Placement.ATTACHED if files or len(whole) > 1 else Placement.MAIN
    files += (_asset_files(item, whole, assets, placement) | beside).values()
    if not files:
        reason = "The platform gave no text and no file of this reading; it may be read on its web page."
        files.append(page_file(course, item, "link", marker="reading", what="reading", reason=reason))
    return files


def refused_attachments(course: Course, item: Item, error: CoursefsError) -> File:
    """A page in place of attachments that the platform does not give, so that nobody takes them for missing."""
    reason = f"What belongs to this step cannot be had now. {error}."
    return page_file(course, item, "attachments", marker="attachments", what="attachments", reason=reason)


def _reading_page(course: Course, item: Item, texts: Sequence[CourseAsset], beside: Collection[str]) -> File:
    links = {one: beside_url(asset_key(item, one)) for one in beside}
    bodies = [cml.render(part.cml, links) if part.cml else cml.sanitised(part.html) for part in texts]
    html = document(title=item.title, body="\n".join(bodies), url=item.url, course=course.title)
    return _main_file(item, "page", Kind.READING, ".html", Page(html))


def _main_file(item: Item, name: str, kind: Kind, extension: str, body: Remote | Page) -> File:
    """A file that has the item's own name; of `.en.srt` the last part tells the media type."""
    media_type = mime_type(f".{extension.rpartition('.')[2]}")
    return File(f"{item.key}/{name}", kind, Placement.MAIN, "", extension, media_type, body, url=item.url)


def _asset_files(item: Item, ids: Iterable[str], assets: Mapping[str, Asset], placement: Placement) -> dict[str, File]:
    """The files of those assets that the platform has, by asset id."""
    return {one: asset_file(item, assets[one], placement) for one in ids if one in assets}


def _link(course: Course, item: Item, part: CourseAsset, placement: Placement) -> File:
    name = f"link/{hashlib.sha256(part.url.encode()).hexdigest()[:16]}"  # parts of a reading share one id
    return external_link(course, item, name, title=part.name, url=part.url, placement=placement)
