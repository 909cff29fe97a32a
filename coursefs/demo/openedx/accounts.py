"""The users of the server, and their tokens and sessions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

APP = "demo-app"  # a public client, as for the platform's own apps
SERVICE = "demo-service"  # an application with a secret; it belongs to the staff user
STAFF = "staff"
#: seconds that sessions live: had for a token, and by the login page
EXCHANGED, LOGGED_IN = 14 * 86_400, 28 * 86_400


@dataclass(frozen=True, slots=True)
class Token:
    """An access token."""

    user: str
    grant: str
    kind: str  # JWT or Bearer
    ends: float
    refresh: str | None = None


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session of the web site; using it does not extend it."""

    user: str
    ends: float


class OAuthError(Exception):
    """An error of the token endpoint: status, and error code of RFC 6749."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Unauthorized(Exception):
    """401, with the body that the platform sends in this case."""

    def __init__(self, body: Mapping[str, str]) -> None:
        super().__init__(str(body))
        self.body = body


@dataclass
class Accounts:
    """The users of the server. `life` is that of tokens in seconds; `now` returns seconds since 1970.

    `refuses` returns whether all sessions have ended, as when the server's cache is cleared.
    """

    now: Callable[[], float]
    life: int = 3600
    refuses: Callable[[], bool] = lambda: False
    passwords: dict[str, str] = field(default_factory=lambda: {"learner": secrets.token_urlsafe(12)})
    service_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    disabled: set[str] = field(default_factory=set)
    tokens: dict[str, Token] = field(default_factory=dict)
    sessions: dict[str, WebSession] = field(default_factory=dict)
    refreshes: dict[str, str] = field(default_factory=dict)  # refresh token -> access token

    def grant(self, form: Mapping[str, str]) -> dict[str, object]:
        """The reply of the token endpoint.  Raises `OAuthError`."""
        match form.get("grant_type"):
            case "client_credentials":
                if form.get("client_id") != SERVICE or form.get("client_secret") != self.service_secret:
                    raise OAuthError(401, "invalid_client")
                return self._issue(STAFF, "client_credentials", form, refreshable=False)
            case "password":
                if form.get("client_id") != APP:
                    raise OAuthError(401, "invalid_client")
                user = form.get("username", "")
                if not form.get("password") or self.passwords.get(user) != form["password"]:
                    raise OAuthError(400, "invalid_grant")
                return self._issue(user, "password", form, refreshable=True)
            case "refresh_token":
                if form.get("client_id") != APP:
                    raise OAuthError(401, "invalid_client")
                access = self.refreshes.pop(form.get("refresh_token", ""), None)
                if access is None:
                    raise OAuthError(400, "invalid_grant")
                old = self.tokens.pop(access)  # the replaced token is no longer valid
                return self._issue(old.user, "password", form, refreshable=True)
            case _:
                raise OAuthError(400, "unsupported_grant_type")

    def _issue(self, user: str, grant: str, form: Mapping[str, str], *, refreshable: bool) -> dict[str, object]:
        kind = "JWT" if form.get("token_type", "bearer").lower() == "jwt" else "Bearer"
        access = ".".join(secrets.token_urlsafe(24) for _ in range(3)) if kind == "JWT" else secrets.token_hex(20)
        refresh = secrets.token_hex(20) if refreshable else None
        self.tokens[access] = Token(user, grant, kind, self.now() + self.life, refresh)
        body: dict[str, object] = {
            "access_token": access,
            "expires_in": self.life,
            "token_type": kind,
            "scope": "read write profile email",
        }
        if refresh is not None:
            self.refreshes[refresh] = access
            body["refresh_token"] = refresh
        return body

    def open_session(self, user: str, life: int = EXCHANGED) -> str:
        """The id of a new session with a lifetime of so many seconds."""
        session = secrets.token_urlsafe(24)
        self.sessions[session] = WebSession(user, self.now() + life)
        return session

    def session_user(self, session: str | None) -> str | None:
        """The user of a session; None if it is not valid."""
        found = self.sessions.get(session or "")
        if found is None or found.ends <= self.now() or found.user in self.disabled or self.refuses():
            return None
        return found.user

    def token(self, header: str | None) -> Token:
        """The token of an `Authorization` header.  Raises `Unauthorized` as the platform does."""
        kind, _, value = (header or "").partition(" ")
        token = self.tokens.get(value)
        if kind == "JWT":
            if token is None or token.kind != "JWT":
                raise Unauthorized({"detail": "Invalid token."})
            if token.ends <= self.now():
                raise Unauthorized({"detail": "Token has expired."})
            if token.user in self.disabled:
                raise Unauthorized({"detail": "User account is disabled."})
            return token
        if kind != "Bearer":
            raise Unauthorized({"detail": "Authentication credentials were not provided."})
        if " " in value:
            raise _bearer("token_malformed", "Invalid token header. Token string should not contain spaces.")
        if token is None or token.kind != "Bearer":
            raise _bearer("token_nonexistent", "The provided access token does not match any valid tokens.")
        if token.ends <= self.now():
            raise _bearer("token_expired", "The provided access token has expired and is no longer valid.")
        if token.user in self.disabled:
            raise _bearer("user_not_active", f"User inactive or deleted: {token.user}")
        return token


def _bearer(code: str, message: str) -> Unauthorized:
    return Unauthorized({"error_code": code, "developer_message": message})
