"""Captive portals: networks that answer in place of every host, with their sign-in page, until someone has signed in.

A web page in place of data may also mean that the platform has removed a route, or that a sign-in has ended.  So
something else of the same host is asked for, which needs no sign-in: a network answers that with the same
page.  So do platforms whose web application answers every address.  Then what has answered with data before is asked
for as well.  These requests carry no credentials, and are made only after such a page.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import trio

from coursefs.transport.hosts import Origin, UnsafeRedirect
from coursefs.transport.reply import Reply

#: "Network Authentication Required" (RFC 6585, section 6)
PORTAL_STATUS = 511
#: what is asked for instead: a text where it is there, an error of the platform where it is not
_CONTROL = "/robots.txt"
#: seconds for which the answer to that counts for further replies
_COUNTS = 3.0
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_BLANKS = b" \t\r\n\xef\xbb\xbf"


def is_page(reply: Reply) -> bool:
    """Whether a reply is a web page, or anything else in markup (pure)."""
    return reply.body.lstrip(_BLANKS)[:1] == b"<"


def is_same_page(url: str, reply: Reply, control: Reply) -> bool:
    """Whether the replies to a request for `url` and for something else of its host are the same page (pure).

    Portals write the wanted address into their page, so it is compared by where redirects have led, and its title.
    """
    if control.status != 200 or reply.status != 200 or not is_page(control):
        return False
    came, asked = urlsplit(control.url), urlsplit(url)
    other = urlsplit(reply.url)
    if (came.netloc, came.path) == (other.netloc, other.path) and came.netloc != asked.netloc:
        return True
    return (came.netloc == asked.netloc) == (other.netloc == asked.netloc) and _title(reply) == _title(control)


def _title(reply: Reply) -> bytes:
    found = _TITLE.search(reply.body)
    return b"" if found is None else b" ".join(found[1].split())


class Portals:
    """Finds captive portals.  `ask` makes one GET without credentials."""

    def __init__(self, ask: Callable[[str], Awaitable[Reply]]) -> None:
        self._ask = ask
        self._turn = trio.Lock()  # held while a control request is made: all others wait for its reply
        self._controls: dict[Origin, tuple[float, Reply | None]] = {}  # when, and None for an unsafe redirect
        self._data: dict[Origin, str] = {}  # the last URL of a host that has answered with data
        self._pages: dict[Origin, tuple[float, bool]] = {}  # when that was asked again, and whether a page came

    def note_data(self, url: str) -> None:
        """The host of this URL has answered a GET of it with data."""
        self._data[Origin.of(url)] = url

    async def answers(self, url: str, reply: Reply | None) -> bool:
        """Whether this reply to a request for `url` is a portal's and not the host's.

        `reply` is a web page where data were expected; None: it is not at hand, or is a redirect that is not safe.
        Raises what the control request raises: nothing is known then.
        """
        control = await self._control(Origin.of(url))
        if control is None or reply is None:
            return control is None or (control.status == 200 and is_page(control))
        return is_same_page(url, reply, control) and await self._is_everywhere(Origin.of(url), control)

    async def _is_everywhere(self, origin: Origin, control: Reply) -> bool:
        """Whether the page of `control` comes also where data came before; True where nothing has come yet."""
        known = self._data.get(origin)
        if known is None:
            return True
        async with self._turn:
            at, is_one = self._pages.get(origin, (float("-inf"), False))
            if trio.current_time() - at >= _COUNTS:
                try:
                    other = await self._ask(known)
                    is_one = is_page(other) and is_same_page(known, other, control)
                except UnsafeRedirect:
                    is_one = True
                self._pages = {origin: (trio.current_time(), is_one)}
            return is_one

    async def _control(self, origin: Origin) -> Reply | None:
        async with self._turn:
            at, control = self._controls.get(origin, (float("-inf"), None))
            if trio.current_time() - at >= _COUNTS:
                host = f"[{origin.host}]" if ":" in origin.host else origin.host
                try:
                    control = await self._ask(f"{origin.scheme}://{host}:{origin.port}{_CONTROL}")
                except UnsafeRedirect:
                    control = None
                self._controls = {origin: (trio.current_time(), control)}
            return control
