"""Signing in by e-mail and password: `login/v3` (pure but for its random words).

The request is guarded by a double submit: what the cookies say must stand in the headers too, and any random words
will do.  Since 2019 the platform also wants the answer to a captcha, which only a browser can give, and answers 400
without it; so this is the last of the ways to sign in, tried once and never again by itself.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookies import CookieError, SimpleCookie

from coursefs.errors import BadReply, NotSignedIn
from coursefs.providers.coursera.sign_in import COOKIE, secrets_from_cauth
from coursefs.transport import Reply

_LETTERS = string.ascii_letters + string.digits
_TO_COOKIES = (
    "Sign in with your browser, then give coursefs the CAUTH cookie (COURSERA_CAUTH, --cauth or a cookies.txt)."
)


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """Headers and body of the request."""

    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


def random_word(length: int) -> str:
    """So many random letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def login_request(email: str, password: str, *, word: Callable[[int], str] = random_word) -> LoginRequest:
    """What is sent to `login/v3`; nobody is told the password but the platform."""
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
    """`{"cauth": …, "expires": …}` from the answer; `expires` (seconds since 1970) only where it says one.

    `now` is in seconds since 1970.  Raises `NotSignedIn` when the platform refuses, and says what to do instead.
    """
    if reply.status in {400, 404, 405} or (reply.status == 200 and not reply.body.lstrip().startswith(b"{")):
        refused = f"Coursera refused the password sign-in (HTTP {reply.status})"
        raise NotSignedIn(f"{refused}: the site now asks for a captcha. {_TO_COOKIES}")
    if reply.status in {401, 403}:
        raise NotSignedIn(f"Coursera does not accept this e-mail address and password (HTTP {reply.status})")
    if reply.status != 200:
        raise BadReply(f"Coursera answered the password sign-in with HTTP {reply.status}. {_TO_COOKIES}")
    for header in reply.headers.get_list("set-cookie"):
        found = _cauth(header, now)
        if found is not None:
            return found
    raise NotSignedIn(f"Coursera accepted the password, but gave no CAUTH cookie. {_TO_COOKIES}")


def _cauth(header: str, now: float) -> dict[str, str] | None:
    """The secrets of one `Set-Cookie`, if it sets the cookie that is meant."""
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
    """When a cookie ends (RFC 6265, 5.3: `Max-Age` comes before `Expires`); None: with the browser's session."""
    if max_age.isdecimal():
        return now + min(int(max_age), 10 * 365 * 86400)
    try:
        return parsedate_to_datetime(expires).timestamp()
    except (ValueError, OverflowError):
        return None
