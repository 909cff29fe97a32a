"""The OAuth 2.0 forms and redirects of Panopto (pure).

Grants: authorization code with PKCE (RFC 6749, 4.1, and RFC 7636), password (4.3) and refresh (6).  A client secret is
sent in the form, because servers differ in how they decode it in the header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from coursefs.errors import NotSignedIn, UsageError
from coursefs.providers.panopto import routes

_SCOPE = "openid api offline_access"


@dataclass(frozen=True, slots=True)
class Client:
    """An API client, as made in Panopto under `User Settings > API Clients`."""

    id: str
    secret: str = field(default="", repr=False)

    def form(self, grant_type: str, **fields: str) -> bytes:
        """The body of a request to the token endpoint."""
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # slow, and seldom needed

        known = {"client_id": self.id, "client_secret": self.secret}
        body: str = prepare_token_request(grant_type, **fields, **known)
        return body.encode()


@dataclass(frozen=True, slots=True)
class BrowserSignIn:
    """A sign-in in a browser: the address to open, and the values that its redirect must match."""

    url: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def code(self, redirect: str) -> str:
        """The authorization code in the redirect's address.

        Raises `UsageError` for another address or that of another attempt, `NotSignedIn` when the platform or the user
        has refused.
        """
        from authlib.oauth2.rfc6749.errors import MismatchingStateException, MissingCodeException
        from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response

        parts = urlsplit(redirect.strip())
        if parts.path != urlsplit(self.redirect_uri).path or not parts.query:
            raise UsageError(f"this is not the address that the browser was sent to; expected {self.redirect_uri}?…")
        query = parse_qs(parts.query)
        if "error" in query and query.get("state") == [self.state]:
            raise NotSignedIn(f"the platform did not sign you in: {_plain(query['error'][0])}")
        try:
            return str(parse_authorization_code_response(redirect.strip(), self.state)["code"])
        except MissingCodeException:
            raise UsageError("there is no code in this address; copy all of it") from None
        except MismatchingStateException:
            raise UsageError("this address belongs to another attempt to sign in; use the newest one") from None


def attempt(server: str, client: Client, redirect_uri: str, *, state: str, verifier: str) -> BrowserSignIn:
    """Prepare a sign-in in a browser; `state` and `verifier` are random, at least 43 characters of base64url."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # slow, and seldom needed
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    url = prepare_grant_uri(
        server + routes.AUTHORIZE,
        client.id,
        "code",
        redirect_uri,
        _SCOPE,
        state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return BrowserSignIn(url, redirect_uri, state, verifier)


def by_code(client: Client, tried: BrowserSignIn, code: str) -> bytes:
    """The form that exchanges a code for tokens."""
    return client.form("authorization_code", code=code, redirect_uri=tried.redirect_uri, code_verifier=tried.verifier)


def by_password(client: Client, username: str, password: str) -> bytes:
    """The form that exchanges a password of Panopto itself (not of single sign-on) for tokens."""
    return client.form("password", username=username, password=password, scope=_SCOPE)


def by_refresh(client: Client, refresh: str) -> bytes:
    """The form that renews tokens; made without authlib, so that a mount need not import it."""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": client.id}
    return urlencode(fields | ({"client_secret": client.secret} if client.secret else {})).encode()


def _plain(word: str) -> str:
    return "".join(c for c in word if c.isprintable())[:80]
