"""The files of items, with batched requests; an error costs its own item alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import trio

from coursefs.errors import CoursefsError, Gone
from coursefs.model import Course, File, Item
from coursefs.providers.coursera import item_files, item_types, quiz_pages, text_files
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.instructions import Instructions
from coursefs.providers.coursera.item_files import item_link
from coursefs.providers.coursera.item_pages import ItemPages
from coursefs.providers.coursera.quizzes import Quiz
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Reference, url_expiry
from coursefs.providers.kit.gathering import Gathering, concerns_one_item, gathering, is_final
from coursefs.providers.kit.signed_urls import SignedReplies

log = logging.getLogger(__name__)

#: concurrent requests of listings; few, so that a player's request for a fresh URL does not wait behind many
_LISTING_REQUESTS = 5

_Parts = tuple[CourseAsset, ...]
_References = tuple[Reference, ...]


class VideoIds(NamedTuple):
    """The ids of a lecture's video; the last is known from the old materials only, else ""."""

    course_id: str
    item_id: str
    video_id: str = ""


@dataclass(frozen=True, slots=True)
class TreeFacts:
    """What only the tree of a course has of its items."""

    urls: Mapping[str, str] = field(repr=False)  # of files, by item id and key of the file
    seconds: Mapping[str, float]  # the length of lectures, by item id


@dataclass(slots=True)
class _Answers:
    """The results of the requests for some items, by item key."""

    videos: dict[str, LectureVideo | CoursefsError] = field(default_factory=dict)
    parts: dict[str, _Parts | CoursefsError] = field(default_factory=dict)
    told: dict[str, Instructions | CoursefsError] = field(default_factory=dict)
    quizzes: dict[str, Quiz | CoursefsError] = field(default_factory=dict)
    references: dict[str, _References | CoursefsError] = field(default_factory=dict)
    #: the ids of the assets in these; an item without assets has no entry
    asset_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)


class ItemLister:
    """The files of items.  `clock` gives seconds since 1970."""

    def __init__(self, client: CourseraClient, choice: Choice, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._choice = choice
        self._limiter = trio.CapacityLimiter(_LISTING_REQUESTS)
        self._pages = ItemPages()
        #: caches of the requested lectures and assets, until their URLs expire
        self.videos: SignedReplies[VideoIds, LectureVideo] = SignedReplies(
            lambda ids: client.lecture_video(*ids), lambda video: video.expires, clock=clock
        )
        self.assets: SignedReplies[str, Asset] = SignedReplies(
            self._ask_asset, lambda asset: asset.expires, size=4096, clock=clock
        )
        #: what is in the trees of courses alone, by slug
        self.trees: SignedReplies[str, TreeFacts] = SignedReplies(
            self._ask_tree,
            lambda tree: min(filter(None, map(url_expiry, tree.urls.values())), default=None),
            clock=clock,
        )

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: two requests a lecture, one for any other text, one for each fifty assets.

        Locked items, and kinds that exist only on the web, need no request.
        """
        answers = _Answers()
        await self._ask_together(course, items, answers)
        async with gathering(self._limiter) as requests:
            for item in items:
                if item.locked is None:
                    self._ask(requests, answers, course, item)
        for key, quiz in answers.quizzes.items():
            if not isinstance(quiz, CoursefsError) and quiz.state == "taken":
                answers.told[key] = quiz_pages.passages(quiz)
        for item in items:
            if ids := await self._asset_ids(item, answers):
                answers.asset_ids[item.key] = ids
        assets = await self._ask_assets([one for ids in answers.asset_ids.values() for one in ids])
        return {item.key: await self._shown(course, item, answers, assets) for item in items}

    async def _ask_together(self, course: Course, items: Sequence[Item], answers: _Answers) -> None:
        """Ask for several lectures and readings at once, where the platform takes it; what is clear is kept."""
        client = self._client
        lectures = _keys(items, {item_types.LECTURE})
        videos = await client.some_lecture_videos(course.key, list(lectures))
        for item_id, video in videos.items():
            answers.videos[lectures[item_id]] = video
            self.videos.keep(VideoIds(course.key, item_id), video)
        if len(videos) == len(lectures):
            attached = await client.some_lecture_assets(course.key, list(lectures))
            answers.parts.update({lectures[one]: parts for one, parts in attached.items()})
        readings = _keys(items, item_types.READINGS)
        texts = await client.some_supplements(course.key, list(readings))
        answers.parts.update({readings[one]: parts for one, parts in texts.items()})

    async def _asset_ids(self, item: Item, answers: _Answers) -> tuple[str, ...]:
        """The ids of the assets in the replies about an item."""
        parts, told = answers.parts.get(item.key, ()), answers.told.get(item.key, ())
        references = answers.references.get(item.key, ())
        found: list[str] = []
        if not isinstance(parts, CoursefsError):
            found += await self._pages.asset_ids(parts)
        if not isinstance(told, CoursefsError):
            found += await self._pages.instruction_asset_ids(told)
        if not isinstance(references, CoursefsError):
            for one in references:
                found += await self._pages.asset_ids(one.parts)
        return tuple(found)

    async def _shown(
        self, course: Course, item: Item, answers: _Answers, assets: Mapping[str, Asset] | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        """The files of one item, or its error; a failure to render its texts is its own error."""
        try:
            return await self._item_files(course, item, answers, assets)
        except CoursefsError as error:
            return error

    def _ask(self, requests: Gathering, answers: _Answers, course: Course, item: Item) -> None:
        """Start the requests for one item."""
        client, key, kind = self._client, item.key, item.type_name
        if kind == item_types.REFERENCES:
            requests.ask(answers.references, key, partial(client.references, course.key))
            return
        ids = (course.key, item.details.get("item_id", ""))
        told = item.details.get("wrapper_ids")
        wrapper_ids = None if told is None else tuple(filter(None, told.split(",")))
        if kind == item_types.LECTURE:
            video_ids = VideoIds(*ids, item.details.get("video_id", ""))
            if key not in answers.videos:
                requests.ask(answers.videos, key, partial(self.videos.get, video_ids, fresh=True))
            if key not in answers.parts:
                requests.ask(answers.parts, key, partial(client.lecture_assets, *ids, wrapper_ids))
        elif kind in item_types.READINGS and key not in answers.parts:
            requests.ask(answers.parts, key, partial(client.supplement, *ids, wrapper_ids))
        elif kind in item_types.PROGRAMMING:
            requests.ask(answers.told, key, partial(client.programming, *ids))
        elif kind == item_types.PROGRAMMING_EXERCISE:
            requests.ask(answers.told, key, partial(client.programming_exercise, *ids))
        elif kind == item_types.PEER_ASSIGNMENT:
            requests.ask(answers.told, key, partial(client.peer_assignment, *ids))
        elif kind in item_types.LABS:
            requests.ask(answers.told, key, partial(client.lab, *ids))
        elif kind in item_types.QUIZZES and self._choice.wanted.quizzes:
            requests.ask(answers.quizzes, key, partial(client.quiz, *ids))
        elif kind == item_types.DISCUSSION:
            requests.ask(answers.told, key, partial(client.discussion, *ids))

    async def _item_files(
        self, course: Course, item: Item, answers: _Answers, assets: Mapping[str, Asset] | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        """The files of one item, from the replies to its requests."""
        key = item.key
        if isinstance(assets, CoursefsError) and key not in answers.asset_ids:
            assets = {}  # the item has none
        if key in answers.videos:
            return await self._lecture(course, item, answers.videos[key], answers.parts[key], assets)
        if key in answers.parts:
            return await self._reading(course, item, answers.parts[key], assets)
        if key in answers.quizzes and key not in answers.told:
            return self._untaken(course, item, answers.quizzes[key])
        if key in answers.told:
            return await self._instructions(course, item, answers.told[key], assets)
        if key in answers.references:
            return await self._references(course, item, answers.references[key], assets)
        return [item_link(course, item)] if item.type_name != item_types.REFERENCES else []

    async def _lecture(
        self,
        course: Course,
        item: Item,
        video: LectureVideo | CoursefsError,
        parts: _Parts | CoursefsError,
        assets: Mapping[str, Asset] | CoursefsError,
    ) -> Sequence[File] | CoursefsError:
        """The files of a lecture, also when its attachments are refused for good; a passing error is its result."""
        if isinstance(video, CoursefsError):
            return video
        refused: CoursefsError | None = None
        if isinstance(parts, CoursefsError):
            refused, parts = parts, ()
        if isinstance(assets, CoursefsError):
            refused, assets = assets, {}
        if refused is not None and not is_final(refused):
            return refused
        files = await self._pages.lecture(course, item, video=video, parts=parts, assets=assets, choice=self._choice)
        if refused is not None:
            log.info("%s: attachments are not shown: %s", item.key, refused)
            files.append(item_files.refused_attachments(course, item, refused))
        return files

    async def _reading(
        self, course: Course, item: Item, parts: _Parts | CoursefsError, assets: Mapping[str, Asset] | CoursefsError
    ) -> Sequence[File] | CoursefsError:
        if isinstance(parts, CoursefsError):
            if not is_final(parts) or "tree_files" not in item.details:
                return parts
            log.info("%s: its files are in the tree alone: %s", item.key, parts)
            parts = ()
        if not isinstance(assets, CoursefsError):
            return await self._pages.reading(course, item, parts, assets)
        if not is_final(assets):
            return assets
        refused = item_files.refused_attachments(course, item, assets)
        return [*await self._pages.reading(course, item, parts, {}), refused]

    def _untaken(self, course: Course, item: Item, quiz: Quiz | CoursefsError) -> Sequence[File]:
        """The link page of a quiz without a page: not taken, in progress, or refused."""
        if isinstance(quiz, CoursefsError):
            log.info("%s: its answers are not shown: %s", item.key, quiz)
            return [quiz_pages.refused(course, item, quiz)]
        return [quiz_pages.link(course, item, quiz)]

    async def _instructions(
        self,
        course: Course,
        item: Item,
        told: Instructions | CoursefsError,
        assets: Mapping[str, Asset] | CoursefsError,
    ) -> Sequence[File] | CoursefsError:
        """The files of instructions; a link page with the reason when they are refused for good."""
        if isinstance(told, CoursefsError):
            # of labs no reply was recorded: whatever is wrong with one, its web page is there
            lasts = is_final(told) or (item.type_name in item_types.LABS and concerns_one_item(told))
            return [text_files.refused_instructions(course, item, told)] if lasts else told
        if isinstance(assets, CoursefsError):
            if not is_final(assets):
                return assets
            assets = {}
        return await self._pages.instructions(course, item, told, assets)

    async def _references(
        self,
        course: Course,
        item: Item,
        references: _References | CoursefsError,
        assets: Mapping[str, Asset] | CoursefsError,
    ) -> Sequence[File] | CoursefsError:
        """The files of the Resources tab; none when the course has no such tab or the platform refuses it."""
        if isinstance(references, CoursefsError):
            return [] if is_final(references) else references
        if isinstance(assets, CoursefsError):
            if not is_final(assets):
                return assets
            assets = {}
        return await self._pages.references(course, item, references, assets)

    async def _ask_assets(self, ids: Sequence[str]) -> Mapping[str, Asset] | CoursefsError:
        """These assets with one batch of requests, or an error of theirs alone."""
        try:
            found = await self._client.assets(ids)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return error
        for asset in found.values():
            self.assets.keep(asset.id, asset)
        return found

    async def _ask_tree(self, slug: str) -> TreeFacts:
        tree = await self._client.materials(slug)
        assert tree is not None  # without a tag there is no 304
        items = tree.items.values()
        return TreeFacts(
            {f"{item.id}/{file.key}": file.url for item in items for file in item.files},
            {item.id: item.seconds for item in items if item.seconds is not None},
        )

    async def _ask_asset(self, asset_id: str) -> Asset:
        asset = (await self._client.assets([asset_id])).get(asset_id)
        if asset is None:
            raise Gone("the platform no longer has this file")
        return asset


def _keys(items: Sequence[Item], kinds: Collection[str]) -> dict[str, str]:
    """The keys of those open items of these kinds that the present routes have, by item id."""
    return {
        item.details["item_id"]: item.key
        for item in items
        if item.locked is None
        and item.type_name in kinds
        and "item_id" in item.details
        and not {"video_id", "wrapper_ids"} & item.details.keys()
    }
