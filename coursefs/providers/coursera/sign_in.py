"""From what a person has, the cookie's value or those of a browser, to the secrets of an account (pure).

Coursera knows a learner by one cookie, CAUTH of `.coursera.org`.  No message here repeats any of its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.providers.cookies import Cookie, cookies_of

COOKIE = "CAUTH"
#: the characters that a cookie's value may have (RFC 6265, 4.1.1)
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,8192}")


def cookie_host(base_url: str) -> str:
    """The host whose cookie is the sign-in to a platform: that of its address, without `www.` or `api.`."""
    return (urlsplit(base_url).hostname or "").removeprefix("www.").removeprefix("api.")


def secrets_from_cauth(value: str) -> dict[str, str]:
    """`{"cauth": …}` from a pasted value, which may still have its quotes or its name around it.

    Raises `UsageError` for what cannot be a cookie's value.
    """
    value = value.strip().removesuffix(";").strip().strip("\"'").strip()
    if value[: len(COOKIE) + 1].upper() == f"{COOKIE}=":
        value = value[len(COOKIE) + 1 :].strip().strip("\"'")
    if not value:
        raise UsageError("the value of the CAUTH cookie is empty")
    if not _VALUE.fullmatch(value) or value.startswith(("http://", "https://", "{", "[")):
        raise UsageError("this is not the value of a CAUTH cookie: a single long word without blanks is meant")
    return {"cauth": value}


def secrets_from_cookies(text: str, *, now: float, host: str = "coursera.org") -> dict[str, str]:
    """`{"cauth": …, "expires": …}` from a Netscape cookies.txt; `expires` (seconds since 1970) only where it says one.

    Files of all browsers and exporters are taken: without the magic first line, with fractions in the times, with
    `#HttpOnly_` before the host.  The cookie must be one for `host` or a host under it; of several, the one that lasts
    longest is taken.  `now` is in seconds since 1970.  Raises `NotSignedIn` when the cookie has ended, `CoursefsError`
    when there is none.
    """
    return secrets_from_browser(cookies_of(text), now=now, host=host, where="this file", again="export it anew")


def secrets_from_browser(
    cookies: Iterable[Cookie], *, now: float, host: str, where: str = "this browser", again: str = "try again"
) -> dict[str, str]:
    """The same from cookies that were read already; `where` and `again` are for the messages."""
    own = [one for one in cookies if one.name == COOKIE and (one.host == host or one.host.endswith(f".{host}"))]
    if not own:
        raise CoursefsError(
            f"there is no CAUTH cookie for {host} in {where}: sign in with the browser, then {again}"
            + (f"; the cookies of {host} itself are meant" if where == "this file" else "")
        )
    cookie = max(own, key=lambda one: float("inf") if one.expires is None else one.expires)
    secrets = secrets_from_cauth(cookie.value)
    if cookie.expires is None:
        return secrets
    if cookie.expires <= now:
        raise NotSignedIn(
            f"the sign-in in {where} ended {_day(cookie.expires)}: sign in with the browser, then {again}"
        )
    return {**secrets, "expires": f"{cookie.expires:.0f}"}


def _day(time: float) -> str:
    try:
        return f"on {datetime.fromtimestamp(time, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "long ago"
