"""Signing in with a password: the secrets of an account, which never include the password.

With a client id from the school, a password gives tokens that can be renewed without it.  Without a client id it opens
a session, as the site's login page does; a session lasts some weeks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.kit.fields import text
from coursefs.providers.openedx import oauth, routes
from coursefs.providers.openedx.cookies import set_cookies
from coursefs.transport import Reply, Transport, parse_json

#: statuses of a server that does not have a route
_NO_ROUTE = frozenset({404, 405, 410})
_WRONG = "wrong user name or password"
#: error codes of the login page's endpoint for a wrong password; "": older releases have none
_WRONG_CODES = frozenset({"", "incorrect-email-or-password", "failed-login-attempt"})
_TAG = re.compile(r"<[^<>]{0,500}>")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def secrets_from_password(
    transport: Transport,
    server: str,
    *,
    username: str,
    password: str,
    client_id: str = "",
    client_secret: str = "",
    token_type: str = "jwt",  # noqa: S107  # jwt or bearer
    clock: Callable[[], float] = time.time,
) -> dict[str, str]:
    """The secrets to store after a sign-in with a password: tokens, or without a `client_id` the session's cookies.

    Raises `NotSignedIn` when the platform refuses the password, `BadReply` when the server is no Open edX, and the
    errors of `Transport.fetch`.
    """
    if not client_id:
        return await _session(transport, server, username, password, clock)
    form = oauth.password(client_id, username, password, token_type, client_secret)
    reply = await transport.fetch(f"{server}{routes.TOKEN}", method="POST", content=form, headers=_FORM)
    if reply.status in _NO_ROUTE:
        raise _no_openedx(server)
    token = oauth.token_of(reply, clock(), refused=_WRONG)
    secrets = token.secrets() | ({"client_secret": client_secret} if client_secret else {})
    if not token.refresh and token.expires is not None:
        secrets["expires"] = f"{token.expires:.0f}"
    return secrets


async def _session(
    transport: Transport, server: str, username: str, password: str, clock: Callable[[], float]
) -> dict[str, str]:
    """The secrets with the cookies of a sign-in as on the site's login page."""
    first = await transport.fetch(f"{server}{routes.CSRF}", headers={"Accept": "application/json"})
    cookies = set_cookies(first.headers.get_list("set-cookie"))
    token = _csrf_token(first) or cookies.get("csrftoken", "")
    if not token:
        raise _no_openedx(server)
    cookies.setdefault("csrftoken", token)
    headers = {
        **_FORM,
        "Accept": "application/json",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "Referer": f"{server}/login",  # required by the guard against forged requests
        "X-CSRFToken": token,
    }
    reply: Reply | None = None
    for path, name in routes.LOGINS:
        form = urlencode({name: username, "password": password}).encode()
        reply = await transport.fetch(f"{server}{path}", method="POST", content=form, headers=headers)
        if reply.status not in {404, 405}:
            break
    assert reply is not None  # `LOGINS` is not empty
    given = reply.headers.get_list("set-cookie")
    session = set_cookies(given)
    if reply.status != 200 or not any(name.endswith("sessionid") for name in session):
        raise _refused(reply)
    cookies |= session
    kept = {name: value for name, value in cookies.items() if name.endswith("sessionid") or name == "csrftoken"}
    secrets = {"cookies": "; ".join(f"{name}={value}" for name, value in kept.items())}
    life = _session_life(given)
    return secrets if life is None else {**secrets, "expires": f"{clock() + life:.0f}"}


def _csrf_token(reply: Reply) -> str:
    try:
        body = reply.json()
    except BadReply:
        return ""
    token = text(body, "csrfToken") if isinstance(body, dict) else ""
    return token if token.isascii() and token.isalnum() else ""


def _no_openedx(server: str) -> BadReply:
    return BadReply(
        f"{server} does not look like an Open edX server: it has no sign-in for programs; take the address that the"
        f" pages of its courses begin with, or type: coursefs login openedx --server {server} --cookies FILE"
    )


def _refused(reply: Reply) -> CoursefsError:
    """The error of the login page's endpoint: `error_code` and, as HTML in the site's language, `value`."""
    if reply.status in {400, 401, 403}:
        body = parse_json(reply.body)
        said = body if isinstance(body, dict) else {}
        if text(said, "error_code") in _WRONG_CODES:
            return NotSignedIn(_WRONG)
        words = " ".join(_TAG.sub(" ", text(said, "value")[:2000]).split())[:200]
        return NotSignedIn(f"the platform refuses to sign in: {words}" if words else _WRONG)
    return BadReply(f"the platform answered HTTP {reply.status} and opened no session; sign in with --cookies FILE")


def _session_life(headers: list[str]) -> float | None:
    """The life of the session's cookie in seconds; None when the platform does not give it."""
    for header in headers:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            continue
        for name, cookie in cookies.items():
            age: str = cookie["max-age"]
            if name.endswith("sessionid") and age.isascii() and age.isdecimal() and len(age) < 12:
                return float(age)
    return None
