"""The cookies of a session, from those of a browser or from the server's replies (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.providers.kit.cookies import Cookie, cookies_of

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{0,4096}")
#: cookies of a session besides its id, whose name differs between sites (`prod-edx-sessionid`)
_WITH_IT = frozenset({"csrftoken", "edxloggedin"})


def set_cookies(headers: Iterable[str]) -> dict[str, str]:
    """The cookies set by `Set-Cookie` headers, without the emptied ones."""
    found: dict[str, str] = {}
    for header in headers:
        name, _, value = header.partition(";")[0].partition("=")
        name, value = name.strip(), value.strip()
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value.strip('"')) and value.strip('"'):
            found[name] = value
    return found


def takes_session_back(headers: Iterable[str], sent: str) -> bool:
    """Whether `Set-Cookie` headers empty the session cookie of the request: the session has ended.

    `sent` is the header `Cookie` of the request.
    """
    names = {pair.partition("=")[0].strip() for pair in sent.split(";")}
    for header in headers:
        name, _, value = header.partition(";")[0].partition("=")
        if name.strip() in names and name.strip().endswith("sessionid") and not value.strip().strip('"'):
            return True
    return False


def secrets_from_cookies(text: str, *, host: str, now: float) -> dict[str, str]:
    """`{"cookies": …, "expires": …}` from a text with cookies; `expires` (seconds since 1970) if the text has it.

    See `coursefs.providers.kit.cookies.cookies_of` for its forms.  Of the cookies that a browser would send to `host`,
    those of the session are used; all, if the site's name for its session is unknown.  `now` is in seconds since 1970.
    Raises `NotSignedIn` when the session has expired, `CoursefsError` when there is none.
    """
    own = [one for one in cookies_of(text, host) if one.host == host or host.endswith(f".{one.host}")]
    own = [one for one in own if _NAME.fullmatch(one.name) and one.value and _VALUE.fullmatch(one.value)]
    if not own:
        raise CoursefsError(
            f"there is no cookie for {host} among these: sign in with the browser, then export the cookies of {host}"
        )
    named = [one for one in own if one.name.endswith("sessionid")]
    living = [one for one in named or own if one.expires is None or one.expires > now]
    if not living:
        raise NotSignedIn(
            f"the sign-in in these cookies ended {_day(named or own)}: sign in with the browser, then export them again"
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
