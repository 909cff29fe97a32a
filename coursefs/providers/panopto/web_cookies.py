"""The cookies of a browser that is signed in to a Panopto server, as the secrets of an account (pure).

Fact: `.ASPXAUTH` is the sign-in, and the only cookie that downloads need; `csrfToken` goes with requests by POST, and
is repeated in the header `x-csrf-token`.  Both are session cookies: they have no end of their own.  No other cookie is
taken.  No message here repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.providers.kit.cookies import Cookie
from coursefs.providers.panopto.cookie import set_cookies

AUTH, CSRF = ".ASPXAUTH", "csrfToken"
#: the characters allowed in a cookie's value (RFC 6265, 4.1.1)
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class WebCookies:
    """The two cookies; `csrf` is "" when it is not known."""

    auth: str = field(repr=False)
    csrf: str = field(default="", repr=False)

    @property
    def header(self) -> str:
        """The value of the header `Cookie`."""
        return f"{AUTH}={self.auth}" + (f"; {CSRF}={self.csrf}" if self.csrf else "")

    def secrets(self) -> dict[str, str]:
        """The cookies as secrets to store."""
        return {"aspxauth": self.auth, "csrf_token": self.csrf}

    def updated(self, headers: Iterable[str]) -> WebCookies:
        """The cookies after these `Set-Cookie` headers of the same server; one that is deleted stays as it was."""
        found = {name.casefold(): value for name, value in set_cookies(headers)}
        auth, csrf = found.get(AUTH.casefold(), ""), found.get(CSRF.casefold(), "")
        return WebCookies(auth if _VALUE.fullmatch(auth) else self.auth, csrf if _VALUE.fullmatch(csrf) else self.csrf)


def kept_cookies(secrets: Mapping[str, str]) -> WebCookies | None:
    """The cookies among the secrets of an account; None when there are none."""
    auth, csrf = secrets.get("aspxauth", ""), secrets.get("csrf_token", "")
    return WebCookies(auth, csrf if _VALUE.fullmatch(csrf) else "") if _VALUE.fullmatch(auth) else None


def from_value(value: str) -> WebCookies:
    """The cookies from a typed or pasted value of `.ASPXAUTH`, which may include its name or quotes.

    Raises `UsageError` for a text that cannot be a cookie's value.
    """
    value = value.strip().removesuffix(";").strip().strip("\"'").strip()
    if value[: len(AUTH) + 1].upper() == f"{AUTH}=":
        value = value[len(AUTH) + 1 :].strip().strip("\"'")
    if not value:
        raise UsageError(f"the value of the cookie {AUTH} is empty")
    if not _VALUE.fullmatch(value) or value.startswith(("http://", "https://", "{", "[")):
        raise UsageError(f"this is not the value of the cookie {AUTH}; expected a single long word without blanks")
    return WebCookies(value)


def from_cookies(cookies: Iterable[Cookie], *, host: str, now: float, where: str, again: str) -> WebCookies:
    """The cookies for `host` among those of a browser or a file; `where` and `again` are parts of the messages.

    A cookie of the host itself goes before one of a domain above it.  `now`: seconds since 1970.  Raises `NotSignedIn`
    when the sign-in has ended, and `CoursefsError` when there is none.
    """
    own = [one for one in cookies if host == one.host or (one.host and host.endswith(f".{one.host}"))]
    auth, csrf = _best(own, AUTH), _best(own, CSRF)
    if auth is None:
        raise CoursefsError(
            f"there is no cookie {AUTH} of {host} in {where}: sign in there with the browser, then {again}"
        )
    if auth.expires is not None and auth.expires <= now:
        raise NotSignedIn(f"the sign-in in {where} has ended: sign in to {host} with the browser, then {again}")
    if not _VALUE.fullmatch(auth.value):
        raise CoursefsError(f"the cookie {AUTH} of {host} in {where} is broken: {again}")
    return WebCookies(auth.value, csrf.value if csrf is not None and _VALUE.fullmatch(csrf.value) else "")


def _best(cookies: Iterable[Cookie], name: str) -> Cookie | None:
    found = [one for one in cookies if one.name.casefold() == name.casefold() and one.value]
    return max(
        found, key=lambda one: (len(one.host), float("inf") if one.expires is None else one.expires), default=None
    )
