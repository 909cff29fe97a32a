"""Panopto as a provider: replies of the client in, model objects out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial

import trio
from cachetools import TTLCache

from coursefs.errors import BadReply, CoursefsError, Gone, NotSignedIn
from coursefs.model import Course, File, Identity, Item, Outline, Remote, Route, Sketch, Source, Wanted
from coursefs.providers.base import FEW
from coursefs.providers.gathering import concerns_one_item, gathering
from coursefs.providers.panopto import routes
from coursefs.providers.panopto.client import PanoptoClient
from coursefs.providers.panopto.folders import SCHEDULED, SESSION, roots, section
from coursefs.providers.panopto.languages import TAGS
from coursefs.providers.panopto.limits import Turns
from coursefs.providers.panopto.replies import Delivery, Folder, Session, as_guid
from coursefs.providers.panopto.session_files import OWN, Known, listed_files, session_files, wanted_captions
from coursefs.providers.panopto.settings import Settings
from coursefs.providers.panopto.titles import slug
from coursefs.providers.panopto.tokens import user_of
from coursefs.providers.panopto.walk import Folders
from coursefs.transport import Origin, Pace

log = logging.getLogger(__name__)

#: requests of listings under way at once
_LISTING_REQUESTS = 5
#: seconds for which it is believed that a recording is not offered for download
_SAID_FOR = 600.0
_FOLDER_ID = re.compile(r"folderID=(?:%22|\")?([0-9A-Fa-f-]{36})")


class PanoptoProvider:
    """One account on a Panopto server (`coursefs.providers.base.Provider`).

    The folders at the top are its courses.  `media` paces the requests for files, which the API does not count.
    """

    def __init__(self, client: PanoptoClient, settings: Settings, *, wanted: Wanted, media: Pace) -> None:
        self._client = client
        self._settings = settings
        self._wanted = wanted
        self._media = media
        self._turns = Turns(_LISTING_REQUESTS)
        self._folders = Folders(client, settings, self._turns)
        # recordings of which the API has said lately that there is no download: asking for a file would say no more
        self._not_offered: TTLCache[str, Session] = TTLCache(4096, _SAID_FOR, timer=trio.current_time)

    async def whoami(self) -> Identity:
        """The platform's id of the account, where its token says so; asks once whether the sign-in holds."""
        await self._client.check()
        return Identity(user_of(await self._client.token()) or self._settings.client_id)

    async def courses(self) -> Sequence[Course]:
        """The folders at the top, and those whose parent cannot be seen."""
        return [self._course(folder) for folder in roots(await self._folders.visible())]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:  # noqa: ARG002  # there are no tags
        """The folders below a top one with their recordings: the listings of every folder, level by level."""
        top = Folder(course.key, course.title, url=course.url or "")
        tree = section(top, await self._folders.below(top), self._settings)
        return Outline(tree.sections, tree.items)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these recordings.

        Of a few each one is asked for: whether it has a file, and which captions.  Of many nothing is asked at once:
        their listing lets their videos be expected.
        """
        recorded = [item for item in items if item.type_name == SESSION]
        known: dict[str, Known | CoursefsError] = {}
        if len(recorded) <= FEW:
            async with gathering(self._turns.limiter) as requests:
                for session_id in {item.details["session_id"] for item in recorded}:
                    requests.ask(known, session_id, partial(self._ask, session_id))
        files: dict[str, Sequence[File] | CoursefsError] = {}
        for item in items:
            answer = known.get(item.details["session_id"])
            if answer is None:
                expected = listed_files(course, item, self._settings)
                files[item.key] = expected if item.type_name == SCHEDULED else Sketch(expected)
            elif isinstance(answer, CoursefsError):
                files[item.key] = answer
            else:
                files[item.key] = session_files(course, item, answer, self._settings)
        return files

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  # ids say it all
        """The address of a recording, for one use, of captions or of a slide; with the cookie, for this server alone.

        The first address of a recording is the one that its page gives; when it is refused the API is asked, which
        says whether there is any.
        """
        locator = remote.locator
        session_id = locator["session_id"]
        await self._media.take()
        match locator["what"]:
            case "video" | "audio" as what:
                route = routes.VIDEO if what == "video" else routes.AUDIO
                if session_id in self._not_offered:
                    await self._client.download_at(self._not_offered[session_id])
                if fresh:
                    session = await self._session(session_id)
                    url, headers = await self._client.download_at(session, fresh=True)
                    if what == "video":
                        return Source(url, headers, once=True, guarded=True)
                url, headers = await self._client.media_at(route, fresh=fresh, id=session_id)
                return Source(url, headers, once=True, guarded=True)
            case "captions":
                url, headers = await self._client.captions_at(session_id, _number(locator["language"]), fresh=fresh)
            case "slide":
                url, headers = await self._client.media_at(
                    routes.SLIDE, fresh=fresh, id=locator["slide_id"], number=locator["number"]
                )
            case _:
                raise Gone("the platform has no such file")
        return Source(url, headers, guarded=True)

    async def resolve(self, text: str) -> Sequence[Course]:
        """The folder that an id or an address of this server names; () for what is neither."""
        folder_id = as_guid(text)
        if not folder_id and _is_of(text, self._settings.server) and (match := _FOLDER_ID.search(text)):
            folder_id = as_guid(match[1])
        return [self._course(await self._client.folder(folder_id))] if folder_id else []

    def routes(self) -> Sequence[Route]:
        """The ways that were used to ask."""
        return self._client.routes()

    def _course(self, folder: Folder) -> Course:
        return Course(
            key=folder.id,
            slug=slug(folder.name) or folder.id,
            title=folder.name or "Folder",
            url=folder.url or routes.folder_page(self._settings.server, folder.id),
            hidden=self._settings.skips((folder.name,)),
        )

    async def _session(self, session_id: str) -> Session:
        session = await self._client.session(session_id)
        self._not_offered.pop(session_id, None)
        if not session.download_url:
            self._not_offered[session_id] = session
        return session

    async def _ask(self, session_id: str) -> Known:
        """What is to be known of one recording; what only the viewer knows may be missing."""
        session = await self._session(session_id)
        delivery: Delivery | None = None
        try:
            delivery = await self._client.delivery(session_id)
        except CoursefsError as error:
            if not isinstance(error, NotSignedIn) and not concerns_one_item(error):
                raise
            log.debug("the viewer says nothing of a recording: %s", error)
        known = Known(session, delivery)
        found = set()
        for language, number in wanted_captions(known, self._wanted).items():
            try:
                if await self._client.has_captions(session_id, number):
                    found.add(language)
            except CoursefsError as error:
                if not isinstance(error, NotSignedIn) and not concerns_one_item(error):
                    raise
                log.debug("captions cannot be had: %s", error)
        return Known(session, delivery, frozenset(found))


def _number(language: str) -> int | None:
    """The platform's number of a language of ours; None: the recording's own."""
    if language == OWN:
        return None
    if language in TAGS:
        return TAGS.index(language)
    number = language.removeprefix("x-")
    if not number.isdecimal():
        raise BadReply("the platform has no such language")
    return int(number)


def _is_of(url: str, server: str) -> bool:
    try:
        return Origin.of(url) == Origin.of(server)
    except ValueError:
        return False
