"""OAuth 2.0 as Panopto has it: what is sent, and what a redirect brings back (pure).

Authorization code with PKCE (RFC 6749, 4.1, and RFC 7636), password (4.3) and refresh (6).  A client with a secret
sends it in the form: in the header there are two ways to encode it, and servers differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from coursefs.errors import NotSignedIn, UsageError
from coursefs.providers.panopto import routes

_SCOPE = "openid api offline_access"


@dataclass(frozen=True, slots=True)
class Client:
    """An API client, as `User Settings > API Clients` of Panopto makes one."""

    id: str
    secret: str = field(default="", repr=False)

    def form(self, grant_type: str, **fields: str) -> bytes:
        """The body of a request to the token endpoint."""
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415  # slow, and seldom needed

        known = {"client_id": self.id, "client_secret": self.secret}
        body: str = prepare_token_request(grant_type, **fields, **known)
        return body.encode()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in in a browser, from the address that it opens to the code that comes back."""

    url: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def code(self, redirect: str) -> str:
        """The code in the address that the browser was sent to.

        Raises `UsageError` for what is no such address or belongs to another attempt, `NotSignedIn` when the platform
        or its user has refused.
        """
        from authlib.oauth2.rfc6749.errors import MismatchingStateException, MissingCodeException  # noqa: PLC0415
        from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response  # noqa: PLC0415

        parts = urlsplit(redirect.strip())
        if parts.path != urlsplit(self.redirect_uri).path or not parts.query:
            raise UsageError(f"this is not the address that the browser was sent to: {self.redirect_uri}?… is meant")
        query = parse_qs(parts.query)
        if "error" in query and query.get("state") == [self.state]:
            raise NotSignedIn(f"the platform did not sign you in: {_plain(query['error'][0])}")
        try:
            return str(parse_authorization_code_response(redirect.strip(), self.state)["code"])
        except MissingCodeException:
            raise UsageError("there is no code in this address; copy all of it") from None
        except MismatchingStateException:
            raise UsageError("this address belongs to another attempt to sign in; use the newest one") from None


def attempt(server: str, client: Client, redirect_uri: str, *, state: str, verifier: str) -> Attempt:
    """A sign-in in a browser; `state` and `verifier` are random, 43 characters of base64url or more."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415  # slow, and seldom needed
    from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415

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
    return Attempt(url, redirect_uri, state, verifier)


def by_code(client: Client, tried: Attempt, code: str) -> bytes:
    """The body that turns a code into tokens."""
    return client.form("authorization_code", code=code, redirect_uri=tried.redirect_uri, code_verifier=tried.verifier)


def by_password(client: Client, username: str, password: str) -> bytes:
    """The body that turns a password of the platform's own (no single sign-on) into tokens."""
    return client.form("password", username=username, password=password, scope=_SCOPE)


def by_refresh(client: Client, refresh: str) -> bytes:
    """The body that renews tokens: written by hand, because a mount that only renews needs no more."""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": client.id}
    return urlencode(fields | ({"client_secret": client.secret} if client.secret else {})).encode()


def _plain(word: str) -> str:
    return "".join(c for c in word if c.isprintable())[:80]
