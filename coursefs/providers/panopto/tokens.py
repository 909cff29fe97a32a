"""The tokens of a sign-in: parsed from replies, and stored as secrets (pure)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from coursefs.errors import BadReply, CoursefsError, NoAnswer, NotSignedIn
from coursefs.providers.panopto.replies import said, text
from coursefs.transport import parse_json

#: life of an access token in seconds when the reply does not give it: the platform's usual hour, less a margin
_LIFE = 3000.0
#: what is said of refused credentials
REFUSED = "the platform does not accept this sign-in (any more)"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a sign-in.  Their values are in no message and no repr."""

    access: str = field(repr=False)
    expires: float  # of the access token, seconds since 1970
    refresh: str = field(default="", repr=False)  # "": there is none

    def secrets(self) -> dict[str, str]:
        """The tokens as secrets to store."""
        return {
            "access_token": self.access,
            "access_expires": f"{self.expires:.0f}",
            "refresh_token": self.refresh,
        }


def kept(secrets: Mapping[str, str]) -> Tokens | None:
    """The tokens among the secrets of an account; None when there are none."""
    access, refresh = secrets.get("access_token", ""), secrets.get("refresh_token", "")
    if not access and not refresh:
        return None
    expires = 0.0
    with suppress(KeyError, ValueError):
        expires = float(secrets["access_expires"])
    return Tokens(access, expires, refresh)


def granted(status: int, body: bytes, *, now: float, refresh: str = "", refused: str = REFUSED) -> Tokens:
    """The tokens in a reply of the token endpoint; `refresh` stays the refresh token if the reply has no new one.

    `refused` says that the credentials are wrong.

    `now`: seconds since 1970.  Raises `NotSignedIn` when the platform refuses (HTTP 400 and 401 with an `error`),
    `NoAnswer` or `BadReply` for any other reply without tokens.
    """
    content = parse_json(body)
    if not isinstance(content, dict):
        raise _no_answer(status)
    if status in {400, 401} and "error" in content:
        raise NotSignedIn(_refusal(text(content, "error"), text(content, "error_description"), refused))
    access = text(content, "access_token")
    if status != 200 or not access or not _fits_a_header(access):
        raise _no_answer(status)
    life = content.get("expires_in")
    seconds = float(life) if isinstance(life, (int, float)) and 0 < life < 1e8 else _LIFE
    return Tokens(access, now + seconds, text(content, "refresh_token") or refresh)


def user_of(access: str) -> str:
    """The platform's id of the token's user; "" when the token is no JWT with this id.

    The signature is not verified: the id only names the account on this machine, and grants no access.
    """
    parts = access.split(".")
    if len(parts) != 3:
        return ""
    with suppress(ValueError, BadReply):
        claims = parse_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        if isinstance(claims, dict):
            return "".join(c for c in text(claims, "sub") if c.isprintable())[:100]
    return ""


def _refusal(error: str, description: str, refused: str) -> str:
    """What the user can do about an error; its names are from RFC 6749, 5.2."""
    match error:
        case "invalid_client":
            return "the platform does not know this client id, or the client secret is wrong"
        case "unauthorized_client":
            return (
                "this API client is of another type: the sign-in in the browser needs a Server-side Web Application, "
                "the one with a password a User Based Server Application"
            )
        case "invalid_grant":
            return refused
        case _:
            words = said({"Message": description or error})
            return f"the platform refuses to sign in: {words or 'it does not say why'}"


def _no_answer(status: int) -> CoursefsError:
    if status == 429 or status >= 500:
        return NoAnswer(f"sign-in: the platform answered HTTP {status}; try again later")
    return BadReply(f"sign-in: the platform answered HTTP {status} without a token")


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token
