"""Coursera as a provider: replies of the client in, model objects out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import trio

from coursefs.errors import CoursefsError, Gone
from coursefs.model import Course, File, Identity, Item, Outline, Remote, Route, Source, Standing
from coursefs.providers.coursera.addresses import absolute
from coursefs.providers.coursera.choice import Choice
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.enrolled import enrolled, from_catalogue, resolved
from coursefs.providers.coursera.item_lister import ItemLister, VideoIds
from coursefs.providers.coursera.outline import Aside, outline
from coursefs.providers.coursera.replies import LectureVideo, url_expiry
from coursefs.providers.gathering import gathering, is_final


class CourseraProvider:
    """One account on Coursera (`coursefs.providers.base.Provider`).

    `choice` says what of a lecture is shown; `clock` gives seconds since 1970.
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

    async def whoami(self) -> Identity:
        """The learner's id; the platform's answer has no name."""
        return Identity(user_id=await self._client.whoami(), expires=self._client.session.expires)

    async def courses(self) -> Sequence[Course]:
        """Every course of the account; those of the platform that was shut off in 2016 are hidden."""
        return enrolled(await self._client.memberships(), self._base_url)

    async def search(self, text: str, *, limit: int = 50) -> Sequence[Course]:
        """Courses of the public catalogue; no sign-in is needed."""
        found = await self._client.catalogue.search(text, limit=limit)
        return [from_catalogue(one, self._base_url) for one in found]

    async def resolve(self, text: str) -> Sequence[Course]:
        """What a slug, an id or an address names; those that the account is not enrolled in are `hidden`."""
        return await resolved(self._client, text, self._base_url)

    async def standing(self, course: Course) -> Standing:
        """Progress, grade, session, deadlines and instructors, as far as the platform says them."""
        return await self._client.learner.standing(course.key, course.slug, partial(self._tree, course))

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        """The tree of a course, with one request, and with two more where it has changed."""
        found = await self._client.materials(course.slug, tag=tag)
        if found is None:
            return None
        aside = await self._aside(course)
        return outline(found, course, self._base_url, aside)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: two requests for a lecture, one for a reading, one for fifty of their assets."""
        return await self._lister.files(course, items)

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  ids say it all
        """The signed URL of a video, a subtitle, a transcript or an asset; none of their hosts is told the cookie."""
        locator = remote.locator
        if locator.get("what") == "asset":
            asset = await self._lister.assets.get(locator["asset_id"], fresh=fresh)
            url, expires = asset.url, asset.expires
        else:
            ids = VideoIds(locator["course_id"], locator["item_id"], locator.get("video_id", ""))
            video = await self._lister.videos.get(ids, fresh=fresh)
            url = _video_url(video, locator)
            expires = url_expiry(url)
        if not url:
            raise Gone(f"the platform no longer offers {remote.identity.rpartition('/')[2]} of this")
        return Source(absolute(url, self._client.api_url), expires=expires)

    def routes(self) -> Sequence[Route]:
        """The routes of the platform that were used so far, and which of them are gone."""
        return self._client.routes()

    async def _tree(self, course: Course) -> Outline | None:
        """The tree alone, for the names in it."""
        found = await self._client.materials(course.slug)
        return None if found is None else outline(found, course, self._base_url, Aside())

    async def _aside(self, course: Course) -> Aside:
        """What belongs to a course beside its tree; whatever cannot be had of it keeps no tree back."""
        languages: dict[str, str | CoursefsError] = {}
        references: dict[str, bool | CoursefsError] = {}
        with suppress(CoursefsError):
            async with gathering(trio.CapacityLimiter(2)) as requests:
                requests.ask(languages, course.key, partial(self._client.language, course.key))
                requests.ask(references, course.key, partial(self._client.has_references, course.key))
        language = languages.get(course.key, "")
        listed = references.get(course.key, True)  # where nobody knows, the one who looks there will be told
        return Aside(
            has_resources=not is_final(listed) if isinstance(listed, CoursefsError) else listed,
            language="" if isinstance(language, CoursefsError) else language,
        )


def _video_url(video: LectureVideo, locator: Mapping[str, str]) -> str:
    """The URL of what a locator says; "" where the lecture has no such thing (any more)."""
    match locator.get("what"):
        case "video":
            rendition = video.renditions.get(locator["resolution"])
            return rendition.url(locator["container"]) if rendition else ""
        case "subtitle":
            return video.subtitles.get(locator["language"], "")
        case "caption":
            return video.captions.get(locator["language"], "")
        case "transcript":
            return video.transcripts.get(locator["language"], "")
        case _:
            return ""
