"""Captive portals: networks that answer in place of every host, with their sign-in page, until someone has signed in.

A web page in place of data may also mean that the platform has removed a route, or that a sign-in has ended.  So
something else of the same host is asked for, which needs no sign-in: a network answers that with the same page.  So do
platforms whose web application answers every address.  Then what has answered with data before is asked for as well.

A page with status 401, 403 or 404 can as well be that of a sign-in, of an owner or of a server that has moved.  So
another host, which has answered before, has to give the same page too, and it must not be the usual page of a server.

All these requests carry no credentials, and are made only after such a page.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import trio

from coursefs.errors import CaptivePortal, CoursefsError
from coursefs.transport.hosts import Origin, UnsafeRedirect
from coursefs.transport.reply import Reply

#: "Network Authentication Required" (RFC 6585, section 6)
PORTAL_STATUS = 511
#: statuses of platforms that say that something is not for us or not there; filters of networks send pages with them
DENIALS = frozenset({401, 403, 404, 410})
#: what is asked for instead: a text where it is there, an error of the platform where it is not
_CONTROL = "/robots.txt"
#: seconds for which the answer to that counts for further replies
_COUNTS = 3.0
#: seconds within which it must be found out whether a refusal is a portal's, and for which that is not tried again if
#: it could not
_PATIENCE, _UNKNOWN = 3.0, 15.0
#: hosts that are remembered because they have answered
_MOST_HOSTS = 8
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_BLANKS = b" \t\r\n\xef\xbb\xbf"


def is_page(reply: Reply) -> bool:
    """Whether a reply is a web page, or anything else in markup (pure)."""
    return reply.body.lstrip(_BLANKS)[:1] == b"<"


def is_same_page(url: str, reply: Reply, control: Reply, elsewhere: str | None = None) -> bool:
    """Whether the replies to a request for `url` and for something else are the same page (pure).

    `elsewhere`: the URL that was asked for in the second request; None: one of the same host as `url`.
    Portals write the wanted address into their page, so it is compared by where redirects have led, and its title.
    """
    if reply.status != control.status or control.status not in {200, *DENIALS} or not is_page(control):
        return False
    wanted, came = urlsplit(elsewhere or url).netloc, urlsplit(control.url)
    other = urlsplit(reply.url)
    if (came.netloc, came.path) == (other.netloc, other.path) and came.netloc != wanted:
        return True
    return (came.netloc == wanted) == (other.netloc == urlsplit(url).netloc) and _title(reply) == _title(control)


def is_own_denial(control: Reply) -> bool:
    """Whether a reply denies with a page that is not the usual one of a server or an object store (pure).

    Those have no title, or one with the status: hosts that have nothing to do with one another give the same.
    """
    title = _title(control)
    return control.status in DENIALS and is_page(control) and bool(title) and str(control.status).encode() not in title


def _title(reply: Reply) -> bytes:
    found = _TITLE.search(reply.body)
    return b"" if found is None else b" ".join(found[1].split())


class Portals:
    """Finds captive portals.

    `ask` makes one GET without credentials; `on_found` is called where a portal was found, whose connections lead to it
    also after the sign-in.
    """

    def __init__(self, ask: Callable[[str], Awaitable[Reply]], on_found: Callable[[], None]) -> None:
        self._ask = ask
        self._on_found = on_found
        self._turn = trio.Lock()  # held while a control request is made: all others wait for its reply
        self._controls: dict[Origin, tuple[float, Reply | None]] = {}  # when, and None for an unsafe redirect
        self._data: dict[Origin, str] = {}  # the last URL of a host that has answered with data
        self._pages: dict[Origin, tuple[float, bool]] = {}  # when that was asked again, and whether a page came
        self._unknown: dict[Origin, float] = {}  # until when it is not tried to find out whose a refusal is
        self._hosts: dict[Origin, None] = {}  # that have answered with a body which is no page, the last one at the end

    def note_data(self, url: str) -> None:
        """The host of this URL has answered a GET of it with data."""
        self._data[Origin.of(url)] = url

    def note_answer(self, origin: Origin) -> None:
        """A host has answered with something that is no web page."""
        self._hosts.pop(origin, None)
        self._hosts[origin] = None
        if len(self._hosts) > _MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]

    def found(self) -> CaptivePortal:
        """The error for a portal that was found just now."""
        self._on_found()
        return CaptivePortal()

    async def received(self, url: str, reply: Reply, *, is_get: bool) -> None:
        """Look at a reply to a request for data, and remember where data are; see `require_none`."""
        if reply.status in {200, *DENIALS} and is_page(reply):
            await self.require_none(url, reply)
        elif is_get and reply.status == 200:
            self.note_data(url)

    async def require_none(self, url: str, reply: Reply | None = None) -> None:
        """Raise `CaptivePortal` if the network answers in place of the host of `url`, which has sent a web page.

        `reply`: that page; None: it was not read, or is a redirect that is not safe.  Also raises what the control
        request raises.
        """
        if await self._answers(url, reply):
            raise self.found()

    async def require_no_denial(self, url: str) -> None:
        """Raise `CaptivePortal` if the network, in place of the host, has refused the file at `url`.

        If that cannot be found out, the refusal counts as the host's own.
        """
        if await self._denies(url):
            raise self.found()

    async def _answers(self, url: str, reply: Reply | None) -> bool:
        """Whether this reply to a request for `url` is a portal's and not the host's.

        `reply` is a web page where data were expected; None: it was not read, or is a redirect that is not safe.
        Raises what the control request raises: nothing is known then.  For a refusal see `_denies`.
        """
        origin = Origin.of(url)
        if reply is not None and reply.status in DENIALS:
            return await self._denies(url, reply)
        control = await self._control(origin)
        if control is None:
            return True
        if reply is None:
            is_success = control.status == 200 and is_page(control)
            return is_success or await self._is_denial_of_others(origin, control)
        return is_same_page(url, reply, control) and await self._is_everywhere(origin, control)

    async def _denies(self, url: str, reply: Reply | None = None) -> bool:
        """Whether a portal has refused what is at `url`, and not its host.

        `reply`: the page of the refusal; None: it was not read.  If nothing can be found out, the refusal counts as the
        host's own.  Raises `CaptivePortal` if one of the requests for that gets the status of a portal.
        """
        origin = Origin.of(url)
        if self._other_than(origin) is None or trio.current_time() < self._unknown.get(origin, 0.0):
            return False
        try:
            with trio.fail_after(_PATIENCE):
                control = await self._control(origin)
                if control is not None and reply is not None and not is_same_page(url, reply, control):
                    return False
                return await self._is_denial_of_others(origin, control)
        except CaptivePortal:
            raise
        except (CoursefsError, trio.TooSlowError):
            self._unknown[origin] = trio.current_time() + _UNKNOWN
            return False

    def _other_than(self, origin: Origin) -> Origin | None:
        return next((one for one in reversed(self._hosts) if one != origin), None)

    async def _is_denial_of_others(self, origin: Origin, control: Reply | None) -> bool:
        """Whether `control` denies with a page of its own, which comes from another host and in place of data as well.

        None: a redirect that is not safe, and the other host gives one as well.
        """
        other = self._other_than(origin)
        known = next((one for one in (origin, other, *self._hosts) if one in self._data), None)
        if other is None or known is None or (control is not None and not is_own_denial(control)):
            return False
        theirs = await self._control(other)
        if control is None or theirs is None:
            return control is theirs
        is_same = is_same_page(_control_url(other), theirs, control, _control_url(origin))
        return is_same and await self._is_everywhere(known, control, _control_url(origin))

    async def _is_everywhere(self, origin: Origin, control: Reply, elsewhere: str | None = None) -> bool:
        """Whether the page of `control` comes also where data came before; True where nothing has come yet.

        `elsewhere`: as for `is_same_page`.
        """
        known = self._data.get(origin)
        if known is None:
            return True
        async with self._turn:
            at, is_one = self._pages.get(origin, (float("-inf"), False))
            if trio.current_time() - at >= _COUNTS:
                try:
                    other = await self._ask(known)
                    is_one = is_page(other) and is_same_page(known, other, control, elsewhere)
                except UnsafeRedirect:
                    is_one = True
                self._pages = {origin: (trio.current_time(), is_one)}
            return is_one

    async def _control(self, origin: Origin) -> Reply | None:
        async with self._turn:
            now = trio.current_time()
            self._controls = {one: known for one, known in self._controls.items() if now - known[0] < _COUNTS}
            if origin not in self._controls:
                control = None
                with suppress(UnsafeRedirect):
                    control = await self._ask(_control_url(origin))
                self._controls[origin] = trio.current_time(), control
            return self._controls[origin][1]


def _control_url(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{origin.scheme}://{host}:{origin.port}{_CONTROL}"
