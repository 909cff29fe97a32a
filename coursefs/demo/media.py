"""Paths of the courses' files on the media host, and the subtitles of the API host's proxy. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from coursefs.demo.description import Course, FileAsset, Video

#: stands for the voice of the audio description
DESCRIBED = "described"


def made_id(*parts: str) -> str:
    """A deterministic id in the platform's form (22 characters of base64url)."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def video_path(video: Video, resolution: str, file_format: str) -> str:
    """The path of a video file; it does not depend on the query."""
    return f"/{made_id('video', video.id)}.processed/full/{resolution}/index.{file_format}"


def voice_path(video: Video, voice: str) -> str:
    """The path of a dubbed video, by its language, or of the one with audio description."""
    return f"/{made_id('voice', video.id, voice)}.processed/full/720p/index.mp4"


def asset_path(asset: FileAsset) -> str:
    """The path of an attachment or image."""
    digest = hashlib.md5(asset.id.encode(), usedforsecurity=False).hexdigest()
    return f"/_{digest}_{asset.name}"


def subtitle_id(video: Video, language: str) -> str:
    """The asset id that all formats of a language share."""
    return made_id("subtitle", video.id, language)


def media_files(courses: Iterable[Course]) -> Mapping[str, Path]:
    """All files of the media host, by decoded path."""
    files: dict[str, Path] = {}
    for course in courses:
        files |= {asset_path(asset): asset.file for asset in course_assets(course)}
        for _, _, item in course.items():
            if item.video is not None:
                for resolution, formats in item.video.files.items():
                    for file_format, file in formats.items():
                        files[video_path(item.video, resolution, file_format)] = file
                for language, file in item.video.voices.items():
                    files[voice_path(item.video, language)] = file
                if item.video.described is not None:
                    files[voice_path(item.video, DESCRIBED)] = item.video.described
    return files


def course_assets(course: Course) -> list[FileAsset]:
    """All files of a course with an asset id: attachments, and files that texts refer to."""
    found = [asset for _, _, item in course.items() for asset in (*item.attachments, *item.assets, *item.tree_files)]
    found += (asset for reference in course.references for asset in reference.assets)
    return [asset for asset in found if isinstance(asset, FileAsset)]


def subtitle_files(courses: Iterable[Course]) -> Mapping[tuple[str, str], Path]:
    """All subtitles, by asset id and format."""
    return {
        (subtitle_id(item.video, language), file_format): file
        for course in courses
        for _, _, item in course.items()
        if item.video is not None
        for language, formats in item.video.subtitles.items()
        for file_format, file in formats.items()
    }
