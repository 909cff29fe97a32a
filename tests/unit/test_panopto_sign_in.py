"""What is sent to sign in, and what is believed of what comes back; no message holds a secret."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from coursefs.errors import BadReply, CoursefsError, NoAnswer, NotSignedIn, UsageError
from coursefs.providers.panopto import oauth
from coursefs.providers.panopto.cookie import cookie_of
from coursefs.providers.panopto.oauth import Client
from coursefs.providers.panopto.sign_in import client_of, client_secret
from coursefs.providers.panopto.tokens import Tokens, granted, kept, user_of

SERVER = "https://campus.example"
CLIENT = Client("id", "SECRET+/=&")
REDIRECT = "http://localhost:9127/redirect"
ATTEMPT = oauth.attempt(SERVER, CLIENT, REDIRECT, state="STATE" * 8, verifier="V" * 43)


def form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}


def test_the_address_that_a_browser_opens() -> None:
    parts = urlsplit(ATTEMPT.url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{SERVER}/Panopto/oauth2/connect/authorize"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(ATTEMPT.verifier.encode()).digest()).decode().rstrip("=")
    assert {name: values[0] for name, values in parse_qs(parts.query).items()} == {
        "response_type": "code",
        "client_id": "id",
        "redirect_uri": REDIRECT,
        "scope": "openid api offline_access",
        "state": ATTEMPT.state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert ATTEMPT.verifier not in ATTEMPT.url
    assert "STATE" not in repr(ATTEMPT) and "SECRET" not in repr(CLIENT)


@pytest.mark.parametrize(
    "redirect", [f"{REDIRECT}?code=C&state={ATTEMPT.state}", f"/redirect?state={ATTEMPT.state}&code=C\n"]
)
def test_the_code_that_comes_back(redirect: str) -> None:
    assert ATTEMPT.code(redirect) == "C"


@pytest.mark.parametrize(
    ("redirect", "error"),
    [
        ("", UsageError),
        ("/favicon.ico", UsageError),
        ("/redirect", UsageError),
        (f"/redirect?state={ATTEMPT.state}", UsageError),
        ("https://campus.example/?code=C", UsageError),
        ("/redirect?code=C", UsageError),
        ("/redirect?code=C&state=another", UsageError),
        (f"/redirect?error=access_denied&state={ATTEMPT.state}", NotSignedIn),
        ("/redirect?error=access_denied", UsageError),
    ],
)
def test_what_is_no_answer_to_this_attempt(redirect: str, error: type[CoursefsError]) -> None:
    with pytest.raises(CoursefsError) as caught:
        ATTEMPT.code(redirect)
    assert type(caught.value) is error
    assert "STATE" not in str(caught.value)


def test_what_the_token_endpoint_is_sent() -> None:
    ours = {"client_id": "id", "client_secret": "SECRET+/=&"}
    assert form(oauth.by_code(CLIENT, ATTEMPT, "C d")) == ours | {
        "grant_type": "authorization_code", "code": "C d", "redirect_uri": REDIRECT, "code_verifier": "V" * 43,
    }  # fmt: skip
    assert form(oauth.by_password(CLIENT, "me", "p&w=1")) == ours | {
        "grant_type": "password", "username": "me", "password": "p&w=1", "scope": "openid api offline_access",
    }  # fmt: skip
    assert form(oauth.by_refresh(CLIENT, "R+1")) == ours | {"grant_type": "refresh_token", "refresh_token": "R+1"}
    assert "client_secret" not in form(oauth.by_refresh(Client("id"), "R"))
    assert "client_secret" not in form(oauth.by_password(Client("id"), "me", "x"))


def test_tokens_of_a_reply() -> None:
    body = json.dumps({"access_token": "A", "expires_in": 3600, "refresh_token": "R2"}).encode()
    assert granted(200, body, now=100.0) == Tokens("A", 3700.0, "R2")
    assert granted(200, b'{"access_token": "A"}', now=100.0, refresh="R1") == Tokens("A", 3100.0, "R1")
    assert "A" not in repr(Tokens("A", 1.0, "R")).replace("Tokens", "")
    assert kept(Tokens("A", 3700.0, "R").secrets()) == Tokens("A", 3700.0, "R")
    assert kept({"access_token": "A", "access_expires": "soon"}) == Tokens("A", 0.0, "")
    assert kept({"cauth": "x"}) is None


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "invalid_grant"}', NotSignedIn),
        (400, b'{"error": "strange", "error_description": "Two\\nlines"}', NotSignedIn),
        (401, b'{"error": "invalid_client"}', NotSignedIn),
        (400, b"<html>", BadReply),
        (200, b"<html>sign in", BadReply),
        (200, b'{"access_token": ""}', BadReply),
        (200, b'{"access_token": "two\\nlines"}', BadReply),
        (429, b"", NoAnswer),
        (503, b"<html>", NoAnswer),
    ],
)
def test_replies_without_tokens(status: int, body: bytes, error: type[CoursefsError]) -> None:
    with pytest.raises(CoursefsError) as caught:
        granted(status, body, now=0.0)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_the_documented_refusals_say_what_to_do(platform_replies: Path) -> None:
    cases = json.loads((platform_replies / "panopto" / "oauth_errors.documented.json").read_text())
    assert len(cases) == 3
    messages = set()
    for case in cases.values():
        with pytest.raises(NotSignedIn) as caught:
            granted(case["status"], json.dumps(case["body"]).encode(), now=0.0)
        messages.add(str(caught.value))
    assert len(messages) == 3


def test_whose_token_it_is() -> None:
    def token(claims: object) -> str:
        return "x." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".y"

    assert user_of(token({"sub": "me\x1b"})) == "me"
    for other in (token({"sub": 5}), token([]), "opaque", "a.!.c", "a.e30.c"):
        assert user_of(other) == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "client_id": "id", "client_secret": "s3c"}',
        '\ufeff{\n  "name": "x",\n  "client_id": "id",\n  "client_secret": "s3c",\n}\n',
    ],
)
def test_the_credentials_file_that_users_have(text: str) -> None:
    assert client_of(text) == Client("id", "s3c")


@pytest.mark.parametrize(
    "text", ["", "[]", "s3c", '{"client_secret": "s3c"}', '{"client_id": 5, "client_secret": "s3c"}']
)
def test_other_files_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        client_of(text)
    assert "s3c" not in str(caught.value)


def test_a_client_secret() -> None:
    assert client_secret(" abc=\n") == "abc="
    for wrong in ("two\nlines", "ü", "x" * 2000):
        with pytest.raises(UsageError):
            client_secret(wrong)


@pytest.mark.parametrize(
    ("headers", "cookie"),
    [
        ([".ASPXAUTH=ABC123; path=/; secure; HttpOnly; SameSite=None"], ".ASPXAUTH=ABC123"),
        (["csrfToken=x; path=/", ".aspxauth=ABC; expires=Sat, 01-Jan-2028 00:00:00 GMT"], ".aspxauth=ABC"),
        ([".ASPXAUTH=; path=/"], ""),
        (["csrfToken=x"], ""),
        ([";;;", "=x"], ""),
        ([], ""),
    ],
)
def test_the_cookie_of_a_sign_in(headers: list[str], cookie: str) -> None:
    assert cookie_of(headers) == cookie
