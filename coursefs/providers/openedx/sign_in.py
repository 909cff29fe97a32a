"""Signing in: from a password to the secrets of an account, which never hold the password itself.

With a client id that the school has made for apps, a password gives tokens that are renewed without it.  Without one
it opens a session, as the site's own login page does; that lasts for some weeks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.fields import text
from coursefs.providers.openedx import oauth, routes
from coursefs.providers.openedx.cookies import set_cookies
from coursefs.transport import Reply, Transport

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
    """What an account keeps of a sign-in with a password: tokens, or without a `client_id` the cookies of a session.

    Raises `NotSignedIn` when the platform does not accept it, and what `Transport.fetch` raises.
    """
    if not client_id:
        return await _session(transport, server, username, password, clock)
    form = oauth.password(client_id, username, password, token_type, client_secret)
    reply = await transport.fetch(f"{server}{routes.TOKEN}", method="POST", content=form, headers=_FORM)
    token = oauth.token_of(reply, clock())
    secrets = token.secrets() | ({"client_secret": client_secret} if client_secret else {})
    if not token.refresh and token.expires is not None:
        secrets["expires"] = f"{token.expires:.0f}"
    return secrets


async def _session(
    transport: Transport, server: str, username: str, password: str, clock: Callable[[], float]
) -> dict[str, str]:
    """The cookies that the site's login page would give."""
    first = await transport.fetch(f"{server}{routes.CSRF}", headers={"Accept": "application/json"})
    cookies = set_cookies(first.headers.get_list("set-cookie"))
    token = _csrf_token(first) or cookies.get("csrftoken", "")
    if not token:
        raise BadReply("the platform does not let programs sign in with a password alone; sign in with --cookies FILE")
    cookies.setdefault("csrftoken", token)
    headers = {
        **_FORM,
        "Accept": "application/json",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "Referer": f"{server}/login",  # wanted by the guard against forged requests
        "X-CSRFToken": token,
    }
    reply: Reply | None = None
    for path, name in routes.LOGINS:
        form = urlencode({name: username, "password": password}).encode()
        reply = await transport.fetch(f"{server}{path}", method="POST", content=form, headers=headers)
        if reply.status not in {404, 405}:
            break
    assert reply is not None  # there is more than one way
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


def _refused(reply: Reply) -> CoursefsError:
    if reply.status in {400, 401, 403}:
        return NotSignedIn("the platform does not accept this user name and password, or wants more than these")
    return BadReply(f"the platform answered HTTP {reply.status} and opened no session; sign in with --cookies FILE")


def _session_life(headers: list[str]) -> float | None:
    """For how many seconds the session's cookie holds, where the platform says so."""
    for header in headers:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            continue
        for name, cookie in cookies.items():
            age: str = cookie["max-age"]
            if name.endswith("sessionid") and age.isascii() and age.isdecimal():
                return float(age)
    return None
