"""Cookies of a session: out of a browser's cookies.txt, or out of the server's own replies (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.providers.cookies import Cookie, cookies_of

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{0,4096}")
#: what goes with the id of a session, whose name sites change (`prod-edx-sessionid`)
_WITH_IT = frozenset({"csrftoken", "edxloggedin"})


def set_cookies(headers: Iterable[str]) -> dict[str, str]:
    """The cookies that `Set-Cookie` headers set, without those that are emptied."""
    found: dict[str, str] = {}
    for header in headers:
        name, _, value = header.partition(";")[0].partition("=")
        name, value = name.strip(), value.strip()
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value.strip('"')) and value.strip('"'):
            found[name] = value
    return found


def secrets_from_cookies(text: str, *, host: str, now: float) -> dict[str, str]:
    """`{"cookies": …, "expires": …}` from a Netscape cookies.txt; `expires` (seconds since 1970) where it says one.

    Those are taken that a browser would send to `host` and that make a session; of a site that calls its session
    something else, all.  `now` is in seconds since 1970.  Raises `NotSignedIn` when the session has ended,
    `CoursefsError` when there is none.
    """
    own = [one for one in cookies_of(text) if one.host == host or host.endswith(f".{one.host}")]
    own = [one for one in own if _NAME.fullmatch(one.name) and one.value and _VALUE.fullmatch(one.value)]
    if not own:
        raise CoursefsError(
            f"there is no cookie for {host} in this file: sign in with the browser, then export the cookies of {host}"
        )
    named = [one for one in own if one.name.endswith("sessionid")]
    living = [one for one in named or own if one.expires is None or one.expires > now]
    if not living:
        raise NotSignedIn(
            f"the sign-in in this file ended {_day(named or own)}: sign in with the browser, then export it anew"
        )
    if named:
        living += [one for one in own if one.name in _WITH_IT]
    narrowest = {one.name: one for one in sorted(living, key=lambda one: len(one.host))}
    secrets = {"cookies": "; ".join(f"{one.name}={one.value}" for one in narrowest.values())}
    ends = [one.expires for one in narrowest.values() if one in named and one.expires is not None]
    return {**secrets, "expires": f"{min(ends):.0f}"} if ends else secrets


def _day(cookies: Iterable[Cookie]) -> str:
    try:
        latest = max(one.expires for one in cookies if one.expires is not None)
        return f"on {datetime.fromtimestamp(latest, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "long ago"
