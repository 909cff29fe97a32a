"""Where the files of the courses lie on the media host, and which subtitles the proxy of the API host has.  Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from coursefs.demo.description import Course, FileAsset, Video


def made_id(*parts: str) -> str:
    """An id of the platform's form (22 characters of base64url) that always comes out the same."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def video_path(video: Video, resolution: str, file_format: str) -> str:
    """The path of one file of a video; it stays, whatever the query."""
    return f"/{made_id('video', video.id)}.processed/full/{resolution}/index.{file_format}"


def asset_path(asset: FileAsset) -> str:
    """The path of an attachment or image."""
    digest = hashlib.md5(asset.id.encode(), usedforsecurity=False).hexdigest()
    return f"/_{digest}_{asset.name}"


def subtitle_id(video: Video, language: str) -> str:
    """The asset id that all formats of one language share."""
    return made_id("subtitle", video.id, language)


def media_files(courses: Iterable[Course]) -> Mapping[str, Path]:
    """Every file on the media host, by its decoded path."""
    files: dict[str, Path] = {}
    for course in courses:
        files |= {asset_path(asset): asset.file for asset in course_assets(course)}
        for _, _, item in course.items():
            if item.video is not None:
                for resolution, formats in item.video.files.items():
                    for file_format, file in formats.items():
                        files[video_path(item.video, resolution, file_format)] = file
    return files


def course_assets(course: Course) -> list[FileAsset]:
    """Every file of a course that has an asset id: attachments, and what texts refer to."""
    found = [asset for _, _, item in course.items() for asset in (*item.attachments, *item.assets)]
    found += (asset for reference in course.references for asset in reference.assets)
    return [asset for asset in found if isinstance(asset, FileAsset)]


def subtitle_files(courses: Iterable[Course]) -> Mapping[tuple[str, str], Path]:
    """Every subtitle, by asset id and format."""
    return {
        (subtitle_id(item.video, language), file_format): file
        for course in courses
        for _, _, item in course.items()
        if item.video is not None
        for language, formats in item.video.subtitles.items()
        for file_format, file in formats.items()
    }
