"""The pages of Panopto that need a cookie: the viewer's data, captions, slides, downloads.

Both ways of signing in use them: an API client exchanges its token for the cookie, a browser has it already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from coursefs.errors import BadReply, CoursefsError, NotAllowed, NotSignedIn
from coursefs.providers.panopto import replies, routes
from coursefs.providers.panopto.replies import ENOUGH, Delivery, is_srt
from coursefs.providers.panopto.routes import EndpointLimiters, Route
from coursefs.providers.panopto.web_replies import leads_to_sign_in
from coursefs.transport import Origin, Reply, Transport
from coursefs.transport.body import body_of

#: statuses of a request whose cookie is not accepted: redirects lead to a sign-in page
_REFUSED = frozenset({301, 302, 303, 307, 308, 401, 403})
NOT_OFFERED = "the platform does not offer this recording for download; it may be watched on its page"


class Cookies(Protocol):
    """The cookie of an account."""

    async def header(self) -> str:
        """The value of the header `Cookie`.  Raises `NotSignedIn`, and the errors of a request."""

    async def renew(self) -> str:
        """Another one in place of one that was refused; the same when it is proved to be good."""


class MediaPages:
    """Requests with the cookie to one server; `content` is the JSON of a reply of this route, or raises its error.

    `ended` is the error when also a renewed cookie is refused.  `refresh`: have the viewer renew the cookie; `received`
    gets its replies then, with the header that they were asked for with.
    """

    def __init__(
        self,
        transport: Transport,
        server: str,
        cookies: Cookies,
        limits: EndpointLimiters,
        *,
        content: Callable[[Reply, Route], object],
        ended: Callable[[], CoursefsError],
        refresh: bool = False,
        received: Callable[[Reply, str], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._server = server
        self._cookies = cookies
        self._limits = limits
        self._content = content
        self._ended = ended
        self._refresh = "true" if refresh else "false"
        self._received = received

    async def delivery(self, session_id: str) -> Delivery:
        """The viewer's delivery information of a recording: captions, chapters, slides, the film's own URL."""
        return replies.delivery(await self.viewer(session_id))

    async def viewer(self, session_id: str) -> object:
        """The viewer's data of a recording as they came; they hold personal data of the user, which are not kept."""
        cookie = await self._cookies.header()
        for is_last in (False, True):
            url = routes.DELIVERY.url(self._server, id=session_id, refresh=self._refresh)
            bucket = self._limits.of(routes.DELIVERY.name)
            reply = await self._transport.fetch(url, headers={"Cookie": cookie}, bucket=bucket, follow=False)
            try:
                if reply.status in _REFUSED or is_page(reply.headers.get("content-type", ""), reply.body):
                    raise NotSignedIn("the cookie is refused")  # caught below: a new cookie may help
                content = self._content(reply, routes.DELIVERY)
                replies.require_viewer(content)
            except NotSignedIn:
                if is_last:
                    await self._transport.portals.require_none(self._server)
                    raise self._ended() from None
                cookie = await self._cookies.renew()
            else:
                if self._received is not None:
                    await self._received(reply, cookie)
                return content
        raise AssertionError  # the last attempt returns or raises

    async def has_captions(self, session_id: str, number: int | None) -> bool:
        """Whether the recording has captions in the language of this number; None: in its own language."""
        for fresh in (False, True):
            try:
                url, headers = await self.captions_at(session_id, number, fresh=fresh)
            except NotSignedIn:
                raise self._ended() from None
            await self._limits.of(routes.CAPTIONS.name).take()
            beginning = bytearray()
            async with self._transport.stream(url, headers=headers) as response:
                kind = response.headers.get("content-type", "")
                if is_page(kind, b""):
                    await self._transport.portals.require_none(self._server)
                if is_page(kind, b"") and leads_to_sign_in(str(response.url), self._server):
                    continue
                if response.status_code != 200:
                    return False
                async with body_of(response, decode=True) as parts:
                    async for part in parts:
                        beginning += part
                        if len(beginning) >= ENOUGH:
                            break
            return is_srt(bytes(beginning))
        raise self._ended()

    async def captions_at(
        self, session_id: str, number: int | None, *, fresh: bool = False
    ) -> tuple[str, dict[str, str]]:
        """The URL of captions, and the headers for it."""
        if number is None:
            return await self.at(routes.CAPTIONS, fresh=fresh, id=session_id)
        return await self.at(routes.CAPTIONS_IN, fresh=fresh, id=session_id, language=str(number))

    async def at(self, route: Route, *, fresh: bool = False, **values: str) -> tuple[str, dict[str, str]]:
        """The URL of a route that needs the cookie, and the headers with it; `fresh`: the last cookie was refused."""
        cookie = await (self._cookies.renew() if fresh else self._cookies.header())
        return route.url(self._server, **values), {"Cookie": cookie}

    async def offered_at(self, download_url: str, *, fresh: bool = False) -> tuple[str, dict[str, str]]:
        """The URL of a download that the platform offers, and the headers for it.

        Raises `NotAllowed` when it offers none (""), and `BadReply`.
        """
        if not download_url:
            raise NotAllowed(NOT_OFFERED)
        url = urljoin(f"{self._server}/", download_url)
        if _origin(url) != Origin.of(self._server):
            return url, {}  # never send the cookie to another host
        cookie = await (self._cookies.renew() if fresh else self._cookies.header())
        return url, {"Cookie": cookie}

    async def is_missing(self, url: str, headers: Mapping[str, str]) -> bool:
        """Whether the server itself answers that there is no such download; the host of the media may refuse a HEAD."""
        reply = await self._transport.fetch(url, headers=headers, method="HEAD")
        return reply.status == 404 and urlsplit(reply.url).netloc == urlsplit(url).netloc

    async def stream_at(self, stream_url: str) -> tuple[str, dict[str, str]]:
        """The URL of a film that the viewer plays, and the headers for it.  Raises `BadReply`."""
        url = urljoin(f"{self._server}/", stream_url)
        if _origin(url) != Origin.of(self._server):
            return url, {}
        return url, {"Cookie": await self._cookies.header()}


def is_page(content_type: str, body: bytes) -> bool:
    """Whether the reply is a web page in place of data."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in {"text/html", "application/xhtml+xml"} or body.lstrip()[:1] == b"<"


def _origin(url: str) -> Origin:
    try:
        return Origin.of(url)
    except ValueError:
        raise BadReply("the platform gave an address that is not valid") from None
