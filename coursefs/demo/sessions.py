"""Sessions: cookie values, and the sign-in by e-mail and password (pure, but for random values).

`login/v3` is protected by double submit: the token of the cookie `csrftoken` is repeated in `X-CSRFToken`, and
`X-CSRF2-Cookie` names a cookie `csrf2_token_…` whose value is repeated in `X-CSRF2-Token`. Any matching values are
accepted.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from coursefs.demo.naptime import Refusal, invalid

EMAIL = "learner@example.org"
PASSWORD = "correct horse"  # noqa: S105  # of the sample platform
#: lifetime of a session in seconds, according to cookies files of 2019
LIFE = 50 * 86_400


class Sessions:
    """The sessions of the one learner. With `captcha` no password is accepted, as since 2019."""

    def __init__(self, *, captcha: bool = True) -> None:
        self._captcha = captcha
        self.cauth = secrets.token_urlsafe(96)

    def holds(self, offered: str) -> bool:
        """Whether this cookie value is a valid session."""
        return secrets.compare_digest(offered.encode(), self.cauth.encode())

    def renew(self) -> str:
        """End the session and begin a new one."""
        self.cauth = secrets.token_urlsafe(96)
        return self.cauth

    def log_in(self, headers: Mapping[str, str], cookies: Mapping[str, str], body: bytes) -> str:
        """The cookie value for a request to `login/v3`.  Raises `Refusal`."""
        if self._captcha:
            raise invalid("captcha")
        second = headers.get("x-csrf2-cookie", "")
        if not (
            _match(cookies.get("csrftoken"), headers.get("x-csrftoken"))
            and second.startswith("csrf2_token_")
            and _match(cookies.get(second), headers.get("x-csrf2-token"))
        ):
            raise Refusal(403, {"errorCode": "Invalid CSRF Token", "message": None, "details": None})
        given = _form(headers.get("content-type", ""), body)
        if given.get("webrequest") not in {True, "true"}:
            raise invalid("webrequest is missing")
        if (given.get("email"), given.get("password")) != (EMAIL, PASSWORD):
            raise Refusal(401, {"errorCode": "invalidEmailOrPassword", "message": None, "details": None})
        return self.cauth


def _match(cookie: str | None, header: str | None) -> bool:
    return bool(cookie) and cookie == header


def _form(content_type: str, body: bytes) -> Mapping[str, object]:
    """The fields of a body, JSON or a form.  Raises `Refusal` (400)."""
    try:
        if content_type.startswith("application/json"):
            fields = json.loads(body)
            if isinstance(fields, dict):
                return fields
        elif content_type.startswith("application/x-www-form-urlencoded"):
            return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    except ValueError:
        pass  # refused below, as every malformed body
    raise invalid("the body cannot be read")
