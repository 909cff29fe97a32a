"""The secrets of an account from a cookie or a password (pure, except for random words).

Coursera identifies a learner by one cookie, CAUTH of `.coursera.org`.  No message here repeats any of its value.

A password goes to `login/v3`, which has a double-submit guard against forged requests: random words in the cookies must
be repeated in the headers.  Since 2019 the platform also wants the answer to a captcha, which only a browser can give,
and answers 400 without it.  So this is the last of the ways to sign in, and it is never retried automatically.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from coursefs.errors import BadReply, CoursefsError, NotSignedIn, UsageError
from coursefs.providers.kit.cookies import Cookie, cookies_of
from coursefs.transport import Reply

COOKIE = "CAUTH"
#: the characters allowed in a cookie's value (RFC 6265, 4.1.1)
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,8192}")


def cookie_host(base_url: str) -> str:
    """The host of the sign-in cookie of a platform: that of its address, without `www.` or `api.`."""
    return (urlsplit(base_url).hostname or "").removeprefix("www.").removeprefix("api.")


def secrets_from_cauth(value: str) -> dict[str, str]:
    """`{"cauth": …}` from a pasted value, which may include the cookie's name or quotes.

    Raises `UsageError` for a text that cannot be a cookie's value.
    """
    value = value.strip().removesuffix(";").strip().strip("\"'").strip()
    if value[: len(COOKIE) + 1].upper() == f"{COOKIE}=":
        value = value[len(COOKIE) + 1 :].strip().strip("\"'")
    if not value:
        raise UsageError("the value of the CAUTH cookie is empty")
    if not _VALUE.fullmatch(value) or value.startswith(("http://", "https://", "{", "[")):
        raise UsageError("this is not the value of a CAUTH cookie: expected one long word without blanks")
    return {"cauth": value}


def secrets_from_cookies(text: str, *, now: float, host: str = "coursera.org") -> dict[str, str]:
    """`{"cauth": …, "expires": …}` from a text with cookies; `expires` (seconds since 1970) only if the text has it.

    See `coursefs.providers.kit.cookies.cookies_of` for its forms.  The cookie must be for `host` or a subdomain; of
    several, the one with the latest end is used.  `now` is in seconds since 1970.  Raises `NotSignedIn` when the cookie
    has expired, `CoursefsError` when there is none.
    """
    found = cookies_of(text, host)
    return secrets_from_browser(found, now=now, host=host, where="these cookies", again="export them again")


def secrets_from_browser(
    cookies: Iterable[Cookie], *, now: float, host: str, where: str = "this browser", again: str = "try again"
) -> dict[str, str]:
    """The same as `secrets_from_cookies`, from parsed cookies; `where` and `again` are parts of the messages."""
    own = [one for one in cookies if one.name == COOKIE and (one.host == host or one.host.endswith(f".{host}"))]
    if not own:
        raise CoursefsError(
            f"there is no CAUTH cookie for {host} in {where}: sign in with the browser, then {again}"
            + (f"; use the cookies of {host} itself" if where == "these cookies" else "")
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


_LETTERS = string.ascii_letters + string.digits
_TO_COOKIES = (
    "Sign in with your browser, then give coursefs the CAUTH cookie (COURSERA_CAUTH, --cauth or a cookies.txt)."
)


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """The headers and the body of a sign-in request."""

    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


def random_word(length: int) -> str:
    """A random word of letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def login_request(email: str, password: str, *, word: Callable[[int], str] = random_word) -> LoginRequest:
    """The request to `login/v3`.  The password is in its body only."""
    token, name, value = word(20), f"csrf2_token_{word(8)}", word(24)
    return LoginRequest(
        headers={
            "Content-Type": "application/json",
            "Cookie": f"csrftoken={token}; {name}={value}",
            "X-CSRFToken": token,
            "X-CSRF2-Cookie": name,
            "X-CSRF2-Token": value,
            "Connection": "keep-alive",
        },
        content=json.dumps({"email": email, "password": password, "webrequest": True}).encode(),
    )


def secrets_from_reply(reply: Reply, *, now: float) -> dict[str, str]:
    """`{"cauth": …, "expires": …}` from the reply; `expires` (seconds since 1970) only if the reply has it.

    `now` is in seconds since 1970.  Raises `NotSignedIn` when the platform refuses; its message says what to do.
    """
    if reply.status in {400, 404, 405} or (reply.status == 200 and not reply.body.lstrip().startswith(b"{")):
        refused = f"Coursera refused the password sign-in (HTTP {reply.status})"
        raise NotSignedIn(f"{refused}: the site now asks for a captcha. {_TO_COOKIES}")
    if reply.status in {401, 403}:
        raise NotSignedIn(f"wrong e-mail address or password (HTTP {reply.status})")
    if reply.status != 200:
        raise BadReply(f"Coursera answered the password sign-in with HTTP {reply.status}. {_TO_COOKIES}")
    for header in reply.headers.get_list("set-cookie"):
        found = _cauth(header, now)
        if found is not None:
            return found
    raise NotSignedIn(f"Coursera accepted the password, but gave no CAUTH cookie. {_TO_COOKIES}")


def _cauth(header: str, now: float) -> dict[str, str] | None:
    """The secrets in one `Set-Cookie` header; None when it sets another cookie."""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    if morsel is None or not morsel.value:
        return None
    found = secrets_from_cauth(morsel.value)
    expires = _end(morsel["max-age"], morsel["expires"], now)
    return found if expires is None else {**found, "expires": f"{expires:.0f}"}


def _end(max_age: str, expires: str, now: float) -> float | None:
    """The end of a cookie (RFC 6265, 5.3: `Max-Age` precedes `Expires`); None: it ends with the browser's session."""
    if max_age.isdecimal():
        return now + min(int(max_age), 10 * 365 * 86400)
    try:
        return parsedate_to_datetime(expires).timestamp()
    except (ValueError, OverflowError):
        return None
