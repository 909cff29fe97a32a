"""OAuth tokens: the forms that request them, the replies with them, and the meaning of a refusal (pure).

`POST {server}/oauth2/access_token/`, form encoded.  A token is either a JWT, which lasts minutes and is sent as
`Authorization: JWT …`, or a bearer token.  The reply says which it is; it may differ from the requested kind.
"""

from __future__ import annotations

import enum
import re
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.kit.fields import Json, integer, record, text
from coursefs.transport import Reply, parse_json

#: seconds before its expiry from which a token is no longer used: it must be valid when the request arrives
MARGIN = 60.0
_TOKEN = re.compile(r"[!-~]{1,16384}")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token with its refresh token."""

    access: str = field(repr=False)
    kind: str  # "JWT" or "Bearer"
    expires: float | None = None  # seconds since 1970
    refresh: str = field(default="", repr=False)  # the refresh token; "": none

    @property
    def headers(self) -> dict[str, str]:
        """The headers for requests to the server that issued the token."""
        return {"Authorization": f"{self.kind} {self.access}"}

    def is_good(self, now: float) -> bool:
        """Whether it is still valid, by the server's expiry time."""
        return self.expires is None or now < self.expires - MARGIN

    def secrets(self) -> dict[str, str]:
        """The token as secrets to store."""
        kept = {"access_token": self.access, "token_kind": self.kind, "refresh_token": self.refresh}
        return kept | ({} if self.expires is None else {"access_expires": f"{self.expires:.0f}"})


def kept_token(secrets: dict[str, str]) -> Token | None:
    """The token in an account's secrets; None when there is none or it is damaged."""
    access, refresh = secrets.get("access_token", ""), secrets.get("refresh_token", "")
    if not _TOKEN.fullmatch(access) or not _TOKEN.fullmatch(refresh or "-"):
        return None
    expires = None
    with suppress(KeyError, ValueError):
        expires = float(secrets["access_expires"])
    return Token(access, "JWT" if secrets.get("token_kind") == "JWT" else "Bearer", expires, refresh)


def client_credentials(client_id: str, client_secret: str, token_type: str) -> bytes:
    """The form by which an application signs in as the user to whom it belongs."""
    return _form("client_credentials", client_id=client_id, client_secret=client_secret, token_type=token_type)


def password(client_id: str, username: str, password: str, token_type: str, client_secret: str = "") -> bytes:
    """The form by which a learner signs in, as in the platform's own apps; a public client has no secret."""
    user = {"username": username, "password": password, "client_secret": client_secret}
    return _form("password", client_id=client_id, **user, token_type=token_type, asymmetric_jwt="true")


def refresh(client_id: str, refresh_token: str, token_type: str, client_secret: str = "") -> bytes:
    """The form that requests the next token."""
    token = {"refresh_token": refresh_token, "client_secret": client_secret}
    return _form("refresh_token", client_id=client_id, **token, token_type=token_type, asymmetric_jwt="true")


def _form(grant_type: str, **fields: str) -> bytes:
    return urlencode({"grant_type": grant_type, **{name: value for name, value in fields.items() if value}}).encode()


def token_of(reply: Reply, now: float, refused: str = "the platform does not accept this sign-in") -> Token:
    """The token in a reply; `refused` says that the credentials are wrong.

    Raises `NotSignedIn` when the credentials are refused, `BadReply` for other replies.
    """
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
    raise _refusal(reply.status, text(body, "error"), refused)


def _refusal(status: int, error: str, refused: str) -> CoursefsError:
    match error:
        case "invalid_grant" | "access_denied":
            return NotSignedIn(refused)
        case "invalid_client" | "unauthorized_client":
            return NotSignedIn("the platform does not accept the client id, or not its secret")
        case "unsupported_grant_type":
            return NotSignedIn("this client id is not meant for this way to sign in")
    if status in {401, 403}:
        return NotSignedIn("the platform refuses to give a token")
    return BadReply(f"the platform answered HTTP {status} without a token")


class Remedy(enum.Enum):
    """The remedy for a reply to a request with a token or a cookie."""

    NONE = enum.auto()  # nothing is wrong with the sign-in
    RENEW = enum.auto()  # the token has expired: renew it
    SIGN_IN = enum.auto()  # the server does not know it (any more): sign in again
    STOP = enum.auto()  # the user is disabled: nothing helps


_EXPIRED = frozenset({"token_expired", "Token has expired.", "Signature has expired."})
_DISABLED = frozenset({"user_not_active", "User account is disabled."})
_UNSUITED = frozenset({"non_supported_token", "non_asymmetric_token"})
_NO_CREDENTIALS = "Authentication credentials were not provided."
_ANONYMOUS = "Anonymous users cannot access another user's blocks."
#: most bytes of a reply with a course's metadata
_SHORT = 2**16


def remedy(status: int, body: bytes) -> Remedy:
    """The remedy for a reply of the API.

    A 401 has its reason in `error_code` or `detail`, and either may be within `developer_message`; a 401 with plain
    text is about the learner's enrolment, not the sign-in.  A view that accepts only sessions answers 403 to an ended
    session, as do the blocks; a course's metadata answer 200.  A valid token of the wrong kind (that of an application
    for something that only learners have) has not ended.
    """
    if status == 200 and len(body) < _SHORT and b'"authentication_required"' in body:
        code = text(record(_object(body), "course_access"), "error_code")
        return Remedy.SIGN_IN if code == "authentication_required" else Remedy.NONE
    if status not in {401, 403} or body.lstrip()[:1] == b'"':
        return Remedy.NONE
    outer = _object(body)
    inner = record(outer, "developer_message")
    said = {text(source, name) for source in (outer, inner) for name in ("error_code", "detail", "developer_message")}
    if status == 403:
        return Remedy.SIGN_IN if said & {_NO_CREDENTIALS, _ANONYMOUS} else Remedy.NONE
    if said & _UNSUITED:
        return Remedy.NONE
    if said & _DISABLED or any(one.startswith("User inactive or deleted") for one in said):
        return Remedy.STOP
    return Remedy.RENEW if said & _EXPIRED else Remedy.SIGN_IN


def was_not_looked_at(status: int, body: bytes) -> bool:
    """Whether a reply to a bearer token is from a view that does not accept bearer tokens.

    Such a reply says, in the site's language, that no credentials were given; for a bad token there is a code.
    """
    outer = _object(body)
    has_code = any(text(source, "error_code") for source in (outer, record(outer, "developer_message")))
    return status == 401 and bool(text(outer, "detail")) and not has_code


def _object(body: bytes) -> Json:
    content = parse_json(body)
    return content if isinstance(content, dict) else {}
