"""The sign-in of a sample server: OAuth 2.0 access tokens for the API, and a cookie for media and for the web site.

As on the real platform, the token endpoint takes the client's secret in the form or by HTTP Basic, and the
authorization page works with PKCE or without it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_plus, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

REDIRECT = "http://localhost:9127/redirect"
WEB, USER_BASED = "web", "user"
COOKIE, CSRF = ".ASPXAUTH", "csrfToken"
#: the signed-in user, as the platform writes ids in tokens; the viewer writes them in capitals
USER_ID = "5c4b3a29-0000-4000-8000-0de300000001"
USER_NAME, USER_KEY = "Ada Learner", "unified\\ada"
WEB_CLIENT, USER_CLIENT = "demo-web-client", "demo-user-client"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """An API client that a user of the server has registered."""

    id: str
    secret: str = field(repr=False)
    kind: str = WEB


@dataclass(frozen=True, slots=True)
class _Code:
    client: str
    redirect_uri: str
    challenge: str
    scope: frozenset[str]


class SignIns:
    """The tokens and cookies of the server.

    `now` returns seconds since 1970; access tokens are valid for `life` seconds, cookies until `end_cookies`.
    `offers_clients`: whether the users of this server may make API clients.
    """

    def __init__(self, now: Callable[[], float], *, life: float = 3600.0, offers_clients: bool = True) -> None:
        self.clients = {
            one.id: one
            for one in (
                ApiClient(WEB_CLIENT, secrets.token_urlsafe(32)),
                ApiClient(USER_CLIENT, secrets.token_urlsafe(32), USER_BASED),
            )
            if offers_clients
        }
        self.username, self.password = "learner", secrets.token_urlsafe(12)
        self.redirects = {REDIRECT}  # registered with the clients
        self.refreshes = True  # whether refresh tokens are issued
        self._now = now
        self._life = life
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, float] = {}
        self._refresh: dict[str, str] = {}  # token -> client
        self._cookies: set[str] = set()
        self._renewable: set[str] = set()  # cookies that have ended, of browsers that are still signed in
        self._csrf: dict[str, str] = {}  # cookie -> the token of its browser

    def grant(self, client_id: str = WEB_CLIENT) -> dict[str, str]:
        """The secrets of an account that has signed in."""
        tokens = self._tokens(client_id, frozenset({"offline_access"}))
        return {
            "client_secret": self.clients[client_id].secret,
            "access_token": str(tokens["access_token"]),
            "access_expires": str(int(self._now() + self._life)),
            "refresh_token": str(tokens["refresh_token"]),
        }

    def by_password(self) -> dict[str, str]:
        """The data that a user needs to sign in with a password."""
        client = self.clients[USER_CLIENT]
        names = ("client_id", "client_secret", "username", "password")
        return dict(zip(names, (client.id, client.secret, self.username, self.password), strict=True))

    def end_access(self) -> None:
        """Expire all access tokens."""
        self._access.clear()

    def end_refresh(self) -> None:
        """Expire all refresh tokens."""
        self._refresh.clear()

    def end_cookies(self, *, renewable: bool = False) -> None:
        """Expire all cookies; `renewable`: the sign-in page still gives a new one for an old one."""
        self._renewable = set(self._cookies) if renewable else set()
        self._cookies.clear()

    def browser(self) -> dict[str, str]:
        """The cookies of a browser that has signed in just now."""
        cookie = self.new_cookie()
        return {COOKIE: cookie, CSRF: self.csrf_of(cookie)}

    def csrf_of(self, cookie: str) -> str:
        """The token against forged requests that goes with a cookie, and with those that renew it."""
        return self._csrf.setdefault(cookie, secrets.token_urlsafe(24))

    def renewed(self, request: Request) -> str:
        """The new cookie for a request with an old one that can be renewed; "" for any other."""
        old = request.cookies.get(COOKIE, "")
        if old not in self._renewable:
            return ""
        self._renewable.discard(old)
        return self.new_cookie(old)

    def bears(self, request: Request) -> bool:
        """Whether a request has a valid access token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and self._access.get(token, 0.0) > self._now()

    def has_cookie(self, request: Request) -> bool:
        """Whether a request has a valid cookie."""
        return request.cookies.get(COOKIE, "") in self._cookies

    def new_cookie(self, old: str = "") -> str:
        """A new cookie; `old`: of the same browser, and not ended by it."""
        value = secrets.token_hex(32).upper()
        self._cookies.add(value)
        if old:
            self._csrf[value] = self.csrf_of(old)
        return value

    async def authorize(self, request: Request) -> Response:
        """The authorization page: the user counts as signed in and as consenting."""
        query = request.query_params
        client = self.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri") not in self.redirects:
            return Response("<html><h1>invalid_request</h1></html>", 400, media_type="text/html")
        if client.kind != WEB or query.get("response_type") != "code":
            return _back({"error": "unauthorized_client"}, query)
        scope = frozenset(query.get("scope", "").split())
        if not {"openid", "api"} <= scope:
            return _back({"error": "invalid_scope"}, query)
        if query.get("code_challenge_method", "S256") != "S256":
            return _back({"error": "invalid_request"}, query)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(client.id, query["redirect_uri"], query.get("code_challenge", ""), scope)
        return _back({"code": code}, query)

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        client_id, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        client = self.clients.get(client_id)
        if client is None or not secrets.compare_digest(secret.encode(), client.secret.encode()):
            return _error("invalid_client")
        match form.get("grant_type"):
            case "authorization_code":
                code = self._codes.pop(form.get("code", ""), None)
                if code is None or (code.client, code.redirect_uri) != (client.id, form.get("redirect_uri")):
                    return _error("invalid_grant")
                if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, code.scope))
            case "password":
                if client.kind != USER_BASED:
                    return _error("unauthorized_client")
                if (form.get("username"), form.get("password")) != (self.username, self.password):
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, frozenset(form.get("scope", "").split())))
            case "refresh_token":
                if self._refresh.pop(form.get("refresh_token", ""), None) != client.id:  # each is valid once
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, frozenset({"offline_access"})))
            case _:
                return _error("unsupported_grant_type")

    def _tokens(self, client_id: str, scope: frozenset[str]) -> Mapping[str, object]:
        claims = {"sub": USER_ID, "client_id": client_id}
        access = ".".join((_base64({"alg": "RS256"}), _base64(claims), secrets.token_urlsafe(32)))
        self._access[access] = self._now() + self._life
        reply: dict[str, object] = {"access_token": access, "expires_in": int(self._life), "token_type": "Bearer"}
        if self.refreshes and "offline_access" in scope:
            refresh = secrets.token_hex(32)
            self._refresh[refresh] = client_id
            reply["refresh_token"] = refresh
        return reply


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _basic(request: Request) -> tuple[str, str] | None:
    """The id and the secret of a client in the header (RFC 6749, 2.3.1); None when they are not there."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _base64(claims: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def _back(answer: Mapping[str, str], query: Mapping[str, str]) -> Response:
    state = {"state": query["state"]} if "state" in query else {}
    return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**answer, **state})}", 302)


def _error(name: str) -> Response:
    return JSONResponse({"error": name}, 400)
