"""Open edX: the courses of any server that runs it, read with the learner's own sign-in."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from coursefs.errors import UsageError
from coursefs.providers.base import Account, Provider
from coursefs.providers.openedx.client import BURST, RATE, OpenEdxClient, OpenEdxReader
from coursefs.providers.openedx.oauth import kept_token
from coursefs.providers.openedx.provider import OpenEdxProvider
from coursefs.providers.openedx.session import Session, SignIn
from coursefs.transport import Bucket, Transport, require_safe_url

__all__ = ["OpenEdxClient", "OpenEdxReader", "Session", "SignIn", "provider"]


def provider(account: Account, transport: Transport) -> Provider:
    """Open edX for this account (entry point).  No request is made.

    Settings: `server`, and `client_id` and `token_type` (`jwt` or `bearer`) for sign-ins with tokens.  Secrets:
    `client_secret`, or `access_token` with `token_kind`, `access_expires` and `refresh_token`, or `cookies`; `user_id`
    is the platform's name for the learner, and `expires` (seconds since 1970) is when the sign-in ends.  Raises
    `UsageError` for settings that make no sense; a missing sign-in shows with the first request.
    """
    secrets = dict(account.secrets)
    sign_in = SignIn(
        client_id=account.settings.get("client_id", ""),
        client_secret=secrets.get("client_secret", ""),
        token=kept_token(secrets),
        cookies=secrets.get("cookies", ""),
        token_type=account.settings.get("token_type", "jwt"),
    )
    server = server_address(account.settings.get("server", ""))
    session = Session(transport, server, sign_in, account=account.name, vault=account.vault)
    expires: float | None = None
    with suppress(KeyError, ValueError):
        expires = float(secrets["expires"])
    return OpenEdxProvider(
        OpenEdxReader(session, bucket=Bucket(RATE, BURST)),
        session,
        username=secrets.get("user_id", ""),
        wanted=account.wanted,
        expires=expires,
    )


def server_address(value: str) -> str:
    """The address of a server without a slash at its end.  Raises `UsageError`."""
    if not value:
        raise UsageError('server: the address of the school\'s Open edX is missing, such as "https://lms.example.com"')
    require_safe_url(value)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError("server: an address such as https://lms.example.com is meant")
    return value.rstrip("/")
