"""The authenticated session of an account: requests with its token or cookies, which are renewed when they end.

Three kinds of sign-in: a learner's token with its refresh token; an application's id and secret, which give tokens of
the user to whom it belongs; the cookies of a session.  The API accepts all of them; since Verawood, some of its routes
accept no bearer tokens.  Pages need cookies, for which a learner's token can be exchanged (`POST /oauth2/login/`).

A session ends after some weeks, also when it is in use.  The server then answers 404 for pages, as if they did not
exist, and deletes the cookie.  So a refused or missing page is believed only if the session is alive: the reply has
not deleted the cookie, and a later request for the user, with the same cookies, succeeds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import trio

from coursefs.base import threads
from coursefs.errors import BadReply, CoursefsError, NotAllowed, NotSignedIn
from coursefs.providers.base import Vault
from coursefs.providers.kit.renewal import Renewal, SharedQuestion
from coursefs.providers.openedx import oauth, routes
from coursefs.providers.openedx.cookies import set_cookies, takes_session_back
from coursefs.providers.openedx.oauth import Remedy, Token
from coursefs.transport import Bucket, Origin, Reply, Surprises, Transport
from coursefs.transport.portals import is_page

log = logging.getLogger(__name__)

#: seconds after which the vault is read again for a refused refresh token: another process may be storing the next one
_ANOTHER_IS_AT_IT = 1.5
#: seconds that a renewal may take; until then it is shielded from cancellation
_RENEWAL = 15.0
#: seconds for which no session is requested again after the server failed to open one
_NO_SESSION = 600.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSED = frozenset({401, 403, 404, 410})
#: an attribute in every page of a unit; a page without it may be a network's own
_MARK = b"data-usage-id"


class NoSession(BadReply):
    """The server cannot open a session for pages now, although the sign-in works for the API."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The credentials of an account, of one of three kinds; without any the account is not signed in."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token: Token | None = None
    cookies: str = field(default="", repr=False)  # value of the header `Cookie`
    token_type: str = "jwt"  # noqa: S105  # the kind to request: jwt or bearer


@dataclass(frozen=True, slots=True)
class _Held:
    """The present headers of requests, and their token if there is one."""

    headers: Mapping[str, str] = field(repr=False)
    token: Token | None = None


def _held(token: Token) -> _Held:
    return _Held(token.headers, token)


class Session:
    """Authenticated requests to one server as one user.

    `vault` stores renewed tokens, and has those of other processes and of later sign-ins; None: tokens stay in memory.
    `clock` returns seconds since 1970.  The sign-in is sent only to the origin of `base_url`.
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
        self._renewal: Renewal[_Held] = Renewal(
            within=_RENEWAL, late=f"{account}: the platform does not renew the sign-in within {_RENEWAL:.0f} s"
        )
        self._cookies: Renewal[str] = Renewal(sign_in.cookies or None)
        self._no_cookies: NotAllowed | None = None
        self._no_session: tuple[float, str] | None = None  # end of the pause (seconds since 1970), and the reason
        self._without = set[str]()  # paths that accept no bearer tokens
        self._proof: SharedQuestion[bool] = SharedQuestion()
        if sign_in.token is not None:
            self._renewal.value = _Held(sign_in.token.headers, sign_in.token)
        elif sign_in.cookies:
            self._renewal.value = _Held({"Cookie": sign_in.cookies})

    @property
    def surprises(self) -> Surprises:
        """The collection of unknown fields in replies."""
        return self._transport.surprises

    async def fetch(
        self,
        url: str,
        *,
        bucket: Bucket | None = None,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        elsewhere: bool = False,
        attempts: int | None = None,
    ) -> Reply:
        """The API's reply of any status; for a refused sign-in, the reply after one renewal of it.

        `elsewhere`: the caller allows sending the sign-in to the origin of `url`, whichever it is.  `attempts`: how
        often a GET is made that fails with 5xx.  Raises `NotSignedIn` when the sign-in cannot be renewed, `NotAllowed`
        when a bearer token is not accepted, and the errors of `Transport.fetch`.
        """
        if not elsewhere and not is_own(self.base_url, url):
            raise BadReply(f"{self._account}: an address that is not on its server")
        if urlsplit(url).path in self._without:
            return await self._without_bearer(url, bucket=bucket, method=method)
        held = await self._current()
        reply: Reply | None = None
        for attempt in (1, 2):
            given = {"Accept": "application/json", **(headers or {}), **held.headers}
            reply = await self._transport.fetch(
                url, headers=given, bucket=bucket, method=method, content=content, attempts=attempts, data=True
            )
            remedy = oauth.remedy(reply.status, reply.body)
            if remedy is Remedy.NONE and held.token is None and _ends_session(reply, held.headers.get("Cookie", "")):
                remedy = Remedy.SIGN_IN
            if remedy is Remedy.NONE:
                return reply
            if remedy is Remedy.STOP:
                raise NotSignedIn(f"{self._account}: the platform says that this user is disabled; ask the school")
            if held.token and held.token.kind == "Bearer" and oauth.was_not_looked_at(reply.status, reply.body):
                self._without.add(urlsplit(url).path)
                return await self._without_bearer(url, bucket=bucket, method=method)
            if attempt == 1:
                held = await self._renewed(held, remedy)
        raise self._ended()

    async def _without_bearer(self, url: str, *, bucket: Bucket | None, method: str) -> Reply:
        """The reply of a route that accepts no bearer tokens, requested with cookies.  Raises `NotAllowed`."""
        if method == "GET":
            try:
                cookies = await self.cookies()
                for _ in (1, 2):
                    given = {"Accept": "application/json", "Cookie": cookies}
                    reply = await self._transport.fetch(url, headers=given, bucket=bucket, data=True)
                    if oauth.remedy(reply.status, reply.body) is Remedy.NONE:
                        return reply
                    cookies = await self.cookies(instead_of=cookies)
            except NotSignedIn:
                raise
            except (NotAllowed, BadReply) as error:
                log.info("%s: no session in place of the bearer token: %s", self._account, error)
        raise NotAllowed(f"{self._account}: {BEARER}")

    async def fetch_open(self, url: str, *, bucket: Bucket | None = None) -> Reply:
        """The reply to a request without a sign-in."""
        if not is_own(self.base_url, url):
            raise BadReply(f"{self._account}: an address that is not on its server")
        return await self._transport.fetch(url, headers={"Accept": "application/json"}, bucket=bucket, data=True)

    async def fetch_page(self, url: str, *, bucket: Bucket | None = None) -> Reply:
        """A page of the web site, after all redirects; never the sign-in page.

        A refusal or a 404 is returned only if the session is alive.  Raises `NotAllowed` when this kind of sign-in
        cannot have pages, `NoSession` when the server opens no valid session, and `NotSignedIn` when the sign-in has
        ended.
        """
        cookies = await self.cookies()
        for attempt in (1, 2):
            reply = await self._transport.fetch(url, headers={"Cookie": cookies}, bucket=bucket)
            ended = is_sign_in_page(url, reply) or _ends_session(reply, cookies)
            if not ended and reply.status == 200 and is_page(reply) and _MARK not in reply.body:
                await self._transport.portals.require_none(url, reply)
            if not ended and (reply.status not in _REFUSED or await self._is_alive(cookies)):
                return reply
            if attempt == 1:
                cookies = await self.cookies(instead_of=cookies)
        await self._transport.portals.require_none(url, reply)
        raise self._pageless("the platform does not take the session that it has opened")

    async def living_cookies(self) -> str:
        """The cookies of a session that a request has confirmed to be alive.  Raises the errors of `cookies`."""
        cookies = await self.cookies()
        return cookies if await self._is_alive(cookies) else await self.cookies(instead_of=cookies)

    async def _is_alive(self, cookies: str) -> bool:
        """Whether the session is alive, by a request that starts after this call.

        Raises `BadReply` when the platform does not say.
        """
        return await self._proof.ask(cookies, lambda: self._who_is_it(cookies))

    async def _who_is_it(self, cookies: str) -> bool:
        for path in routes.WHO:
            given = {"Accept": "application/json", "Cookie": cookies}
            reply = await self._transport.fetch(f"{self.base_url}{path}", headers=given, data=True)
            if reply.status in {401, 403} or _ends_session(reply, cookies):
                return False
            if reply.status == 200 and reply.body.lstrip()[:1] == b"{":
                return True
        raise BadReply(f"{self._account}: the platform does not say whether its session is still alive")

    async def cookies(self, *, instead_of: str | None = None) -> str:
        """The session's cookies, exchanged for the token if necessary; others than the refused ones (`instead_of`).

        Raises `NotAllowed` when this kind of sign-in cannot have any, and `NoSession` when the server fails to open a
        session; this error is remembered for some minutes.
        """
        if self._no_cookies is not None:
            raise NotAllowed(str(self._no_cookies))
        return await self._cookies.other_than(instead_of, lambda: self._other_cookies(instead_of or ""))

    async def _other_cookies(self, refused: str) -> str:
        if self._no_cookies is not None:
            raise NotAllowed(str(self._no_cookies))
        if self._sign_in.cookies:
            cookies = await self._stored_cookies(refused)
            self._renewal.value = _Held({"Cookie": cookies})
            return cookies
        if self._no_session is not None and self._clock() < self._no_session[0]:
            raise NoSession(self._no_session[1])
        return await self._exchanged()

    async def _exchanged(self) -> str:
        """Exchange the token for cookies.  Raises `NotAllowed`, and remembers it, when the server gives none for it."""
        url = f"{self.base_url}{routes.SESSION}"
        reply = await self.fetch(url, method="POST", content=b"", headers=_FORM)
        if reply.status in {404, 405} or (reply.status in {401, 403} and reply.body.lstrip()[:1] == b"{"):
            # a server without this route, or an application's token; a proxy in front of it would answer with a page
            self._no_cookies = NotAllowed("the platform gives its pages to sign-ins with a password or cookies only")
            raise NotAllowed(str(self._no_cookies))
        found = set_cookies(reply.headers.get_list("set-cookie")) if reply.status < 300 else {}
        if not found:
            raise self._pageless(f"the session for pages: the platform answered HTTP {reply.status} without one")
        return "; ".join(f"{name}={value}" for name, value in found.items())

    def _pageless(self, why: str) -> CoursefsError:
        """The error for pages without a session; with a token it is remembered, and the API still works."""
        if self._sign_in.cookies:
            return self._ended()
        self._no_session = (self._clock() + _NO_SESSION, why)
        return NoSession(why)

    async def _current(self) -> _Held:
        """The present credentials for a request; a token near its expiry is renewed first."""
        held = self._renewal.value
        if held is None or (held.token is not None and not held.token.is_good(self._clock())):
            return await self._renewed(held, Remedy.RENEW)
        return held

    async def _renewed(self, held: _Held | None, remedy: Remedy) -> _Held:
        """New credentials in place of `held`: those of another task or process, else a new token.

        A new token may end the old one, so the request and the storing of its reply are shielded from cancellation.
        """
        return await self._renewal.other_than(held, lambda: self._renew(held, remedy))

    async def _renew(self, held: _Held | None, remedy: Remedy) -> _Held:
        sign_in = self._sign_in
        if sign_in.client_secret and sign_in.token is None:
            form = oauth.client_credentials(sign_in.client_id, sign_in.client_secret, sign_in.token_type)
            return _held(await self._ask_token(form))
        if sign_in.cookies and sign_in.token is None:
            self._cookies.value = await self._stored_cookies(self._cookies.value or "")
            return _Held({"Cookie": self._cookies.value})
        stored = await self._stored(held)
        if stored is not None and stored.is_good(self._clock()):
            return _held(stored)
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
            return _held(stored)
        if not token.refresh:  # not every server returns a new refresh token
            token = Token(token.access, token.kind, token.expires, last.refresh)
        await self._store(token)
        return _held(token)

    async def _ask_token(self, form: bytes) -> Token:
        url = f"{self.base_url}{routes.TOKEN}"
        reply = await self._transport.fetch(url, headers=_FORM, method="POST", content=form, data=True)
        try:
            return oauth.token_of(reply, self._clock())
        except NotSignedIn as error:
            raise NotSignedIn(f"{self._account}: {error}; sign in again: {self._how}") from None

    async def _stored(self, held: _Held | None) -> Token | None:
        """The token in the vault; None when it is the held one."""
        token = oauth.kept_token(await self._kept())
        return None if token is None or (held and held.token and token.access == held.token.access) else token

    async def _stored_cookies(self, held: str) -> str:
        """The cookies of a later sign-in, from the vault.  Raises `NotSignedIn` when there are none."""
        cookies = (await self._kept()).get("cookies", "")
        if not cookies or cookies == held:
            raise self._ended()
        return cookies

    async def _kept(self) -> dict[str, str]:
        """The secrets in the vault; {} when it cannot be read."""
        if self._vault is None:
            return {}
        try:
            return dict(await threads.run_sync(self._vault.load))
        except CoursefsError as error:
            log.info("%s: what is stored of the sign-in cannot be read: %s", self._account, error)
            return {}

    async def _store(self, token: Token) -> None:
        vault = self._vault
        if vault is None:
            return
        try:
            await threads.run_sync(lambda: vault.save({**vault.load(), **token.secrets()}))
        except CoursefsError as error:
            log.warning("%s: the renewed sign-in cannot be stored: %s", self._account, error)

    def _ended(self) -> NotSignedIn:
        known = self._sign_in.client_secret or self._sign_in.token or self._sign_in.cookies
        what = "the sign-in is no longer accepted; sign in again" if known else "not signed in; sign in"
        return NotSignedIn(f"{self._account}: {what}: {self._how}")

    @property
    def has_bearer(self) -> bool:
        """Whether the sign-in is, or requests, a bearer token."""
        token = self._renewal.value.token if self._renewal.value else None
        asks = bool(self._sign_in.client_secret) and self._sign_in.token_type == "bearer"  # noqa: S105  # a kind
        return token.kind == "Bearer" if token else asks

    @property
    def _how(self) -> str:
        named = "" if self._account == "openedx" else f" --account {self._account}"
        return f"coursefs login openedx{named} --server {self.base_url} …"


#: advice for servers that accept no bearer tokens
BEARER = 'this server takes no bearer tokens any more: set token_type = "jwt", and sign in again'


def _ends_session(reply: Reply, cookies: str) -> bool:
    return takes_session_back(reply.headers.get_list("set-cookie"), cookies)


def is_sign_in_page(url: str, reply: Reply) -> bool:
    """Whether redirects from `url` led to a sign-in page, on the server or on a single sign-on host.

    For content with an unmet condition they lead to a page of the course instead, perhaps also on another host.
    """
    came = urlsplit(reply.url)
    if unquote(came.path) == unquote(urlsplit(url).path):
        return False
    path = came.path.lower()
    if not {"login", "signin", "authn", "register"}.isdisjoint(path.split("/")):
        return True
    return not is_own(url, reply.url) and "/course" not in path


def is_own(base_url: str, url: str) -> bool:
    """Whether a URL is on the server itself."""
    try:
        return Origin.of(url) == Origin.of(base_url)
    except ValueError:
        return False
