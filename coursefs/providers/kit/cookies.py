"""Cookies as people have them: in a text (cookies.txt, JSON, a pasted header), or in a browser of this machine.

Texts are read purely.  Browsers are read by the library yt-dlp (an extra: `coursefs[browser]`), which knows where they
keep cookies, also as snaps and flatpaks, and the keyring's key that they are encrypted with; it is imported only then.
No message here repeats anything of what was given: a cookie is a secret.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coursefs.base.installation import command_for
from coursefs.errors import CoursefsError

_HTTP_ONLY = "#HttpOnly_"
#: what the second and the fourth field of a cookies.txt hold
_SWITCHES = frozenset({"true", "false", "0", "1"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HEADER = re.compile(r"(?im)^[ \t]*cookie:[ \t]*(.*)$")
#: attributes of `Set-Cookie`, which are no cookies
_ATTRIBUTES = frozenset(
    {"domain", "expires", "httponly", "max-age", "partitioned", "path", "priority", "samesite", "secure", "version"}
)
#: keys of JSON exports, in lower case: Cookie-Editor and EditThisCookie, Playwright, Cookie Quick Manager
_KEYS = {
    "host": ("domain", "host", "host raw"),
    "name": ("name", "name raw"),
    "value": ("value", "content raw"),
    "expires": ("expirationdate", "expires raw", "expires", "expiry"),
}
#: times from these on are in milliseconds and in microseconds since 1970, and in microseconds since 1601 (Chromium)
_MILLISECONDS = 1e11
_MICROSECONDS = 1e14
_MICROSECONDS_SINCE_1601 = 11_644_473_600e6
_YEAR_9999 = 253370764800.0  # seconds since 1970; the last year that `datetime` knows
#: names of browsers on Linux, and the folders below the home of those that keep cookies as another one does
BROWSERS = ("brave", "chrome", "chromium", "edge", "firefox", "librewolf", "opera", "vivaldi")
_LIKE_FIREFOX = {
    "librewolf": (".librewolf", ".var/app/io.gitlab.librewolf-community/.librewolf", "snap/librewolf/common/.librewolf")
}


class Cookie(NamedTuple):
    """One cookie of a browser."""

    host: str  # without a leading dot
    expires: float | None  # seconds since 1970; None: it ends with the browser's session
    name: str
    value: str


def cookies_of(text: str, host: str = "") -> list[Cookie]:
    """The cookies in a text, in its order; those that do not say their host are taken for cookies of `host`.

    The text is a Netscape cookies.txt (with or without its first line; `#HttpOnly_` before the host; blanks for tabs;
    times in seconds or milliseconds), a JSON export (a list of cookies, an object with such a list, or an object of
    names and values), or `name=value; name=value` with or without `Cookie:`.  Takes time linear in the text's length.
    Raises `CoursefsError` when it has no cookie.
    """
    text = text.lstrip("\ufeff \t\r\n")
    if not text:
        raise CoursefsError("there are no cookies: nothing was given")
    if text.startswith(("[", "{")):
        cookies = list(_of_json(text, host))
    else:
        cookies = [found for line in text.splitlines() if (found := _of_line(line)) is not None]
        cookies = cookies or _of_header(text.rstrip(), host)
    if not cookies:
        raise CoursefsError(
            f"there are no cookies in this {_kind(text)}: expected a cookies.txt, a JSON export of a browser add-on,"
            " or a pasted line name=value; name=value"
        )
    return cookies


def _kind(text: str) -> str:
    if text.startswith(("[", "{")):
        return "JSON"
    return "web page" if text.startswith("<") else "text"


def _of_line(line: str) -> Cookie | None:
    """The cookie of one line of a cookies.txt; None for a line without its seven fields."""
    line = line.strip(" ").removeprefix(_HTTP_ONLY)
    if line.startswith("#"):
        return None
    fields = line.split("\t") if line.count("\t") >= 6 else line.split(maxsplit=6)
    if len(fields) != 7:
        return None
    host, below, _, secure, expires, name, value = (field.strip() for field in fields)
    if not {below.lower(), secure.lower()} <= _SWITCHES:
        return None
    return Cookie(_host(host), seconds(expires), name, value)


def _of_header(text: str, host: str) -> list[Cookie]:
    """The cookies of `name=value; name=value`; none when a part of it is no cookie.

    Of copied request headers the line `Cookie:` is taken.
    """
    if (found := _HEADER.search(text)) is not None:
        text = found[1]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    cookies = []
    for part in re.split(r"[;\r\n]", text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if (not name and not equals) or name.lower() in _ATTRIBUTES:
            continue
        if not equals or not _NAME.fullmatch(name):
            return []
        cookies.append(Cookie(host, None, name, value))
    return cookies


def _of_json(text: str, host: str) -> Iterator[Cookie]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise CoursefsError("this JSON cannot be read: it is damaged or cut off; export the cookies again") from None
    if isinstance(found, dict):
        inner = found.get("cookies")
        if isinstance(inner, list):
            found = inner
        elif all(isinstance(value, str) for value in found.values()) and "name" not in found:
            yield from (Cookie(host, None, name, value) for name, value in found.items() if _NAME.fullmatch(name))
            return
        else:
            found = [found]
    for one in found:
        if isinstance(one, dict) and (cookie := _of_object(one, host)) is not None:
            yield cookie


def _of_object(entry: Mapping[str, object], host: str) -> Cookie | None:
    """The cookie of one entry of a JSON export; None when it has no name or no value."""
    known = {key.lower(): value for key, value in entry.items()}
    name, value, domain = (_first(known, _KEYS[key]) for key in ("name", "value", "host"))
    if not isinstance(name, str) or not isinstance(value, str) or not name:
        return None
    return Cookie(
        _host(domain) if isinstance(domain, str) and domain else host,
        seconds(_first(known, _KEYS["expires"])),
        name,
        value.strip(),
    )


def _first(known: Mapping[str, object], keys: Iterable[str]) -> object:
    return next((known[key] for key in keys if known.get(key) is not None), None)


def _host(value: str) -> str:
    """A cookie's host in lower case, without a leading dot; some exports give it as an address."""
    value = value.strip()
    if "://" in value:
        try:
            value = urlsplit(value).hostname or ""
        except ValueError:
            return ""
    return value.lower().lstrip(".")


def seconds(value: object) -> float | None:
    """The end of a cookie in seconds since 1970, from a number in any unit that browsers use, or a date.

    None for 0, a negative number or no time: the cookie ends with the browser's session.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    time = None
    with suppress(ValueError, OverflowError):
        time = float(value)
    if time is None:
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(str(value)[:40])
            time = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    if time is None or not 0 < time < float("inf"):
        return None
    if time >= _MICROSECONDS_SINCE_1601:
        time = (time - _MICROSECONDS_SINCE_1601) / 1e6
    elif time >= _MICROSECONDS:
        time /= 1e6
    elif time >= _MILLISECONDS:
        time /= 1e3
    return time if time < _YEAR_9999 else None


# -- browsers ----------------------------------------------------------------------------------------------------------


def browser_cookies(browser: str, host: str) -> list[Cookie]:
    """The cookies that a browser stores for a host, its subdomains and the domains above it.  Blocking.

    The desktop's keyring may ask the user for the key that they are encrypted with.  Raises `CoursefsError` when the
    library is not installed or the browser's store cannot be read; the message repeats nothing of the store.
    """
    return [one for one in _stored(browser) if _belongs(one.host, host)]


def browsers_with(host: str, is_session: Callable[[Cookie], bool]) -> list[str]:
    """The browsers of this machine that store a cookie of a session for this host.  Blocking.

    Those that cannot be read are left out; none without the library.
    """
    if not is_available():
        return []
    found = []
    for browser in BROWSERS:
        try:
            cookies = browser_cookies(browser, host)
        except CoursefsError:
            continue
        if any(is_session(one) for one in cookies):
            found.append(browser)
    return found


def is_available() -> bool:
    """Whether the library is installed; it is not imported."""
    try:
        return importlib.util.find_spec("yt_dlp") is not None
    except (ImportError, ValueError):
        return False


def _belongs(of: str, host: str) -> bool:
    return of == host or of.endswith(f".{host}") or host.endswith(f".{of}")


def _stored(browser: str) -> Iterable[Cookie]:
    import sqlite3  # seldom needed

    try:
        from yt_dlp import cookies as library  # an extra, and slow to import
    except ImportError:
        raise CoursefsError(
            f"reading a browser's cookies needs one more package; type: {command_for('yt-dlp', 'yt-dlp')}"
        ) from None
    try:
        jar = _read(library, browser)
    except FileNotFoundError:
        raise CoursefsError(f"{browser} has no cookies here: it is not installed, or was never used") from None
    except sqlite3.Error:
        raise CoursefsError(f"the cookies of {browser} cannot be read: its database is damaged or locked") from None
    except Exception as error:  # errors of the keyring and the file system pass through the library
        raise CoursefsError(f"the cookies of {browser} cannot be read: {type(error).__name__}") from None
    return [
        Cookie((one.domain or "").lower().lstrip("."), seconds(one.expires), one.name, one.value)
        for one in jar
        if one.value
    ]


def _read(library: Any, browser: str) -> Any:
    """The library's jar with all cookies of a browser; of several profiles, the one used last."""
    silent = _Silent()
    folders = _LIKE_FIREFOX.get(browser)
    if folders is None:
        return library.extract_cookies_from_browser(browser, logger=silent)
    home = Path.home()
    there = [folder for name in folders if (folder := home / name).is_dir()]
    if not there:
        raise FileNotFoundError
    return library.extract_cookies_from_browser("firefox", profile=f"{there[0]}/", logger=silent)


class _Silent:
    """A logger for the library that drops everything: its messages would name the user's folders."""

    def debug(self, message: str) -> None:
        """Drop it."""

    def info(self, message: str) -> None:
        """Drop it."""

    def warning(self, message: str, only_once: bool = False) -> None:
        """Drop it."""

    def error(self, message: str) -> None:
        """Drop it."""
