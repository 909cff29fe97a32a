"""Asking for what items hold: few requests for many items, and what is broken costs its own item alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

import trio

from coursefs.errors import CoursefsError, Gone
from coursefs.model import Course, File, Item
from coursefs.providers.coursera import item_files, item_types, text_files
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.links import item_link
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo
from coursefs.providers.coursera.resources import Reference
from coursefs.providers.gathering import Gathering, concerns_one_item, gathering, is_final
from coursefs.providers.signed import SignedReplies

log = logging.getLogger(__name__)

V = TypeVar("V")

#: requests of listings under way at once; few, so that a player's request for a fresh URL never queues behind many
_LISTING_REQUESTS = 5

_Parts = tuple[CourseAsset, ...]
_References = tuple[Reference, ...]


class VideoIds(NamedTuple):
    """What names the video of a lecture; the last is known from the old materials alone, else ""."""

    course_id: str
    item_id: str
    video_id: str = ""


@dataclass(slots=True)
class _Answers:
    """What came of the requests for some items, by item key."""

    videos: dict[str, LectureVideo | CoursefsError] = field(default_factory=dict)
    parts: dict[str, _Parts | CoursefsError] = field(default_factory=dict)
    told: dict[str, Instructions | CoursefsError] = field(default_factory=dict)
    references: dict[str, _References | CoursefsError] = field(default_factory=dict)

    def asset_ids(self) -> list[str]:
        """All files that these answers refer to."""
        ids: list[str] = []
        for parts in _good(self.parts):
            ids += item_files.asset_ids(parts)
        for told in _good(self.told):
            ids += text_files.instruction_asset_ids(told)
        for references in _good(self.references):
            ids += (one for reference in references for one in item_files.asset_ids(reference.parts))
        return ids


class ItemLister:
    """The files of items.  `clock` gives seconds since 1970."""

    def __init__(self, client: CourseraClient, choice: Choice, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._choice = choice
        self._limiter = trio.CapacityLimiter(_LISTING_REQUESTS)
        #: the lectures and the files that were asked for, as long as their URLs hold
        self.videos: SignedReplies[VideoIds, LectureVideo] = SignedReplies(
            lambda ids: client.lecture_video(*ids), lambda video: video.expires, clock=clock
        )
        self.assets: SignedReplies[str, Asset] = SignedReplies(
            self._ask_asset, lambda asset: asset.expires, size=4096, clock=clock
        )

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: two requests for a lecture, one for any other text, one for fifty of their assets.

        Items that are locked, or of a kind that lives on its web page, are not asked for at all.
        """
        answers = _Answers()
        async with gathering(self._limiter) as requests:
            for item in items:
                if item.locked is None:
                    self._ask(requests, answers, course, item)
        assets = await self._ask_assets(answers.asset_ids())
        return {item.key: self._item_files(course, item, answers, assets) for item in items}

    def _ask(self, requests: Gathering, answers: _Answers, course: Course, item: Item) -> None:
        """Make the requests for one item."""
        client, key, kind = self._client, item.key, item.type_name
        if kind == item_types.REFERENCES:
            requests.ask(answers.references, key, partial(client.references, course.key))
            return
        ids = (course.key, item.details.get("item_id", ""))
        told = item.details.get("wrapper_ids")
        wrapper_ids = None if told is None else tuple(filter(None, told.split(",")))
        if kind == item_types.LECTURE:
            video_ids = VideoIds(*ids, item.details.get("video_id", ""))
            requests.ask(answers.videos, key, partial(self.videos.get, video_ids, fresh=True))
            requests.ask(answers.parts, key, partial(client.lecture_assets, *ids, wrapper_ids))
        elif kind == item_types.READING:
            requests.ask(answers.parts, key, partial(client.supplement, *ids, wrapper_ids))
        elif kind in item_types.PROGRAMMING:
            requests.ask(answers.told, key, partial(client.programming, *ids))
        elif kind == item_types.PROGRAMMING_EXERCISE:
            requests.ask(answers.told, key, partial(client.programming_exercise, *ids))
        elif kind == item_types.PEER_ASSIGNMENT:
            requests.ask(answers.told, key, partial(client.peer_assignment, *ids))
        elif kind == item_types.DISCUSSION:
            requests.ask(answers.told, key, partial(client.discussion, *ids))

    def _item_files(
        self, course: Course, item: Item, answers: _Answers, assets: Mapping[str, Asset] | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        """The files of one item out of the answers to its requests."""
        key = item.key
        if key in answers.videos:
            return self._lecture(course, item, answers.videos[key], answers.parts[key], assets)
        if key in answers.parts:
            return _reading(course, item, answers.parts[key], assets)
        if key in answers.told:
            return _instructions(course, item, answers.told[key], assets)
        if key in answers.references:
            return _references(course, item, answers.references[key], assets)
        return [item_link(course, item)] if item.type_name != item_types.REFERENCES else []

    def _lecture(
        self,
        course: Course,
        item: Item,
        video: LectureVideo | CoursefsError,
        parts: _Parts | CoursefsError,
        assets: Mapping[str, Asset] | CoursefsError,
    ) -> Sequence[File] | CoursefsError:
        """A lecture can be watched though its attachments are refused; what may be better soon is waited for."""
        if isinstance(video, CoursefsError):
            return video
        refused: CoursefsError | None = None
        if isinstance(parts, CoursefsError):
            refused, parts = parts, ()
        if isinstance(assets, CoursefsError):
            refused, assets = (assets if item_files.asset_ids(parts) else refused), {}
        if refused is not None and not is_final(refused):
            return refused
        files = item_files.lecture_files(course, item, video=video, parts=parts, assets=assets, choice=self._choice)
        if refused is not None:
            log.info("%s: attachments are not shown: %s", item.key, refused)
            files.append(item_files.refused_attachments(course, item, refused))
        return files

    async def _ask_assets(self, ids: Sequence[str]) -> Mapping[str, Asset] | CoursefsError:
        """These files, asked for together; the error, if that failed for them alone."""
        try:
            found = await self._client.assets(ids)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return error
        for asset in found.values():
            self.assets.keep(asset.id, asset)
        return found

    async def _ask_asset(self, asset_id: str) -> Asset:
        asset = (await self._client.assets([asset_id])).get(asset_id)
        if asset is None:
            raise Gone("the platform no longer has this file")
        return asset


def _reading(
    course: Course, item: Item, parts: _Parts | CoursefsError, assets: Mapping[str, Asset] | CoursefsError
) -> Sequence[File] | CoursefsError:
    if isinstance(parts, CoursefsError):
        return parts
    if not isinstance(assets, CoursefsError):
        return text_files.reading_files(course, item, parts, assets)
    if not item_files.asset_ids(parts):
        return text_files.reading_files(course, item, parts, {})
    if not is_final(assets):
        return assets
    refused = item_files.refused_attachments(course, item, assets)
    return [*text_files.reading_files(course, item, parts, {}), refused]


def _instructions(
    course: Course, item: Item, told: Instructions | CoursefsError, assets: Mapping[str, Asset] | CoursefsError
) -> Sequence[File] | CoursefsError:
    """What refuses to tell the instructions for good is told in their place: the step itself is on the web anyway."""
    if isinstance(told, CoursefsError):
        return [text_files.refused_instructions(course, item, told)] if is_final(told) else told
    if not isinstance(assets, CoursefsError):
        return text_files.instruction_files(course, item, told, assets)
    if text_files.instruction_asset_ids(told) and not is_final(assets):
        return assets
    return text_files.instruction_files(course, item, told, {})


def _references(
    course: Course,
    item: Item,
    references: _References | CoursefsError,
    assets: Mapping[str, Asset] | CoursefsError,
) -> Sequence[File] | CoursefsError:
    """A course without a Resources tab has no file of it, and neither has one whose tab the platform keeps back."""
    if isinstance(references, CoursefsError):
        return [] if is_final(references) else references
    if not isinstance(assets, CoursefsError):
        return text_files.reference_files(course, item, references, assets)
    if any(item_files.asset_ids(one.parts) for one in references) and not is_final(assets):
        return assets
    return text_files.reference_files(course, item, references, {})


def _good(answers: Mapping[str, V | CoursefsError]) -> Iterable[V]:
    return (one for one in answers.values() if not isinstance(one, CoursefsError))
