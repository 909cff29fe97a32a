"""Reading the cookies.txt of a browser (pure).  No message here repeats any of its values."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from coursefs.errors import CoursefsError

_HTTP_ONLY = "#HttpOnly_"


class Cookie(NamedTuple):
    """One cookie of a browser."""

    host: str  # without the leading dot
    expires: float | None  # None: with the browser's session
    name: str
    value: str


def cookies_of(text: str) -> list[Cookie]:
    """The cookies in a Netscape cookies.txt, in its order.

    Files of all browsers and exporters are taken: without the magic first line, with fractions in the times, with
    `#HttpOnly_` before the host.  Raises `CoursefsError` when there is none at all.
    """
    cookies = [cookie for line in text.lstrip("\ufeff").splitlines() if (cookie := _cookie(line)) is not None]
    if not cookies:
        json = text.lstrip("\ufeff \r\n\t").startswith(("[", "{"))
        raise CoursefsError(f"this is not a cookies.txt in the Netscape format{', but JSON' if json else ''}")
    return cookies


def _cookie(line: str) -> Cookie | None:
    """The cookie of one line; None for blank lines, comments and whatever has not its seven fields."""
    line = line.removeprefix(_HTTP_ONLY)
    if line.startswith("#"):
        return None
    fields = line.split("\t") if "\t" in line else line.split(maxsplit=6)
    if len(fields) != 7:
        return None
    host, _, _, _, expires, name, value = (field.strip() for field in fields)
    return Cookie(host.lower().lstrip("."), _time(expires), name, value)


def _time(value: str) -> float | None:
    """Seconds since 1970; 0, and what is no number, stand for a cookie that lasts as long as the browser's session."""
    with suppress(ValueError):
        time = float(value)
        if 0 < time < float("inf"):
            return time
    return None
