"""The password sign-in: what is sent, and what each answer means."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.providers.coursera.sign_in import login_request, random_word, secrets_from_reply
from coursefs.transport import Reply

NOW = 1_700_000_000.0
OK = b'{"errorCode":"OK","message":null,"details":null}'


def reply(status: int, body: bytes = b"{}", *cookies: str) -> Reply:
    return Reply("https://x.example", status, httpx.Headers([("set-cookie", one) for one in cookies]), body)


def test_the_request_is_as_documented() -> None:
    words = iter(["a" * 20, "b" * 8, "c" * 24])
    request = login_request("ada@example.org", 'pass"word', word=lambda length: next(words))
    assert json.loads(request.content) == {"email": "ada@example.org", "password": 'pass"word', "webrequest": True}
    assert request.headers == {
        "Content-Type": "application/json",
        "Cookie": f"csrftoken={'a' * 20}; csrf2_token_{'b' * 8}={'c' * 24}",
        "X-CSRFToken": "a" * 20,
        "X-CSRF2-Cookie": f"csrf2_token_{'b' * 8}",
        "X-CSRF2-Token": "c" * 24,
        "Connection": "keep-alive",
    }
    assert repr(request) == "LoginRequest()"


def test_the_words_are_random_letters_and_digits() -> None:
    one, other = random_word(24), random_word(24)
    assert one != other
    assert one.isascii() and one.isalnum() and len(one) == 24


@pytest.mark.parametrize(
    ("cookies", "secrets"),
    [
        (["CAUTH=abc; Domain=.coursera.org; Path=/; Secure"], {"cauth": "abc"}),
        (["CSRF3-Token=1.x; Path=/", "CAUTH=abc; Max-Age=60"], {"cauth": "abc", "expires": "1700000060"}),
        (
            ["CAUTH=abc; Expires=Fri, 01 Jan 2100 12:00:00 GMT; HttpOnly"],
            {"cauth": "abc", "expires": "4102488000"},
        ),
        (["CAUTH=abc; Expires=soon"], {"cauth": "abc"}),
        (['CAUTH="abc"; Max-Age=60; Expires=Fri, 01 Jan 2100 12:00:00 GMT'], {"cauth": "abc", "expires": "1700000060"}),
    ],
)
def test_a_cookie_is_taken_with_its_end(cookies: list[str], secrets: dict[str, str]) -> None:
    assert secrets_from_reply(reply(200, OK, *cookies), now=NOW) == secrets


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (
            reply(400, b'{"errorCode":"request.validation"}'),
            NotSignedIn,
            r"HTTP 400\): the site now asks for a captcha",
        ),
        (reply(404), NotSignedIn, "give coursefs the CAUTH cookie"),
        (reply(200, b"<!doctype html>"), NotSignedIn, "captcha"),
        (reply(401), NotSignedIn, "wrong e-mail address or password"),
        (reply(403), NotSignedIn, "wrong e-mail address or password"),
        (reply(503), BadReply, "HTTP 503"),
        (reply(200, OK), NotSignedIn, "gave no CAUTH cookie"),
        (reply(200, OK, "CAUTH="), NotSignedIn, "gave no CAUTH cookie"),
        (reply(200, OK, "cauth=x"), NotSignedIn, "gave no CAUTH cookie"),
        (reply(200, OK, "\x00nonsense"), NotSignedIn, "gave no CAUTH cookie"),
    ],
)
def test_every_other_answer_says_what_to_do(answer: Reply, error: type[CoursefsError], why: str) -> None:
    with pytest.raises(error, match=why) as caught:
        secrets_from_reply(answer, now=NOW)
    assert "\n" not in str(caught.value)


def test_the_documented_reply(platform_replies: Path) -> None:
    body = json.loads((platform_replies / "coursera/seeds/login.v3-reply.json").read_text())["reply"]
    answer = reply(200, json.dumps(body).encode(), "CAUTH=abc; Path=/")
    assert secrets_from_reply(answer, now=NOW) == {"cauth": "abc"}
