"""The cookie that media need: got with the access token, shared by all, and renewed when it is refused.

Facts: `GET /Panopto/api/v1/auth/legacyLogin` sets `.ASPXAUTH`, which outlives the access token; the request is counted
as any other, so it is not made for each file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http.cookies import CookieError, SimpleCookie

import trio

NAME = ".ASPXAUTH"
#: seconds for which a new cookie is not replaced by a still newer one: it is the file that is refused then
_NEW = 60.0


class MediaCookie:
    """Gives out the value of the `Cookie` header; `ask` gets one from the platform."""

    def __init__(self, ask: Callable[[], Awaitable[str]]) -> None:
        self._ask = ask
        self._value: str | None = None
        self._since = float("-inf")  # trio's clock
        self._turn = trio.Lock()

    async def header(self) -> str:
        """The cookie that there is, or a new one.  Raises `NotSignedIn` and whatever stands against asking."""
        async with self._turn:
            if self._value is None:
                await self._get()
            assert self._value is not None
            return self._value

    async def renew(self) -> str:
        """Another cookie, because this one was refused; unless it is new."""
        async with self._turn:
            if self._value is None or trio.current_time() - self._since > _NEW:
                await self._get()
            assert self._value is not None
            return self._value

    async def _get(self) -> None:
        self._value = None
        self._value = await self._ask()
        self._since = trio.current_time()


def cookie_of(headers: Iterable[str]) -> str:
    """The `Cookie` header that the `Set-Cookie` headers of a sign-in make; "" where they bring none."""
    for header in headers:
        jar = SimpleCookie()
        try:
            jar.load(header)
        except CookieError:
            continue
        for name, morsel in jar.items():
            if name.casefold() == NAME.casefold() and morsel.value and morsel.coded_value.isascii():
                return f"{name}={morsel.coded_value}"
    return ""
