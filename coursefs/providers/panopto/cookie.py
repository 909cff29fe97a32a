"""The cookie for media: obtained with the access token, shared by all requests, renewed when it is refused.

Facts: `GET /Panopto/api/v1/auth/legacyLogin` sets `.ASPXAUTH`, which outlives the access token.  The request counts
against the rate limit, so it is not made for each file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http.cookies import CookieError, SimpleCookie

import trio

from coursefs.providers.kit.renewal import Renewal

NAME = ".ASPXAUTH"
#: seconds for which a new cookie is not renewed again: a refusal is then that of the file
_NEW = 60.0


class MediaCookie:
    """The value of the `Cookie` header, renewed with single flight; `ask` requests one from the platform."""

    def __init__(self, ask: Callable[[], Awaitable[str]]) -> None:
        self._ask = ask
        self._value: Renewal[str] = Renewal()
        self._since = float("-inf")  # trio's clock

    async def header(self) -> str:
        """The present cookie, or a first one.  Raises `NotSignedIn`, and the errors of a request."""
        return await self._value.other_than(None, self._get)

    async def renew(self) -> str:
        """A new cookie in place of the refused one; the same one if it is less than a minute old."""
        is_new = trio.current_time() - self._since <= _NEW
        return await self._value.other_than(None if is_new else self._value.value, self._get)

    async def _get(self) -> str:
        self._value.value = None  # the refused cookie is dropped, also when the request for another fails
        value = await self._ask()
        self._since = trio.current_time()
        return value


def cookie_of(headers: Iterable[str]) -> str:
    """The `Cookie` header made from the `Set-Cookie` headers of a sign-in; "" when they set none."""
    found = [pair for pair in set_cookies(headers) if pair[0].casefold() == NAME.casefold()]
    return "=".join(found[0]) if found else ""


def set_cookies(headers: Iterable[str]) -> list[tuple[str, str]]:
    """The names and values of the cookies that `Set-Cookie` headers set; those that they delete are left out."""
    found = []
    for header in headers:
        jar = SimpleCookie()
        try:
            jar.load(header)
        except CookieError:
            continue
        found += [
            (name, morsel.coded_value) for name, morsel in jar.items() if morsel.value and morsel.coded_value.isascii()
        ]
    return found
