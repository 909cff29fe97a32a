"""The provider of Coursera: translates replies of the client into model objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import trio
from cachetools import LRUCache

from coursefs.errors import CoursefsError, Gone
from coursefs.model import Course, CourseProgress, File, Identity, Item, Outline, Remote, RouteState, Source, Standing
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.enrolled import enrolled, from_catalogue, resolved
from coursefs.providers.coursera.item_lister import ItemLister, VideoIds
from coursefs.providers.coursera.outline import Aside, outline
from coursefs.providers.coursera.replies import LectureVideo, url_expiry
from coursefs.providers.coursera.routes import absolute
from coursefs.providers.coursera.sources import Rendition
from coursefs.providers.kit.gathering import gathering, is_final

#: how many courses' languages are cached
_MOST_COURSES = 256


class CourseraProvider:
    """One account on Coursera (`coursefs.providers.base.Provider`).

    `choice` are the settings for the files of lectures; `clock` returns seconds since 1970.
    """

    def __init__(
        self,
        client: CourseraClient,
        base_url: str,
        *,
        choice: Choice,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._lister = ItemLister(client, choice, clock=clock)
        self._languages: LRUCache[str, str] = LRUCache(_MOST_COURSES)  # last known, by course

    async def whoami(self) -> Identity:
        """The learner's id; the platform's reply has no name."""
        return Identity(user_id=await self._client.whoami(), expires=self._client.session.expires)

    async def courses(self) -> Sequence[Course]:
        """Every course of the account; those of the platform that was shut down in 2016 are hidden."""
        return enrolled(await self._client.memberships(), self._base_url)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """Courses of the public catalogue; no sign-in is needed."""
        found = await self._client.catalogue.search(text, limit=limit)
        return [from_catalogue(one, self._base_url) for one in found]

    async def resolve(self, text: str) -> Sequence[Course]:
        """The courses that a slug, an id or an address names; one without an enrolment is `hidden`."""
        return await resolved(self._client, text, self._base_url)

    async def standing(self, course: Course) -> Standing:
        """Progress, grade, session, deadlines and instructors, as far as the platform gives them."""
        return await self._client.learner.standing(course.key, course.slug, partial(self._tree, course))

    async def progress(self, course: Course) -> CourseProgress:
        """What is done of a course, with one request."""
        return await self._client.learner.course_progress(course.key, course.slug)

    async def watched(self, course: Course, item: str) -> float | None:
        """The part of a lecture that was watched; None where the platform does not say it."""
        item_id = item.removeprefix("item/")
        seconds = (await self._lister.trees.get(course.slug)).seconds.get(item_id)
        if seconds is None:
            return None
        video = await self._lister.videos.get(VideoIds(course.key, item_id))
        place = await self._client.learner.place(course.key, video.id) if video.id else None
        return None if place is None else min(1.0, place / seconds)

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        """The tree of a course, with one request, and two more if it has changed."""
        found = await self._client.materials(course.slug, tag=tag)
        if found is None:
            return None
        aside = await self._aside(course)
        return outline(found, course, self._base_url, aside)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: two requests a lecture, one a reading, one for each fifty assets."""
        return await self._lister.files(course, items)

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:
        """The signed URL of a video, a subtitle, a transcript or an asset; their hosts never get the cookie."""
        locator = remote.locator
        if locator.get("what") == "asset":
            asset = await self._lister.assets.get(locator["asset_id"], fresh=fresh)
            url, expires = asset.url, asset.expires
        elif locator.get("what") == "tree":
            tree = await self._lister.trees.get(course.slug, fresh=fresh)
            url = tree.urls.get(f"{locator['item_id']}/{locator['file']}", "")
            expires = url_expiry(url)
        else:
            ids = VideoIds(locator["course_id"], locator["item_id"], locator.get("video_id", ""))
            video = await self._lister.videos.get(ids, fresh=fresh)
            url = _video_url(video, locator)
            expires = url_expiry(url)
        if not url:
            raise Gone(f"the platform no longer offers {remote.identity.rpartition('/')[2]} of this")
        return Source(absolute(url, self._client.api_url), expires=expires)

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far."""
        return self._client.routes()

    async def _tree(self, course: Course) -> Outline | None:
        """The tree alone, for the names in the standing."""
        found = await self._client.materials(course.slug)
        return None if found is None else outline(found, course, self._base_url, Aside())

    async def _aside(self, course: Course) -> Aside:
        """Language and Resources tab of a course; an error of either does not fail the outline."""
        languages: dict[str, str | CoursefsError] = {}
        references: dict[str, bool | CoursefsError] = {}
        with suppress(CoursefsError):
            async with gathering(trio.CapacityLimiter(2)) as requests:
                requests.ask(languages, course.key, partial(self._client.language, course.key))
                requests.ask(references, course.key, partial(self._client.has_references, course.key))
        language = languages.get(course.key, "")
        if isinstance(language, CoursefsError):  # without it all items would change, and be requested again
            language = self._languages.get(course.key, "")
        self._languages[course.key] = language
        listed = references.get(course.key, True)  # unknown: listed; opening it gives the error
        return Aside(
            has_resources=not is_final(listed) if isinstance(listed, CoursefsError) else listed,
            language=language,
        )


def _of_rendition(renditions: Mapping[str, Rendition], locator: Mapping[str, str]) -> str:
    rendition = renditions.get(locator["resolution"])
    return rendition.url(locator["container"]) if rendition else ""


def _video_url(video: LectureVideo, locator: Mapping[str, str]) -> str:
    """The URL for a locator; "" when the lecture has no such file (any more)."""
    match locator.get("what"):
        case "video":
            return _of_rendition(video.renditions, locator)
        case "voice":
            return _of_rendition(video.voices.get(locator["language"], {}), locator)
        case "described":
            return _of_rendition(video.described, locator)
        case "voice_caption":
            return video.voice_captions.get(locator["language"], "")
        case "subtitle":
            return video.subtitles.get(locator["language"], "")
        case "caption":
            return video.captions.get(locator["language"], "")
        case "transcript":
            return video.transcripts.get(locator["language"], "")
        case _:
            return ""
