"""The provider of Panopto: translates replies of the client into model objects."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial

import trio
from cachetools import TTLCache

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Course, File, Identity, Item, Outline, ProvisionalFiles, Remote, RouteState, Source, Wanted
from coursefs.providers.base import FEW
from coursefs.providers.kit.gathering import concerns_one_item, gathering
from coursefs.providers.panopto import routes
from coursefs.providers.panopto.folders import SCHEDULED, SESSION, roots, section, slug
from coursefs.providers.panopto.media import NOT_OFFERED
from coursefs.providers.panopto.reader import PanoptoReader
from coursefs.providers.panopto.replies import TAGS, Folder, as_guid
from coursefs.providers.panopto.routes import RequestLimit
from coursefs.providers.panopto.session_files import (
    OWN,
    RecordingReplies,
    is_archived,
    listed_files,
    session_files,
    wanted_captions,
)
from coursefs.providers.panopto.settings import PanoptoSettings
from coursefs.transport import Origin, RateLimiter

log = logging.getLogger(__name__)

#: seconds for which a recording without a download is remembered
_SAID_FOR = 600.0
_FOLDER_ID = re.compile(r"folderID=(?:%22|\")?([0-9A-Fa-f-]{36})")


class PanoptoProvider:
    """One account on a Panopto server (`coursefs.providers.base.Provider`).

    Its courses are the top folders.  `media` limits the rate of requests for files, which the API does not count;
    `turns` the concurrent requests of listings.
    """

    def __init__(
        self,
        reader: PanoptoReader,
        settings: PanoptoSettings,
        *,
        wanted: Wanted,
        media: RateLimiter,
        turns: RequestLimit,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._wanted = wanted
        self._media = media
        self._turns = turns
        # from recent replies: recordings without a download, for which a request would fail, and those of which the
        # viewer alone has the film
        self._not_offered: TTLCache[str, str] = TTLCache(4096, _SAID_FOR, timer=trio.current_time)
        self._streamed: TTLCache[str, None] = TTLCache(4096, _SAID_FOR, timer=trio.current_time)

    async def whoami(self) -> Identity:
        """The user of the sign-in, which is checked by it."""
        return await self._reader.identity()

    async def courses(self) -> Sequence[Course]:
        """The top folders, and the folders whose parent is not visible."""
        return [self._course(folder) for folder in roots(await self._reader.visible())]

    async def outline(self, course: Course, *, tag: str | None = None) -> Outline | None:  # noqa: ARG002  # there are no tags
        """The folders below a top folder with their recordings, from the listings of every folder, level by level."""
        top = Folder(course.key, course.title, url=course.url or "")
        tree = section(top, await self._reader.below(top), self._settings)
        return Outline(tree.sections, tree.items)

    async def files(self, course: Course, items: Sequence[Item]) -> Mapping[str, Sequence[File] | CoursefsError]:
        """The files of these recordings.

        For a few, requests for each find its file and captions.  For more than `FEW`, no request is made: each gets a
        `ProvisionalFiles` from its listing.
        """
        recorded = [item for item in items if item.type_name == SESSION and not is_archived(item)]
        known: dict[str, RecordingReplies | CoursefsError] = {}
        if len(recorded) <= FEW:
            async with gathering(self._turns.limiter) as requests:
                for session_id in {item.details["session_id"] for item in recorded}:
                    requests.ask(known, session_id, partial(self._ask, session_id))
        files: dict[str, Sequence[File] | CoursefsError] = {}
        for item in items:
            answer = known.get(item.details["session_id"])
            if answer is None:
                expected = listed_files(course, item, self._settings)
                is_final = item.type_name == SCHEDULED or is_archived(item)
                files[item.key] = expected if is_final else ProvisionalFiles(expected)
            elif isinstance(answer, CoursefsError):
                files[item.key] = answer
            else:
                files[item.key] = session_files(course, item, answer, self._settings)
        return files

    async def source(self, course: Course, remote: Remote, *, fresh: bool) -> Source:  # noqa: ARG002  # ids say it all
        """The URL of a recording (for one use), of captions or of a slide; the cookie goes to this server only.

        The first URL of a recording is the download of its web page.  If that is refused, the platform is asked whether
        its owner offers it; and if the page has none although they do, the film of the viewer is the second way.
        """
        locator, pages = remote.locator, self._reader.media
        session_id = locator["session_id"]
        await self._media.take()
        match locator["what"]:
            case "video" | "audio" as what:
                if session_id in self._not_offered:
                    raise NotAllowed(self._not_offered[session_id])
                if what == "video" and (fresh or session_id in self._streamed):
                    return await self._film(session_id, fresh=fresh)
                if fresh:
                    await self._download_at(session_id)
                route = routes.VIDEO if what == "video" else routes.AUDIO
                url, headers = await pages.at(route, id=session_id)
                return Source(url, headers, once=True, guarded=True)
            case "captions":
                url, headers = await pages.captions_at(session_id, _number(locator["language"]), fresh=fresh)
            case "slide":
                url, headers = await pages.at(
                    routes.SLIDE, fresh=fresh, id=locator["slide_id"], number=locator["number"]
                )
            case _:
                raise Gone("the platform has no such file")
        return Source(url, headers, guarded=True)

    async def _film(self, session_id: str, *, fresh: bool) -> Source:
        """The film after its download was refused: again by the download, else by the viewer's stream."""
        pages = self._reader.media
        if fresh or session_id not in self._streamed:
            url, headers = await self._download_at(session_id)
            if not await pages.is_missing(url, headers):
                self._streamed.pop(session_id, None)
                return Source(url, headers, once=True, guarded=True)
        stream = (await pages.delivery(session_id)).stream_url
        if not stream:
            raise Gone("the platform has no file of this recording")
        self._streamed[session_id] = None
        url, headers = await pages.stream_at(stream)
        return Source(url, headers, guarded=True)

    async def _download_at(self, session_id: str) -> tuple[str, dict[str, str]]:
        """As `PanoptoReader.download_at`; that there is none is remembered."""
        try:
            return await self._reader.download_at(session_id)
        except NotAllowed as error:
            if not isinstance(error, NotSignedIn):
                self._not_offered[session_id] = str(error)
            raise

    async def resolve(self, text: str) -> Sequence[Course]:
        """The folder that an id or an address of this server names; () for any other text."""
        folder_id = as_guid(text)
        if not folder_id and _is_of(text, self._settings.server) and (match := _FOLDER_ID.search(text)):
            folder_id = as_guid(match[1])
        return [self._course(await self._reader.folder(folder_id))] if folder_id else []

    def routes(self) -> Sequence[RouteState]:
        """The state of each route that was used so far."""
        return self._reader.routes()

    def _course(self, folder: Folder) -> Course:
        return Course(
            key=folder.id,
            slug=slug(folder.name) or folder.id,
            title=folder.name or "Folder",
            url=folder.url or routes.folder_page(self._settings.server, folder.id),
            hidden=self._settings.skips((folder.name,)),
        )

    async def _ask(self, session_id: str) -> RecordingReplies:
        """The facts of one recording."""
        session, delivery = await self._reader.facts(session_id)
        self._not_offered.pop(session_id, None)
        if not session.download_url:
            self._not_offered[session_id] = NOT_OFFERED
        known = RecordingReplies(session, delivery)
        found = set()
        for language, number in wanted_captions(known, self._wanted).items():
            try:
                if await self._reader.media.has_captions(session_id, number):
                    found.add(language)
            except CoursefsError as error:
                if not concerns_one_item(error):
                    raise
                log.debug("captions are not available: %s", error)
        return RecordingReplies(session, delivery, frozenset(found))


def _number(language: str) -> int | None:
    """The platform's number of a language tag; None: the recording's own language."""
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
