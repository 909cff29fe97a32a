"""Coursera as a provider: replies of the client in, model objects out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urljoin, urlsplit

import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, RouteGone
from coursefs.model import Course, File, Identity, Item, Outline, Remote, Source, Wanted
from coursefs.providers.coursera import item_files
from coursefs.providers.coursera.client import CourseraClient
from coursefs.providers.coursera.item_types import LECTURE, READING, course_url
from coursefs.providers.coursera.links import item_link
from coursefs.providers.coursera.outline import outline
from coursefs.providers.coursera.replies import Asset, CourseAsset, LectureVideo, Membership, url_expiry
from coursefs.providers.coursera.signed import SignedReplies
from coursefs.providers.gathering import concerns_one_item, gathering
from coursefs.transport import is_loopback

log = logging.getLogger(__name__)

#: requests of listings under way at once; few, so that a player's request for a fresh URL never queues behind many
_LISTING_REQUESTS = 5

_Parts = tuple[CourseAsset, ...]


class CourseraProvider:
    """One account on Coursera (`coursefs.providers.base.Provider`).

    `expires` is when the sign-in ends, seconds since 1970, where that is known; `clock` gives the same kind of time.
    """

    def __init__(
        self,
        client: CourseraClient,
        base_url: str,
        *,
        wanted: Wanted,
        expires: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._wanted = wanted
        self._expires = expires
        self._limiter = trio.CapacityLimiter(_LISTING_REQUESTS)
        self._videos: SignedReplies[tuple[str, str], LectureVideo] = SignedReplies(
            lambda ids: client.lecture_video(*ids), lambda video: video.expires, clock=clock
        )
        self._assets: SignedReplies[str, Asset] = SignedReplies(
            self._ask_asset, lambda asset: asset.expires, size=4096, clock=clock
        )

    async def whoami(self) -> Identity:
        """The learner's id; the platform's answer has no name."""
        return Identity(user_id=await self._client.whoami(), expires=self._expires)

    async def courses(self) -> Sequence[Course]:
        """Every course of the account; those of the platform that was shut off in 2016 are hidden."""
        memberships = await self._client.memberships()
        return [_course(one, self._base_url) for one in memberships if one.role != "NOT_ENROLLED"]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:
        """The tree of a course, with one request."""
        found = await self._client.materials(course.slug, tag=tag)
        return None if found is None else outline(found, course, self._base_url)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these items: two requests for a lecture, one for a reading, one for fifty of their assets."""
        videos: dict[str, LectureVideo | CoursefsError] = {}
        parts: dict[str, _Parts | CoursefsError] = {}
        async with gathering(self._limiter) as requests:
            for item in items:
                if item.locked is not None:
                    continue
                ids = (course.key, item.details["item_id"])
                if item.type_name == LECTURE:
                    requests.ask(videos, item.key, partial(self._videos.get, ids, fresh=True))
                    requests.ask(parts, item.key, partial(self._client.lecture_assets, *ids))
                elif item.type_name == READING:
                    requests.ask(parts, item.key, partial(self._client.supplement, *ids))
        assets = await self._ask_assets([one for one in parts.values() if not isinstance(one, CoursefsError)])
        return {
            item.key: self._item_files(course, item, videos.get(item.key), parts.get(item.key), assets)
            for item in items
        }

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  ids say it all
        """The signed URL of a video, a subtitle, a transcript or an asset; none of their hosts is told the cookie."""
        locator = remote.locator
        if locator.get("what") == "asset":
            asset = await self._assets.get(locator["asset_id"], fresh=fresh)
            url, expires = asset.url, asset.expires
        else:
            video = await self._videos.get((locator["course_id"], locator["item_id"]), fresh=fresh)
            url = _video_url(video, locator)
            expires = url_expiry(url)
        if not url:
            raise Gone(f"the platform no longer offers {remote.identity.rpartition('/')[2]} of this")
        return Source(self._absolute(url), expires=expires)

    def _item_files(
        self,
        course: Course,
        item: Item,
        video: LectureVideo | CoursefsError | None,
        parts: _Parts | CoursefsError | None,
        assets: Mapping[str, Asset] | CoursefsError,
    ) -> Sequence[File] | CoursefsError:
        """The files of one item out of the answers to its requests; None: was not asked for."""
        if parts is None:
            return [item_link(course, item)]
        if isinstance(video, CoursefsError):
            return video
        refused: CoursefsError | None = None
        if isinstance(parts, CoursefsError):
            if video is None or not _is_final(parts):
                return parts
            refused, parts = parts, ()
        if isinstance(assets, CoursefsError):
            if item_files.asset_ids(parts):
                if not _is_final(assets):
                    return assets
                refused = assets
            assets = {}
        if video is None:
            files = item_files.reading_files(course, item, parts, assets)
        else:
            files = item_files.lecture_files(course, item, video=video, parts=parts, assets=assets, wanted=self._wanted)
        if refused is not None:
            log.info("%s: attachments are not shown: %s", item.key, refused)
            files.append(item_files.refused_attachments(course, item, refused))
        return files

    async def _ask_assets(self, parts: Sequence[_Parts]) -> Mapping[str, Asset] | CoursefsError:
        """All assets that these items refer to, asked for together; the error, if that failed for them alone."""
        ids = [one for some in parts for one in item_files.asset_ids(some)]
        try:
            found = await self._client.assets(ids)
        except CoursefsError as error:
            if not concerns_one_item(error):
                raise
            return error
        for asset in found.values():
            self._assets.keep(asset.id, asset)
        return found

    async def _ask_asset(self, asset_id: str) -> Asset:
        asset = (await self._client.assets([asset_id])).get(asset_id)
        if asset is None:
            raise Gone("the platform no longer has this file")
        return asset

    def _absolute(self, url: str) -> str:
        """The URL itself, made absolute on the platform's host (subtitles come relative).

        Raises `BadReply` where a platform on another machine points to this one.
        """
        try:
            absolute = urljoin(f"{self._base_url}/", url)
            host = urlsplit(absolute).hostname or ""
        except ValueError:
            raise BadReply("the platform gave an address that is none") from None
        if is_loopback(host) and not is_loopback(urlsplit(self._base_url).hostname or ""):
            raise BadReply("the platform gave an address on this machine")
        return absolute


def _course(membership: Membership, base_url: str) -> Course:
    slug = membership.slug
    enrolled = membership.enrolled
    return Course(
        key=membership.course_id,
        slug=slug or membership.course_id,
        title=membership.name or slug or membership.course_id,
        url=course_url(base_url, slug) if slug else None,
        enrolled_ns=None if enrolled is None else round(enrolled * 1000) * 10**6,
        hidden=not slug or membership.course_type.startswith("v1."),
    )


def _video_url(video: LectureVideo, locator: Mapping[str, str]) -> str:
    """The URL of what a locator says; "" where the lecture has no such thing (any more)."""
    match locator.get("what"):
        case "video":
            rendition = video.renditions.get(locator["resolution"])
            return rendition.url(locator["container"]) if rendition else ""
        case "subtitle":
            return video.subtitles.get(locator["language"], "")
        case "transcript":
            return video.transcripts.get(locator["language"], "")
        case _:
            return ""


def _is_final(error: CoursefsError) -> bool:
    """Whether asking again soon would give the same: refused, gone, or the route was removed."""
    return isinstance(error, (NotAllowed, Gone, RouteGone))
