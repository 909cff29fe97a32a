"""The cookies of the browsers of this user, read by the library browser-cookie3 (`coursefs[browser]`)."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

from coursefs.errors import CoursefsError

#: those of Linux that the library knows, by its own names
BROWSERS = ("brave", "chrome", "chromium", "edge", "firefox", "librewolf", "opera", "opera_gx", "vivaldi")


def cookies_of(browser: str, host: str) -> CookieJar:
    """The cookies that a browser keeps for a host and the hosts below it.

    May ask the desktop's keyring for the key that they are encrypted with.  Raises `CoursefsError` when the library is
    not installed, or the browser's store cannot be read; no message repeats any of what it holds.
    """
    try:
        import browser_cookie3  # noqa: PLC0415  # an extra
    except ImportError:
        raise CoursefsError(
            "reading a browser's cookies needs one more package: pip install 'coursefs[browser]'"
        ) from None
    read: Any = getattr(browser_cookie3, browser)
    try:
        jar = read(domain_name=host)
    except browser_cookie3.BrowserCookieError:
        raise CoursefsError(f"no cookies of {browser} were found, or they could not be decrypted") from None
    except Exception as error:  # whatever SQLite, the keyring and the file system raise below it
        raise CoursefsError(f"the cookies of {browser} cannot be read: {type(error).__name__}") from None
    assert isinstance(jar, CookieJar)
    return jar
