"""Who is asking: the token or the cookies of one account, renewed when they end, and requests made with them.

Three kinds of sign-in: a learner's token with its refresh token; an application's id and secret, which give tokens for
the user that it belongs to; the cookies of a session.  The API takes any of them.  Pages take cookies alone, for which
a learner's token can be exchanged (`POST /oauth2/login/`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import trio

from coursefs.errors import BadReply, CoursefsError, NoAnswer, NotAllowed, NotSignedIn
from coursefs.providers.base import Vault
from coursefs.providers.openedx import oauth, routes
from coursefs.providers.openedx.cookies import set_cookies
from coursefs.providers.openedx.oauth import Remedy, Token
from coursefs.transport import Bucket, Origin, Reply, Transport

log = logging.getLogger(__name__)

#: seconds after which a refresh token that is refused is looked for anew: another process may just be storing the next
_ANOTHER_IS_AT_IT = 1.5
#: seconds that a renewal may take; it is not cancelled before
_RENEWAL = 15.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class SignIn:
    """With what an account signs in; at least one of the three is there, or it is not signed in."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token: Token | None = None
    cookies: str = field(default="", repr=False)  # as the header `Cookie` has them
    token_type: str = "jwt"  # noqa: S105  # what is asked for: jwt or bearer


@dataclass(frozen=True, slots=True)
class _Held:
    """What requests are made with at the moment."""

    headers: Mapping[str, str] = field(repr=False)
    token: Token | None = None


class Session:
    """Requests to one server as one user.

    `vault` keeps renewed tokens, and has what another process has renewed or somebody has signed in with since; None:
    all lives in memory.  `clock` gives seconds since 1970.  Nothing of the sign-in is sent to another origin than that
    of `base_url`.
    """

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        sign_in: SignIn,
        *,
        account: str = "openedx",
        vault: Vault | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self.base_url = base_url.rstrip("/")
        self._sign_in = sign_in
        self._vault = vault
        self._clock = clock
        self._account = account
        self._renewing = trio.Lock()
        self._exchanging = trio.Lock()
        self._held: _Held | None = None
        self._cookies = sign_in.cookies
        self._no_cookies: NotAllowed | None = None
        if sign_in.token is not None:
            self._held = _Held(sign_in.token.headers, sign_in.token)
        elif sign_in.cookies:
            self._held = _Held({"Cookie": sign_in.cookies})

    async def fetch(
        self,
        url: str,
        *,
        bucket: Bucket | None = None,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        elsewhere: bool = False,
    ) -> Reply:
        """The API's answer of any status but those that are about the sign-in, which is renewed once where it can be.

        `elsewhere`: who calls this wants the sign-in to be sent to the origin of `url`, whichever it is.  Raises
        `NotSignedIn` when the sign-in cannot be renewed, and what `Transport.fetch` raises.
        """
        if not elsewhere and not is_own(self.base_url, url):
            raise BadReply(f"{self._account}: an address that is not on its server")
        held = await self._current()
        reply: Reply | None = None
        for attempt in (1, 2):
            given = {"Accept": "application/json", **(headers or {}), **held.headers}
            reply = await self._transport.fetch(url, headers=given, bucket=bucket, method=method, content=content)
            remedy = oauth.remedy(reply.status, reply.body)
            if remedy is Remedy.NONE:
                return reply
            if remedy is Remedy.STOP:
                raise NotSignedIn(f"{self._account}: the platform says that this user is switched off; ask the school")
            if attempt == 1:
                held = await self._renewed(held, remedy)
        raise self._ended()

    async def fetch_page(self, url: str, *, bucket: Bucket | None = None) -> Reply:
        """A page of the web site, wherever its redirects lead, but not the one that asks for a sign-in.

        Raises `NotAllowed` when this kind of sign-in cannot have pages, and `NotSignedIn` when it has ended.
        """
        cookies = await self.cookies()
        for attempt in (1, 2):
            reply = await self._transport.fetch(url, headers={"Cookie": cookies}, bucket=bucket)
            if not is_sign_in_page(url, reply):
                return reply
            if attempt == 1:
                cookies = await self.cookies(instead_of=cookies)
        raise self._ended()

    async def cookies(self, *, instead_of: str | None = None) -> str:
        """The session's cookies, had for the token where there are none yet; others than those that were refused.

        Raises `NotAllowed` when this kind of sign-in cannot have any.
        """
        async with self._exchanging:
            if self._no_cookies is not None:
                raise NotAllowed(str(self._no_cookies))
            if self._cookies and self._cookies != instead_of:
                return self._cookies
            if self._sign_in.cookies:
                self._cookies = await self._stored_cookies(instead_of or "")
                self._held = _Held({"Cookie": self._cookies})
                return self._cookies
            self._cookies = await self._exchanged()
            return self._cookies

    async def _exchanged(self) -> str:
        """Cookies for the token.  Raises `NotAllowed`, and keeps it in mind, where the server has none for it."""
        url = f"{self.base_url}{routes.SESSION}"
        reply = await self.fetch(url, method="POST", content=b"", headers=_FORM)
        if reply.status in {404, 405} or (reply.status in {401, 403} and reply.body.lstrip()[:1] == b"{"):
            # a server without this way, or an application's token; what stands before a server answers with a page
            self._no_cookies = NotAllowed("the platform gives its pages to sign-ins with a password or cookies only")
            raise NotAllowed(str(self._no_cookies))
        found = set_cookies(reply.headers.get_list("set-cookie")) if reply.status < 300 else {}
        if not found:
            raise BadReply(f"the session for pages: the platform answered HTTP {reply.status} without one")
        return "; ".join(f"{name}={value}" for name, value in found.items())

    async def _current(self) -> _Held:
        """What to make a request with: a token that is about to end is renewed before."""
        held = self._held
        if held is None or (held.token is not None and not held.token.is_good(self._clock())):
            return await self._renewed(held, Remedy.RENEW)
        return held

    async def _renewed(self, held: _Held | None, remedy: Remedy) -> _Held:
        """Something else than what was held: what another task or process has got, else a new token.

        What the platform gives replaces what it gave before, so this is not cancelled between asking and storing.
        """
        async with self._renewing:
            if self._held is not None and self._held is not held:
                return self._held
            with trio.move_on_after(_RENEWAL, shield=True):
                return await self._renew(held, remedy)
            raise NoAnswer(f"{self._account}: the platform does not renew the sign-in within {_RENEWAL:.0f} s")

    async def _renew(self, held: _Held | None, remedy: Remedy) -> _Held:
        sign_in = self._sign_in
        if sign_in.client_secret and sign_in.token is None:
            form = oauth.client_credentials(sign_in.client_id, sign_in.client_secret, sign_in.token_type)
            return self._take(await self._ask_token(form))
        if sign_in.cookies and sign_in.token is None:
            self._cookies = await self._stored_cookies(self._cookies)
            self._held = _Held({"Cookie": self._cookies})
            return self._held
        stored = await self._stored(held)
        if stored is not None and stored.is_good(self._clock()):
            return self._take(stored)
        last = stored or (held.token if held else None)
        if last is None or not last.refresh or (remedy is Remedy.SIGN_IN and stored is None):
            raise self._ended()
        form = oauth.refresh(sign_in.client_id, last.refresh, sign_in.token_type, sign_in.client_secret)
        try:
            token = await self._ask_token(form)
        except NotSignedIn:
            await trio.sleep(_ANOTHER_IS_AT_IT)
            stored = await self._stored(_Held(last.headers, last))
            if stored is None or not stored.is_good(self._clock()):
                raise
            return self._take(stored)
        if not token.refresh:  # not every server gives another one
            token = Token(token.access, token.kind, token.expires, last.refresh)
        await self._store(token)
        return self._take(token)

    def _take(self, token: Token) -> _Held:
        self._held = _Held(token.headers, token)
        return self._held

    async def _ask_token(self, form: bytes) -> Token:
        url = f"{self.base_url}{routes.TOKEN}"
        reply = await self._transport.fetch(url, headers=_FORM, method="POST", content=form)
        try:
            return oauth.token_of(reply, self._clock())
        except NotSignedIn as error:
            raise NotSignedIn(f"{self._account}: {error}; sign in again: {self._how}") from None

    async def _stored(self, held: _Held | None) -> Token | None:
        """The token in the vault, where it is another one than what was held."""
        token = oauth.kept_token(await self._kept())
        return None if token is None or (held and held.token and token.access == held.token.access) else token

    async def _stored_cookies(self, held: str) -> str:
        """The cookies in the vault, with which somebody has signed in since.  Raises `NotSignedIn` without such."""
        cookies = (await self._kept()).get("cookies", "")
        if not cookies or cookies == held:
            raise self._ended()
        return cookies

    async def _kept(self) -> dict[str, str]:
        """What the vault holds; nothing where it cannot be read."""
        if self._vault is None:
            return {}
        try:
            return dict(await trio.to_thread.run_sync(self._vault.load))
        except CoursefsError as error:
            log.info("%s: what is stored of the sign-in cannot be read: %s", self._account, error)
            return {}

    async def _store(self, token: Token) -> None:
        vault = self._vault
        if vault is None:
            return
        try:
            await trio.to_thread.run_sync(lambda: vault.save({**vault.load(), **token.secrets()}))
        except CoursefsError as error:
            log.warning("%s: the renewed sign-in cannot be stored: %s", self._account, error)

    def _ended(self) -> NotSignedIn:
        known = self._sign_in.client_secret or self._sign_in.token or self._sign_in.cookies
        what = "the sign-in is no longer accepted; sign in again" if known else "not signed in; sign in"
        return NotSignedIn(f"{self._account}: {what}: {self._how}")

    @property
    def _how(self) -> str:
        named = "" if self._account == "openedx" else f" --account {self._account}"
        return f"coursefs login openedx{named} --server {self.base_url} …"


def is_sign_in_page(url: str, reply: Reply) -> bool:
    """Whether redirects from `url` have led to where one signs in: on the server, or on a host of the school for that.

    Where content is kept back, they lead to a page of the course instead, which may be on another host too.
    """
    came = urlsplit(reply.url)
    if unquote(came.path) == unquote(urlsplit(url).path):
        return False
    path = came.path.lower()
    if not {"login", "signin", "authn", "register"}.isdisjoint(path.split("/")):
        return True
    return not is_own(url, reply.url) and "/course" not in path


def is_own(base_url: str, url: str) -> bool:
    """Whether a URL is one of the server itself."""
    try:
        return Origin.of(url) == Origin.of(base_url)
    except ValueError:
        return False
