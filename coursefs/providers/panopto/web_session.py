"""The session of a browser on a Panopto server: requests with its cookies, and the end of the sign-in.

The server does not say when a sign-in ends.  It then redirects to a sign-in page, or sends that page in place of JSON,
or an error code.  So every reply is looked at; a refused cookie is tried once more: another one may be stored by now,
and the server's sign-in page gives a new one while the sign-in itself lives (`Login.aspx?ReturnUrl=…` then leads to
the home page).  A new cookie may come with any reply of the viewer as well.  Only then has the sign-in ended.  This is
asked again after some minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from urllib.parse import urljoin, urlsplit

import trio

from coursefs.base import threads
from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.base import Vault
from coursefs.providers.kit.renewal import Renewal
from coursefs.providers.panopto import routes
from coursefs.providers.panopto.routes import EndpointLimiters
from coursefs.providers.panopto.web_cookies import WebCookies, kept_cookies
from coursefs.providers.panopto.web_replies import is_sign_in, leads_to_sign_in
from coursefs.transport import Origin, Reply, Transport

log = logging.getLogger(__name__)

#: seconds for which the server is not asked again whether a sign-in that has ended is back
_ENDED = 300.0
#: seconds between two times that renewed cookies are stored: each reply of the viewer may renew them
_STORED = 600.0
_MOST_REDIRECTS = 5
#: with the cookies that are there, with those of a later sign-in, with renewed ones
_ATTEMPTS = 3


class WebSession:
    """The cookies of one account, and requests with them to its own server only.

    `vault` stores renewed cookies, and has those of a later sign-in.  `signed_out` is the message of `NotSignedIn`.
    """

    def __init__(
        self,
        transport: Transport,
        server: str,
        secrets: Mapping[str, str],
        *,
        vault: Vault | None,
        signed_out: str,
        limits: EndpointLimiters,
    ) -> None:
        self._transport = transport
        self.server = server
        self.signed_out = signed_out
        self._user_id = secrets.get("user_id", "")
        self._vault = vault
        self._limits = limits
        self._cookies: Renewal[WebCookies] = Renewal(kept_cookies(secrets))
        self._stored = self._cookies.value  # as the vault had them last
        self._stored_at = float("-inf")  # trio's clock
        self._ended_at = float("-inf")
        self._ended: WebCookies | None = None

    # -- as `media.Cookies`

    async def header(self) -> str:
        """The value of the header `Cookie`.  Raises `NotSignedIn` when there is no sign-in."""
        return (await self._present()).header

    async def renew(self) -> str:
        """The same for a file that was refused: another cookie, or this one when it is proved to be alive."""
        return (await self._other_than(self._cookies.value)).header

    async def received(self, reply: Reply, header: str) -> None:
        """Take up the cookies that a reply to a request with this header sets; store them now and then."""
        value = self._cookies.value
        if value is None or value.header != header:
            return  # there are other cookies by now
        value = self._cookies.value = value.updated(reply.headers.get_list("set-cookie"))
        now = trio.current_time()
        if value != self._stored and now - self._stored_at >= _STORED:
            self._stored_at = now
            await self._saved(value)

    # -- requests

    async def get(self, route: routes.Route, **values: str) -> Reply:
        """The reply to a GET, whatever its status.

        Raises `NotSignedIn` when the sign-in has ended; where it is alive, a sign-in page is of this route alone.
        """
        return await self._asked(route, route.url(self.server, **values), None)

    async def post(self, route: routes.Route, content: bytes) -> Reply:
        """The reply to a POST of JSON that only reads, as `get`."""
        return await self._asked(route, route.url(self.server), content)

    async def prove(self) -> None:
        """Return if the home page is given.  Raises `NotSignedIn` when it is not."""
        await self._other_than(await self._present())

    async def _asked(self, route: routes.Route, url: str, content: bytes | None) -> Reply:
        cookies = await self._present()
        if content is not None and not cookies.csrf:
            cookies = await self._with_csrf(cookies)
        for attempt in range(_ATTEMPTS):
            reply = await self._sent(route, url, content, cookies)
            before = cookies
            if attempt + 1 == _ATTEMPTS:
                break
            if is_sign_in(reply, self.server):
                cookies = await self._other_than(cookies)  # raises where the sign-in has ended
            elif reply.status == 403 and content is not None:
                cookies = await self._with_csrf(cookies)
                if cookies == before:
                    break
            else:
                break
        await self.received(reply, before.header)
        return reply

    async def _sent(self, route: routes.Route, url: str, content: bytes | None, cookies: WebCookies) -> Reply:
        headers = {"Cookie": cookies.header, "Accept": "application/json"}
        bucket = self._limits.of(route.name)
        if content is None:
            # a redirect leads to a sign-in page, which may set cookies on the way
            return await self._transport.fetch(url, headers=headers, bucket=bucket, follow=False, data=True)
        headers["Content-Type"] = "application/json"
        if cookies.csrf:
            headers["x-csrf-token"] = cookies.csrf
        # a fault has the status 500 and often means "not allowed": it is not asked again
        return await self._transport.fetch(
            url, headers=headers, bucket=bucket, method="POST", content=content, reads=True, attempts=1, data=True
        )

    # -- the cookies

    async def _present(self) -> WebCookies:
        value = self._cookies.value
        if value is None or self._is_ended(value):
            return await self._other_than(value)
        return value

    def _is_ended(self, value: WebCookies) -> bool:
        return value == self._ended and trio.current_time() - self._ended_at < _ENDED

    async def _other_than(self, refused: WebCookies | None) -> WebCookies:
        return await self._cookies.other_than(refused, partial(self._renewed, refused))

    async def _renewed(self, refused: WebCookies | None) -> WebCookies:
        """Cookies of a later sign-in, else renewed ones.  Raises `NotSignedIn` when there are none."""
        there = await self._kept()
        if there is not None and (refused is None or there.auth != refused.auth):
            log.info("a new sign-in was found")
            self._stored = there
            return there
        if refused is None or self._is_ended(refused):
            raise NotSignedIn(self.signed_out)
        renewed = await self._at_home(refused)
        if renewed is None:
            raise await self._has_ended(refused)
        self._ended = None
        if renewed != refused:
            await self._saved(renewed)
        return renewed

    async def _has_ended(self, cookies: WebCookies) -> NotSignedIn:
        await self._transport.portals.require_none(self.server)
        self._ended, self._ended_at = cookies, trio.current_time()
        return NotSignedIn(self.signed_out)

    async def _with_csrf(self, cookies: WebCookies) -> WebCookies:
        """The cookies with the token that the home page sets; as they are where it sets none."""
        found = await self._at_home(cookies)
        if found is None or found == cookies:
            return cookies
        self._cookies.value = found
        return found

    async def _at_home(self, cookies: WebCookies) -> WebCookies | None:
        """The cookies after the way over the sign-in page to the home page; None when it does not lead there.

        Redirects are followed by hand, on this server only, because the cookies that they set would be lost.
        """
        url = routes.LOGIN.url(self.server)
        for _ in range(_MOST_REDIRECTS):
            headers = {"Cookie": cookies.header}
            bucket = self._limits.of(routes.LOGIN.name)
            reply = await self._transport.fetch(url, headers=headers, bucket=bucket, follow=False)
            cookies = cookies.updated(reply.headers.get_list("set-cookie"))
            target = reply.headers.get("location")
            if target is None or not 300 <= reply.status < 400:
                if reply.status >= 500 or reply.status == 429:
                    raise BadReply(f"sign-in: the platform answered HTTP {reply.status}")
                is_home = reply.status == 200 and not leads_to_sign_in(url, self.server)
                return cookies if is_home and urlsplit(url).path.lower() == routes.HOME.path.lower() else None
            url = urljoin(url, target)
            try:
                if Origin.of(url) != Origin.of(self.server):
                    return None
            except ValueError:
                return None
        return None

    # -- the vault

    async def _kept(self) -> WebCookies | None:
        if self._vault is None:
            return None
        try:
            secrets = await threads.run_sync(self._vault.load)
        except CoursefsError as error:
            log.info("the kept sign-in could not be read: %s", error)
            return None
        if self._user_id and secrets.get("user_id", self._user_id) != self._user_id:
            log.info("the kept sign-in is another user's")
            return None
        return kept_cookies(secrets)

    async def _saved(self, value: WebCookies) -> None:
        vault, before = self._vault, self._stored
        if vault is None:
            return

        def save() -> bool:
            there = vault.load()
            if kept_cookies(there) != before:
                return False  # a later sign-in
            vault.save({**there, **value.secrets()})
            return True

        try:
            if await threads.run_sync(save):
                self._stored = value
        except CoursefsError as error:
            log.warning("the renewed sign-in could not be kept: %s", error)
