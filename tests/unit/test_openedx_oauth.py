"""Tokens, the forms that ask for them, and what a refusal means."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.openedx import oauth
from coursefs.providers.openedx.oauth import Remedy, Token, kept_token, remedy, token_of
from coursefs.transport import Reply

NOW = 1_700_000_000.0

#: what helps against each of the documented refusals
REMEDIES = {
    "bearer_expired": Remedy.RENEW,
    "bearer_unknown": Remedy.SIGN_IN,
    "bearer_empty": Remedy.SIGN_IN,
    "bearer_spaces": Remedy.SIGN_IN,
    "bearer_user_inactive": Remedy.STOP,
    "jwt_expired": Remedy.RENEW,
    "jwt_invalid": Remedy.SIGN_IN,
    "jwt_disabled": Remedy.STOP,
    "login_with_wrong_token_kind": Remedy.NONE,
    "refresh_rejected": Remedy.NONE,  # of the token endpoint, which is not asked with a token
}


def reply(status: int, body: object) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply("https://lms.example.com/oauth2/access_token/", status, httpx.Headers(), content)


def test_every_documented_refusal_has_its_remedy(platform_replies: Path) -> None:
    cases = json.loads((platform_replies / "openedx/auth_errors.documented.json").read_text())
    assert {name: remedy(case["status"], json.dumps(case["body"]).encode()) for name, case in cases.items()} == REMEDIES


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (401, {"error_code": "token_expired"}, Remedy.RENEW),
        (401, {"developer_message": {"error_code": "token_expired", "developer_message": "x"}}, Remedy.RENEW),
        (401, {"developer_message": "Token has expired."}, Remedy.RENEW),
        (401, {"detail": "User account is disabled."}, Remedy.STOP),
        (401, {"error_code": "x", "developer_message": "User inactive or deleted: ada"}, Remedy.STOP),
        (401, {"error_code": "token_nonexistent"}, Remedy.SIGN_IN),
        (401, {}, Remedy.SIGN_IN),
        (401, b"<html>", Remedy.SIGN_IN),
        (401, b"[" * 5000, Remedy.SIGN_IN),
        (401, {"error_code": "non_supported_token"}, Remedy.NONE),
        (403, {"detail": "Authentication credentials were not provided."}, Remedy.SIGN_IN),
        (403, {"detail": "You do not have permission to perform this action."}, Remedy.NONE),
        (403, b"<html>", Remedy.NONE),
        (403, {"developer_message": "Anonymous users cannot access another user's blocks."}, Remedy.SIGN_IN),
        (403, {"developer_message": "Course blocks for 'ada' cannot be accessed."}, Remedy.NONE),
        (401, b'"User not enrolled."', Remedy.NONE),
        (200, {"course_access": {"error_code": "authentication_required"}}, Remedy.SIGN_IN),
        (200, {"course_access": {"error_code": None, "said": "authentication_required"}}, Remedy.NONE),
        (200, {"html": '"authentication_required"' + "x" * 70_000}, Remedy.NONE),
        (404, {"error_code": "token_expired"}, Remedy.NONE),
        (200, {"error_code": "token_expired"}, Remedy.NONE),
    ],
)
def test_remedies(status: int, body: object, what: Remedy) -> None:
    assert remedy(status, reply(status, body).body) is what


@given(st.integers(100, 599), st.binary())
def test_any_answer_has_a_remedy(status: int, body: bytes) -> None:
    assert isinstance(remedy(status, body), Remedy)


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (oauth.client_credentials("i", "s&c", "bearer"),
         {"grant_type": "client_credentials", "client_id": "i", "client_secret": "s&c", "token_type": "bearer"}),
        (oauth.password("i", "ada", "p w", "jwt"),
         {"grant_type": "password", "client_id": "i", "username": "ada", "password": "p w", "token_type": "jwt",
          "asymmetric_jwt": "true"}),
        (oauth.refresh("i", "r", "jwt", "s"),
         {"grant_type": "refresh_token", "client_id": "i", "refresh_token": "r", "client_secret": "s",
          "token_type": "jwt", "asymmetric_jwt": "true"}),
    ],
)  # fmt: skip
def test_forms(form: bytes, fields: dict[str, str]) -> None:
    assert parse_qs(form.decode()) == {name: [value] for name, value in fields.items()}


@pytest.mark.parametrize(
    ("body", "token"),
    [
        ({"access_token": "a", "expires_in": 300, "token_type": "JWT", "refresh_token": "r"},
         Token("a", "JWT", NOW + 300, "r")),
        ({"access_token": "a", "expires_in": 300, "token_type": "Bearer"}, Token("a", "Bearer", NOW + 300)),
        ({"access_token": "a", "expires_in": 0}, Token("a", "Bearer")),
        ({"access_token": "a", "expires_in": "soon", "refresh_token": "two words"}, Token("a", "Bearer")),
    ],
)  # fmt: skip
def test_a_reply_brings_a_token(body: object, token: Token) -> None:
    got = token_of(reply(200, body), NOW)
    assert (got.access, got.kind, got.expires, got.refresh) == (token.access, token.kind, token.expires, token.refresh)
    assert got.headers == {"Authorization": f"{token.kind} a"}


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, {"error": "invalid_grant"}, NotSignedIn, "does not accept this sign-in"),
        (401, {"error": "invalid_client"}, NotSignedIn, "client id"),
        (400, {"error": "unsupported_grant_type"}, NotSignedIn, "not meant for this way"),
        (403, b"<html>", NotSignedIn, "refuses"),
        (200, {"access_token": "line\nbreak"}, BadReply, "without a token"),
        (200, {"access_token": ""}, BadReply, "without a token"),
        (200, [], BadReply, "without a token"),
        (500, b"", BadReply, "HTTP 500"),
    ],
)
def test_a_reply_without_a_token(status: int, body: object, error: type[CoursefsError], said: str) -> None:
    with pytest.raises(error, match=said):
        token_of(reply(status, body), NOW)


def test_a_token_is_good_until_a_minute_before_its_end() -> None:
    token = Token("a", "JWT", NOW + 60.5)
    assert token.is_good(NOW) and not token.is_good(NOW + 1)
    assert Token("a", "JWT").is_good(NOW)


@pytest.mark.parametrize("token", [Token("a", "JWT", 5.0, "r"), Token("b", "Bearer"), Token("c", "JWT", None, "r")])
def test_what_is_kept_of_a_token_is_the_token(token: Token) -> None:
    kept = kept_token(token.secrets())
    assert kept is not None
    assert kept == token and kept.refresh == token.refresh and kept.access == token.access


@pytest.mark.parametrize(
    "secrets", [{}, {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": "a", "refresh_token": "b\r\nc"}]
)
def test_damaged_secrets_are_no_token(secrets: dict[str, str]) -> None:
    assert kept_token(secrets) is None


def test_no_repr_shows_a_token() -> None:
    assert "SECRET" not in repr(Token("SECRET", "JWT", 5.0, "SECRET"))
