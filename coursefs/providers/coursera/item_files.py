"""The files of lectures, and helpers for the files of every kind of item (pure).

Each file of a lecture or reading gets its name, kind and key here.  Content without a file gets a link page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Kind, Page, Placement, Remote
from coursefs.providers.coursera import cml, item_types
from coursefs.providers.coursera.choice import Choice, LectureText, rendition, texts
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo
from coursefs.providers.coursera.sources import Rendition
from coursefs.providers.kit.fields import as_identifier
from coursefs.providers.kit.files import file_name, matching, mime_type, page_file, web_host

_MERGED = re.compile(r"_merged(_\d+)?$", re.IGNORECASE)


def is_duplicate(asset: Asset) -> bool:
    """Whether an attachment is a copy of the lecture itself, made by the platform.

    Many lectures have a second complete video with an audio description (`…extended-description-mixed.mp4`) and a
    transcript in a word processor's format (`…_merged.doc`).  Users take the first for a duplicate of the lecture.
    """
    title, extension = file_name(asset.name, asset.extension)
    if is_described(asset):
        return True
    return extension in (".doc", ".docx") and _MERGED.search(title) is not None


def is_described(asset: Asset) -> bool:
    """Whether an attachment is the lecture with a spoken description of what is seen."""
    return "extended-description" in asset.name.lower()


def asset_file(item: Item, asset: Asset, placement: Placement) -> File:
    """The file of an asset.  The content of an asset id does not change."""
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
    """The key of the file of an asset."""
    return f"{item.key}/asset/{asset_id}"


#: by the format of a text: its word in locators and keys, and its kind
_TEXTS = {
    "srt": ("subtitle", Kind.SUBTITLE),
    "vtt": ("caption", Kind.SUBTITLE),
    "txt": ("transcript", Kind.TRANSCRIPT),
}


def asset_ids(parts: Iterable[CourseAsset]) -> tuple[str, ...]:
    """The ids of the assets in attachments, or in the parts of a reading and their images."""
    found: list[str] = []
    for part in parts:
        if part.asset_id:
            found.append(part.asset_id)
        found += cml_asset_ids(part.cml)
    return tuple(dict.fromkeys(found))


def cml_asset_ids(value: str) -> list[str]:
    """The valid ids of the assets in a CML text."""
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
    """The files of a lecture: video, subtitles and transcripts as chosen, and the attachments.

    `assets` are those assets of `parts` that the platform has, by id.
    """
    ids = {"course_id": course.key, "item_id": item.details["item_id"]}
    if "video_id" in item.details:
        ids["video_id"] = item.details["video_id"]
    files = [_video_file(course, item, video, choice, ids)]
    files += [_text_file(item, text, ids) for text in texts(video, choice)]
    files += _other_voices(item, video, choice, ids)
    attached = {one: asset for one, asset in assets.items() if _is_wanted(asset, choice)}
    files += asset_files(item, asset_ids(parts), attached, Placement.ATTACHED).values()
    files += [link_file(course, item, part, Placement.ATTACHED) for part in parts if part.type_name == "url"]
    if "in_video_quiz" in item.details:
        reason = "This lecture stops for questions while it is watched on its web page; the video here does not."
        files.append(page_file(course, item, "quiz", marker="in-video quiz", what="in-video quiz", reason=reason))
    return files


def refused_attachments(course: Course, item: Item, error: CoursefsError) -> File:
    """The page in place of attachments that the platform refuses; without it a user would think there are none."""
    reason = f"The files of this step are not available now. {error}."
    return page_file(course, item, "attachments", marker="attachments", what="attachments", reason=reason)


def main_file(item: Item, name: str, kind: Kind, extension: str, body: Remote | Page) -> File:
    """A file with the item's own name; in `.en.srt` the last part determines the media type."""
    media_type = mime_type(f".{extension.rpartition('.')[2]}")
    return File(f"{item.key}/{name}", kind, Placement.MAIN, "", extension, media_type, body, url=item.url)


def asset_files(item: Item, ids: Iterable[str], assets: Mapping[str, Asset], placement: Placement) -> dict[str, File]:
    """The files of the assets that the platform has, by asset id."""
    return {one: asset_file(item, assets[one], placement) for one in ids if one in assets}


def link_file(course: Course, item: Item, part: CourseAsset, placement: Placement) -> File:
    """The link page of a part that is an external address."""
    name = f"link/{hashlib.sha256(part.url.encode()).hexdigest()[:16]}"  # parts of a reading share one id
    return external_link(course, item, name, title=part.name, url=part.url, placement=placement)


def _is_wanted(asset: Asset, choice: Choice) -> bool:
    if choice.wanted.audio_description and is_described(asset):
        return True
    return choice.duplicates or not is_duplicate(asset)


def _other_voices(item: Item, video: LectureVideo, choice: Choice, ids: Mapping[str, str]) -> Iterator[File]:
    """The dubbed videos of a lecture with their subtitles, and the one with audio description, as far as wished."""
    for language in matching(video.voices, choice.wanted.voices):
        yield from _voice_file(item, video.voices[language], choice, ids, what="voice", word=language)
    for language in matching(video.voice_captions, choice.wanted.voices):
        if language in video.voices:
            locator = {"what": "voice_caption", "language": language, **ids}
            remote = Remote(f"voice_caption/{ids['course_id']}~{ids['item_id']}/{language}.vtt", locator)
            # beside `….es.mp4`, players look for `….es.es.vtt`
            name = f"voice_caption/{language}.vtt"
            yield main_file(item, name, Kind.SUBTITLE, f".{language}.{language}.vtt", remote)
    if choice.wanted.audio_description:
        yield from _voice_file(item, video.described, choice, ids, what="described", word="audio-description")


def _voice_file(
    item: Item, renditions: Mapping[str, Rendition], choice: Choice, ids: Mapping[str, str], *, what: str, word: str
) -> Iterator[File]:
    chosen = rendition(renditions, choice.wanted.video)
    if chosen is not None:
        resolution, container = chosen
        locator = {"what": what, "language": word, "resolution": resolution, "container": container, **ids}
        identity = f"{what}/{ids['course_id']}~{ids['item_id']}/{word}.{resolution}.{container}"
        yield main_file(item, f"{what}/{word}", Kind.VIDEO, f".{word}.{container}", Remote(identity, locator))


def tree_files(course: Course, item: Item, shown: Iterable[Asset]) -> list[File]:
    """The files of an item whose addresses are in the course's tree: without those that are shown as assets."""
    named = {file_name(asset.name.casefold(), asset.extension.casefold()) for asset in shown}
    found: list[File] = []
    for line in filter(None, item.details.get("tree_files", "").split("\n")):
        key, _, name = line.partition(" ")
        title, extension = file_name(name, "")
        if file_name(name.casefold(), "") in named:
            continue
        media_type = mime_type(extension)
        locator = {"what": "tree", "item_id": item.details.get("item_id", ""), "file": key}
        found.append(
            File(
                key=f"{item.key}/tree/{key}",
                kind=Kind.IMAGE if media_type.startswith("image/") else Kind.ATTACHMENT,
                placement=Placement.ATTACHED,
                title=title,
                extension=extension,
                mime_type=media_type,
                body=Remote(f"tree/{course.key}~{locator['item_id']}/{key}", locator),
                url=item.url,
            )
        )
    return found


def _video_file(course: Course, item: Item, video: LectureVideo, choice: Choice, ids: Mapping[str, str]) -> File:
    chosen = rendition(video.renditions, choice.wanted.video)
    if chosen is None:
        reason = (
            "The platform offers this lecture as a stream only, not as a file; it can be watched on its web page."
            if video.is_streamed
            else "The platform offers no video file of this lecture; it may be watched on its web page."
        )
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


def item_link(course: Course, item: Item) -> File:
    """The link page of an item without files: locked, of an unknown kind, or of one that exists only on the web."""
    word = item_types.word(item.type_name)
    if item.locked is not None:
        return page_file(course, item, "link", marker="locked", what=word, reason=f"Locked: {item.locked}.")
    if not item.type_name:
        reason = "The platform does not say what this is; it may not be open to you yet."
    else:
        reason = "This step has no file: it is on its web page only."
    return page_file(course, item, "link", marker=word, what=word, reason=reason)


def external_link(course: Course, item: Item, name: str, *, title: str, url: str, placement: Placement) -> File:
    """The link page of an external address, to which coursefs sends no request and no cookie.

    `name` is the last part of the file's key, `title` the title of the link.  If `url` is no web address, the page
    links to the item's web page.
    """
    host = web_host(url)
    own = title if title.casefold() != item.title.casefold() else "link"  # a name repeats no title
    return page_file(
        course,
        item,
        name,
        marker=own or host or "link",
        what="link",
        reason=f"This is on another site: {host}." if host else "The address of this link cannot be opened.",
        url=url if host else item.url,
        title=title or item.title,
        placement=placement,
    )
