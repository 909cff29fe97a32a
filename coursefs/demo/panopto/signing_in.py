"""The sign-in of a sample server: OAuth 2.0 with an access token for the API, and a cookie for media."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

REDIRECT = "http://localhost:9127/redirect"
WEB, USER_BASED = "web", "user"
COOKIE = ".ASPXAUTH"
WEB_CLIENT, USER_CLIENT = "demo-web-client", "demo-user-client"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """An API client as a user of the server has made it."""

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
    """Who is signed in.

    `now` gives seconds since 1970; access tokens live `life` seconds, cookies until `end_cookies`.
    """

    def __init__(self, now: Callable[[], float], *, life: float = 3600.0) -> None:
        self.clients = {
            one.id: one
            for one in (
                ApiClient(WEB_CLIENT, secrets.token_urlsafe(32)),
                ApiClient(USER_CLIENT, secrets.token_urlsafe(32), USER_BASED),
            )
        }
        self.username, self.password = "learner", secrets.token_urlsafe(12)
        self.redirects = {REDIRECT}  # registered with the clients
        self.refreshes = True  # whether refresh tokens are given out
        self._now = now
        self._life = life
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, float] = {}
        self._refresh: dict[str, str] = {}  # token -> client
        self._cookies: set[str] = set()

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
        """What a person needs to sign in with a password."""
        client = self.clients[USER_CLIENT]
        names = ("client_id", "client_secret", "username", "password")
        return dict(zip(names, (client.id, client.secret, self.username, self.password), strict=True))

    def end_access(self) -> None:
        """Let every access token end now."""
        self._access.clear()

    def end_refresh(self) -> None:
        """Let every refresh token end now."""
        self._refresh.clear()

    def end_cookies(self) -> None:
        """Let every cookie end now."""
        self._cookies.clear()

    def bears(self, request: Request) -> bool:
        """Whether a request has an access token that holds."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and self._access.get(token, 0.0) > self._now()

    def has_cookie(self, request: Request) -> bool:
        """Whether a request has a cookie that holds."""
        return request.cookies.get(COOKIE, "") in self._cookies

    def new_cookie(self) -> str:
        """The cookie that the token of a request is turned into."""
        value = secrets.token_hex(32).upper()
        self._cookies.add(value)
        return value

    async def authorize(self, request: Request) -> Response:
        """The page of the sign-in: whoever comes is signed in already and agrees."""
        query = request.query_params
        client = self.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri") not in self.redirects:
            return Response("<html><h1>invalid_request</h1></html>", 400, media_type="text/html")
        if client.kind != WEB or query.get("response_type") != "code":
            return _back({"error": "unauthorized_client"}, query)
        scope = frozenset(query.get("scope", "").split())
        if not {"openid", "api"} <= scope:
            return _back({"error": "invalid_scope"}, query)
        if query.get("code_challenge_method") != "S256":
            return _back({"error": "invalid_request"}, query)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(client.id, query["redirect_uri"], query.get("code_challenge", ""), scope)
        return _back({"code": code}, query)

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        client = self.clients.get(form.get("client_id", ""))
        if client is None or not secrets.compare_digest(form.get("client_secret", ""), client.secret):
            return _error("invalid_client")
        match form.get("grant_type"):
            case "authorization_code":
                code = self._codes.pop(form.get("code", ""), None)
                if code is None or (code.client, code.redirect_uri) != (client.id, form.get("redirect_uri")):
                    return _error("invalid_grant")
                if code.challenge != _challenge(form.get("code_verifier", "")):
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, code.scope))
            case "password":
                if client.kind != USER_BASED:
                    return _error("unauthorized_client")
                if (form.get("username"), form.get("password")) != (self.username, self.password):
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, frozenset(form.get("scope", "").split())))
            case "refresh_token":
                if self._refresh.pop(form.get("refresh_token", ""), None) != client.id:  # each is good for one use
                    return _error("invalid_grant")
                return JSONResponse(self._tokens(client.id, frozenset({"offline_access"})))
            case _:
                return _error("unsupported_grant_type")

    def _tokens(self, client_id: str, scope: frozenset[str]) -> Mapping[str, object]:
        claims = {"sub": "5c4b3a29-0000-4000-8000-demo00000001", "client_id": client_id}
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


def _base64(claims: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def _back(answer: Mapping[str, str], query: Mapping[str, str]) -> Response:
    state = {"state": query["state"]} if "state" in query else {}
    return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**answer, **state})}", 302)


def _error(name: str) -> Response:
    return JSONResponse({"error": name}, 400)
