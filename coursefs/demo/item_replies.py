"""Replies about single items: videos and subtitles, attachments, readings, and the signed URLs of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import quote

from coursefs.demo.description import Course, FileAsset, Item, LinkAsset, Video
from coursefs.demo.media import DESCRIBED, asset_path, course_assets, made_id, subtitle_id, video_path, voice_path
from coursefs.demo.naptime import (
    Answer,
    Element,
    Query,
    Refusal,
    item_locked,
    not_found,
    routing_error,
    split_compound,
    unordered,
)
from coursefs.demo.signing import Signer

_VIDEO_KEYS = {"mp4": "mp4VideoUrl", "webm": "webMVideoUrl"}
#: every video can be streamed, and some can only be streamed
_PLAYLISTS = {"hls": "assetMasterHlsPlaylists.v1", "mpeg-dash": "assetMpegDashPlaylists.v1"}


class ItemReplies:
    """Replies about items; `cdn` is the base URL of the media host."""

    def __init__(self, courses: Sequence[Course], signer: Signer, cdn: str) -> None:
        self._signer = signer
        self._cdn = cdn
        self._items = {(course.id, item.id): item for course in courses for _, _, item in course.items()}
        self._videos = {item.video.id: item.video for item in self._items.values() if item.video is not None}
        self._assets = {
            asset.id: asset
            for course in courses
            for asset in course_assets(course)
            if not any(asset in item.tree_files for _, _, item in course.items())
        }
        attachments = [asset for item in self._items.values() for asset in (*item.attachments, *item.assets)]
        wrappers = [wrapper_of(one) for one in attachments]
        wrappers += (_text_of(item) | {"id": text_id(item)} for item in self._items.values() if item.cml is not None)
        self._wrappers = {str(wrapper["id"]): wrapper for wrapper in wrappers}

    def lecture_video(self, key: str, query: Query) -> Answer:
        """`onDemandLectureVideos.v1/{courseId}~{itemId}`."""
        course_id, item = self.open_item(key, "lecture")
        if item.video is None:
            raise not_found()
        element = _of_item(course_id, item) | {"disableSkippingForward": False, "videoId": item.video.id}
        return Answer(
            [element], {"onDemandVideos.v1": [self._video(item.video)]} if "video" in query.includes else None
        )

    def lecture_assets(self, key: str, query: Query) -> Answer:
        """`onDemandLectureAssets.v1/{courseId}~{itemId}/`."""
        course_id, item = self.open_item(key, "lecture")
        wrappers = [wrapper_of(attachment) for attachment in item.attachments]
        return Answer(
            [_of_item(course_id, item)],
            {"openCourseAssets.v1": wrappers} if "openCourseAssets" in query.includes else None,
        )

    def supplement(self, key: str, query: Query) -> Answer:
        """`onDemandSupplements.v1/{courseId}~{itemId}`."""
        course_id, item = self.open_item(key, "supplement", "supplementary")
        if item.cml is None and not item.attachments:
            raise not_found()
        element = _of_item(course_id, item)
        # a reading that is a file or a URL has the item's id too
        parts = [element | dict(wrapper_of(one)) | {"id": element["id"]} for one in item.attachments]
        if item.cml is not None:
            parts.insert(0, element | _text_of(item))
        return Answer([element], {"openCourseAssets.v1": parts} if "asset" in query.includes else None)

    def lecture_videos(self, ids: frozenset[str], query: Query) -> Answer:
        """`onDemandLectureVideos.v1?ids=`; an element names its video if it is asked to."""
        return self._together(self.lecture_video, ids, query)

    def lectures_assets(self, ids: frozenset[str], query: Query) -> Answer:
        """`onDemandLectureAssets.v1?ids=`; nothing tells which attachment belongs to which lecture."""
        return self._together(self.lecture_assets, ids, query)

    def supplements(self, ids: frozenset[str], query: Query) -> Answer:
        """`onDemandSupplements.v1?ids=`."""
        return self._together(self.supplement, ids, query)

    def _together(self, one: Callable[[str, Query], Answer], ids: frozenset[str], query: Query) -> Answer:
        """Several answers as one: in no order, the linked objects of all together, and without what is refused."""
        elements: list[Element] = []
        linked: dict[str, list[Element]] = {}
        for key in sorted(ids):
            try:
                answer = one(key, query)
            except Refusal:
                continue
            elements += answer.elements
            for resource, rows in (answer.linked or {}).items():
                linked.setdefault(resource, []).extend(rows)
        return Answer(unordered(elements), {name: unordered(rows) for name, rows in linked.items()})

    def wrapper(self, key: str, _query: Query) -> Answer:
        """`openCourseAssets.v1/{id}`; a version (`@1`) belongs to a reference and is not part of the id."""
        if "@" in key:
            raise routing_error("'get-all'")
        if key not in self._wrappers:
            raise not_found()
        return Answer([self._wrappers[key]], paging=None)

    def asset(self, key: str, _query: Query) -> Answer:
        """`assets.v1/{id}`."""
        if key not in self._assets:
            raise not_found()
        return Answer([self._asset(self._assets[key])], paging=None)

    def assets(self, ids: frozenset[str], _query: Query) -> Answer:
        """`assets.v1?ids=`; in no order, and unknown ids are left out."""
        return Answer(unordered([self._asset(asset) for asset in self._known(ids)]), paging=None)

    def asset_urls(self, ids: frozenset[str], _query: Query) -> Answer:
        """`assetUrls.v1?ids=`."""
        return Answer(unordered([{"id": asset.id, **self._asset_url(asset)} for asset in self._known(ids)]))

    def open_item(self, key: str, *type_names: str) -> tuple[str, Item]:
        """The item of a compound id. Raises `Refusal` if there is no such item of these types, or it is locked."""
        parts = split_compound(key)
        if len(parts) != 2:
            raise not_found()
        course_id, item_id = parts
        item = self._items.get((course_id, item_id))
        if item is None or item.type not in type_names or item.censored:
            raise not_found()
        if item.locked is not None:
            raise item_locked()
        return course_id, item

    def old_video(self, video_id: str) -> Element:
        """`opencourse.v1/video/{videoId}`, as it was until 2022.  Raises `Refusal`."""
        if video_id not in self._videos:
            raise not_found()
        present = dict(self._video(replace(self._videos[video_id], shape="object")))
        by_resolution: Mapping[str, Mapping[str, str]] = present.pop("sources")["byResolution"]  # type: ignore[index]
        formats = {"mp4VideoUrl": "video/mp4", "webMVideoUrl": "video/webm"}
        sources = [
            {"resolution": resolution, "formatSources": {formats[key]: url for key, url in urls.items()}}
            for resolution, urls in by_resolution.items()
        ]
        return present | {"sources": sources, "posters": [], "playlists": {}}

    def _known(self, ids: frozenset[str]) -> Iterable[FileAsset]:
        return [asset for key, asset in self._assets.items() if key in ids]

    def _video(self, video: Video) -> Element:
        expires = self._signer.media_expiry()
        by_resolution = {
            resolution: {
                _VIDEO_KEYS[file_format]: self._media_url(video_path(video, resolution, file_format), expires)
                for file_format in formats
            }
            for resolution, formats in video.files.items()
        }

        def subtitles(extension: str) -> Mapping[str, str]:
            return {
                language: self._subtitle_url(subtitle_id(video, language), extension)
                for language in _scattered(video.subtitles)
            }

        playlists = {
            key: f"{self._cdn}/{kind}/{video.id}?{self._signer.playlist_query(kind, video.id)}"
            for key, kind in _PLAYLISTS.items()
        }
        scattered = {resolution: by_resolution[resolution] for resolution in _scattered(by_resolution)}
        voices = {
            language: {"byResolution": {"720p": {"mp4VideoUrl": self._media_url(voice_path(video, language), expires)}}}
            for language in _scattered(video.voices)
        }
        described = None
        if video.described is not None:
            described = [{"resolution": "720p", "mp4VideoUrl": self._media_url(voice_path(video, DESCRIBED), expires)}]
        return {
            "id": video.id,
            "sources": _shaped(video.shape, scattered, playlists),
            "hlsUrl": playlists["hls"],
            "dubbedSources": voices,
            "dubbedSubtitlesVtt": {
                language: url for language, url in subtitles("vtt").items() if language in video.voices
            },
            "audioDescriptionVideoSources": described,
            "subtitles": subtitles("srt"),
            "subtitlesVtt": subtitles("vtt"),
            "subtitlesTxt": subtitles("txt"),
        }

    def _subtitle_url(self, asset: str, extension: str) -> str:
        return f"/api/subtitleAssetProxy.v1/{asset}?{self._signer.subtitle_query(asset, extension)}"

    def _media_url(self, path: str, expires: int) -> str:
        return f"{self._cdn}{quote(path)}?{self._signer.media_query(path, expires)}"

    def _asset(self, asset: FileAsset) -> Element:
        return {
            "id": asset.id,
            "name": asset.name,
            "typeName": asset.type,
            "url": self._asset_url(asset),
            "fileExtension": PurePosixPath(asset.name).suffix.removeprefix("."),
            "tags": [],
        }

    def tree_files(self, item: Item) -> Sequence[Element]:
        """The files of an item that its description in the tree holds with their addresses."""
        return [{"name": asset.name, "url": self._asset_url(asset)["url"]} for asset in item.tree_files]

    def _asset_url(self, asset: FileAsset) -> Mapping[str, object]:
        expires = self._signer.asset_expiry()
        return {"url": self._media_url(asset_path(asset), expires), "expires": expires * 1000}


def _of_item(course_id: str, item: Item) -> dict[str, object]:
    return {"id": f"{course_id}~{item.id}", "itemId": item.id, "courseId": course_id}


def text_id(item: Item) -> str:
    """The id of the wrapper of a reading's text, which the old tree contained."""
    return made_id("text", item.id)


def _text_of(item: Item) -> dict[str, object]:
    return {"typeName": "cml", "definition": {"dtdId": "supplement/1", "value": item.cml or ""}}


def wrapper_of(asset: FileAsset | LinkAsset) -> Element:
    """An attachment as a lecture refers to it: the title may be missing, and the id is not that of the file."""
    if isinstance(asset, LinkAsset):
        kind, key, definition = "url", made_id("link", asset.url), {"url": asset.url}
    else:
        kind, key, definition = "asset", made_id("wrapper", asset.id), {"assetId": asset.id}
    if asset.title is not None:
        definition["name"] = asset.title
    return {"typeName": kind, "id": key, "definition": definition}


def _shaped(shape: str, sources: Mapping[str, Mapping[str, str]], playlists: Mapping[str, str]) -> object:
    """`sources` in one of the shapes in which it was met."""
    match shape:
        case "list":
            return [{"resolution": resolution, **urls} for resolution, urls in sources.items()]
        case "lists":
            types = {"mp4VideoUrl": "video/mp4", "webMVideoUrl": "video/webm"}
            return {
                resolution.removesuffix("p"): [{"src": url, "type": types[key]} for key, url in urls.items()]
                for resolution, urls in sources.items()
            }
        case "addresses":
            return {resolution: url for resolution, urls in sources.items() for url in urls.values()}
        case "text":
            return next((url for urls in sources.values() for url in urls.values()), playlists["hls"])
        case _:
            return {"byResolution": sources, "playlists": playlists, "audio": []}


def _scattered(names: Iterable[str]) -> list[str]:
    """A mapping with its keys in no meaningful order, as the platform sends resolutions and languages."""
    return sorted(names, key=lambda name: made_id("order", name))
