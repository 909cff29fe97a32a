"""Tokens: the forms that ask for them, the replies that bring them, and what a refusal of one means (pure).

`POST {server}/oauth2/access_token/`, form encoded.  A token is either a JWT, which lives minutes and goes into
`Authorization: JWT …`, or a bearer token; the reply says which it is, whatever was asked for.
"""

from __future__ import annotations

import enum
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.fields import Json, integer, record, text
from coursefs.transport import Reply

#: seconds before its end from which a token is no longer used: it must last until the request has arrived
MARGIN = 60.0
_TOKEN = re.compile(r"[!-~]{1,16384}")


@dataclass(frozen=True, slots=True)
class Token:
    """What an API request says to show who it is from."""

    access: str = field(repr=False)
    kind: str  # "JWT" or "Bearer"
    expires: float | None = None  # seconds since 1970
    refresh: str = field(default="", repr=False)  # with which the next one can be had

    @property
    def headers(self) -> dict[str, str]:
        """For requests to the server that gave it."""
        return {"Authorization": f"{self.kind} {self.access}"}

    def is_good(self, now: float) -> bool:
        """Whether it can still be used, going by the server's word."""
        return self.expires is None or now < self.expires - MARGIN

    def secrets(self) -> dict[str, str]:
        """As an account's secrets keep it."""
        kept = {"access_token": self.access, "token_kind": self.kind, "refresh_token": self.refresh}
        return kept | ({} if self.expires is None else {"access_expires": f"{self.expires:.0f}"})


def kept_token(secrets: dict[str, str]) -> Token | None:
    """The token in an account's secrets; None where there is none, or where it is damaged."""
    access, refresh = secrets.get("access_token", ""), secrets.get("refresh_token", "")
    if not _TOKEN.fullmatch(access) or not _TOKEN.fullmatch(refresh or "-"):
        return None
    expires = None
    with suppress(KeyError, ValueError):
        expires = float(secrets["access_expires"])
    return Token(access, "JWT" if secrets.get("token_kind") == "JWT" else "Bearer", expires, refresh)


def client_credentials(client_id: str, client_secret: str, token_type: str) -> bytes:
    """The form with which an application signs in as the user that it belongs to."""
    return _form("client_credentials", client_id=client_id, client_secret=client_secret, token_type=token_type)


def password(client_id: str, username: str, password: str, token_type: str, client_secret: str = "") -> bytes:
    """The form with which a learner signs in, as the platform's own apps do: a public client has no secret."""
    user = {"username": username, "password": password, "client_secret": client_secret}
    return _form("password", client_id=client_id, **user, token_type=token_type, asymmetric_jwt="true")


def refresh(client_id: str, refresh_token: str, token_type: str, client_secret: str = "") -> bytes:
    """The form that asks for the next token."""
    token = {"refresh_token": refresh_token, "client_secret": client_secret}
    return _form("refresh_token", client_id=client_id, **token, token_type=token_type, asymmetric_jwt="true")


def _form(grant_type: str, **fields: str) -> bytes:
    return urlencode({"grant_type": grant_type, **{name: value for name, value in fields.items() if value}}).encode()


def token_of(reply: Reply, now: float) -> Token:
    """The token that a reply brings.  Raises `NotSignedIn` when what was shown for it is refused, else `BadReply`."""
    body = _object(reply.body)
    access = text(body, "access_token")
    if reply.status == 200 and _TOKEN.fullmatch(access):
        lives = integer(body, "expires_in")
        kind = "JWT" if text(body, "token_type").upper() == "JWT" else "Bearer"
        refresh_token = text(body, "refresh_token")
        return Token(
            access,
            kind,
            now + lives if lives is not None and lives > 0 else None,
            refresh_token if _TOKEN.fullmatch(refresh_token) else "",
        )
    raise _refusal(reply.status, text(body, "error"))


def _refusal(status: int, error: str) -> CoursefsError:
    match error:
        case "invalid_grant" | "access_denied":
            return NotSignedIn("the platform does not accept this sign-in")
        case "invalid_client" | "unauthorized_client":
            return NotSignedIn("the platform does not accept the client id, or not its secret")
        case "unsupported_grant_type":
            return NotSignedIn("this client id is not meant for this way to sign in")
    if status in {401, 403}:
        return NotSignedIn("the platform refuses to give a token")
    return BadReply(f"the platform answered HTTP {status} without a token")


class Remedy(enum.Enum):
    """What helps against an answer to a request with a token or a cookie."""

    NONE = enum.auto()  # nothing is wrong with the sign-in
    RENEW = enum.auto()  # the token has ended: the next one helps
    SIGN_IN = enum.auto()  # it is not known (any more): sign in again
    STOP = enum.auto()  # the user is switched off: nothing helps


_EXPIRED = frozenset({"token_expired", "Token has expired.", "Signature has expired."})
_DISABLED = frozenset({"user_not_active", "User account is disabled."})
_UNSUITED = frozenset({"non_supported_token", "non_asymmetric_token"})
_NOT_SHOWN = "Authentication credentials were not provided."


def remedy(status: int, body: bytes) -> Remedy:
    """What an answer of an API asks for.

    401 says what is wrong in `error_code`, or in `detail`, and either may lie within `developer_message`.  Where a
    session is all that a view takes, it answers 403 to those whose session has ended.  A token that is good but of the
    wrong kind for what it is shown for (an application's, where only learners have something) is not a dead one.
    """
    if status not in {401, 403}:
        return Remedy.NONE
    outer = _object(body)
    inner = record(outer, "developer_message")
    said = {text(source, name) for source in (outer, inner) for name in ("error_code", "detail", "developer_message")}
    if status == 403:
        return Remedy.SIGN_IN if _NOT_SHOWN in said else Remedy.NONE
    if said & _UNSUITED:
        return Remedy.NONE
    if said & _DISABLED or any(one.startswith("User inactive or deleted") for one in said):
        return Remedy.STOP
    return Remedy.RENEW if said & _EXPIRED else Remedy.SIGN_IN


def _object(body: bytes) -> Json:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
