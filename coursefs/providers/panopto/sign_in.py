"""Signing in to Panopto by browser or password, with an API client.

An API client is made on the server under User Settings, API Clients: of the type "Server-side Web Application" for the
sign-in in a browser, with the CORS origin `https://localhost` and the redirect URL `http://localhost:9127/redirect`;
of the type "User Based Server Application" for a password, which must be one of Panopto's own.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable

from coursefs.errors import UsageError
from coursefs.providers.panopto import oauth
from coursefs.providers.panopto.client import ask_for_tokens
from coursefs.providers.panopto.oauth import BrowserSignIn, Client
from coursefs.providers.panopto.settings import client_id
from coursefs.providers.panopto.tokens import REFUSED, Tokens
from coursefs.transport import Transport

#: the port of the redirect URL, which users register with the API client
PORT = 9127


def client_of(text: str) -> Client:
    """The API client in a credentials file: JSON with `client_id` and `client_secret`; a trailing comma is accepted.

    Raises `UsageError`; its message repeats nothing of the file.
    """
    try:
        known = json.loads(re.sub(r",(\s*[}\]])", r"\1", text.lstrip("\ufeff")))
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict) or not isinstance(known.get("client_id"), str):
        raise UsageError('this is not a credentials file; expected {"name": …, "client_id": …, "client_secret": …}')
    secret = known.get("client_secret", "")
    return Client(client_id(known["client_id"]), client_secret(secret) if isinstance(secret, str) else "")


def client_secret(value: str) -> str:
    """A typed or pasted secret of an API client.  Raises `UsageError`; its message does not repeat the secret."""
    value = value.strip()
    if len(value) > 1000 or not value.isascii() or not value.isprintable():
        raise UsageError("this is not a client secret: expected a single line")
    return value


class PanoptoSignIn:
    """The ways to sign in on one server with one API client; each returns the secrets of an account.

    Raises `NotSignedIn` when the platform refuses; its message says what to do.
    """

    def __init__(
        self, transport: Transport, server: str, client: Client, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._transport = transport
        self._server = server
        self._client = client
        self._clock = clock

    def attempt(self, port: int = PORT) -> BrowserSignIn:
        """Start a sign-in in a browser: its address, and the values that its redirect must match."""
        redirect_uri = f"http://localhost:{port}/redirect"
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        return oauth.attempt(self._server, self._client, redirect_uri, state=state, verifier=verifier)

    async def by_redirect(self, attempt: BrowserSignIn, redirect: str) -> dict[str, str]:
        """Complete a sign-in in a browser with the address of its redirect."""
        body = oauth.by_code(self._client, attempt, attempt.code(redirect))
        return self._kept(await self._ask(body))

    async def by_password(self, username: str, password: str) -> dict[str, str]:
        """Sign in with a password of Panopto itself.

        The secrets include the password only if the platform gives no refresh token.
        """
        body = oauth.by_password(self._client, username, password)
        tokens = await self._ask(body, refused="wrong user name or password")
        kept = self._kept(tokens)
        return kept if tokens.refresh else {**kept, "username": username, "password": password}

    async def _ask(self, body: bytes, refused: str = REFUSED) -> Tokens:
        return await ask_for_tokens(self._transport, self._server, body, now=self._clock(), refused=refused)

    def _kept(self, tokens: Tokens) -> dict[str, str]:
        secret = {"client_secret": self._client.secret} if self._client.secret else {}
        return {**tokens.secrets(), **secret}
