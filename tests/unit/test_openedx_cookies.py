"""The session's cookies, out of a browser or a reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.providers.openedx.cookies import secrets_from_cookies, set_cookies, takes_session_back

NOW = 1_700_000_000.0
LATER = 1_800_000_000
HOST = "lms.example.com"


def line(name: str, value: str, host: str = HOST, expires: int = LATER) -> str:
    return f"{host}\tFALSE\t/\tTRUE\t{expires}\t{name}\t{value}"


def read(*lines: str) -> dict[str, str]:
    return secrets_from_cookies("\n".join(lines), host=HOST, now=NOW)


@pytest.mark.parametrize("host", [HOST, f".{HOST}", ".example.com", f"#HttpOnly_.{HOST}"])
def test_cookies_that_the_browser_would_send(host: str) -> None:
    assert read(line("sessionid", "abc", host)) == {"cookies": "sessionid=abc", "expires": str(LATER)}


def test_of_all_cookies_those_of_the_session() -> None:
    text = [line("sessionid", "abc"), line("csrftoken", "t", expires=0), line("_ga", "x"), line("edxloggedin", "true"),
            line("sessionid", "not-ours", "other.example.com")]  # fmt: skip
    assert read(*text) == {"cookies": "sessionid=abc; csrftoken=t; edxloggedin=true", "expires": str(LATER)}


def test_a_session_may_have_another_name() -> None:
    assert read(line("prod-edx-sessionid", "abc", expires=0)) == {"cookies": "prod-edx-sessionid=abc"}
    assert read(line("school_session", "abc"), line("x", "y")) == {"cookies": "school_session=abc; x=y"}


def test_the_cookie_of_the_host_itself_wins() -> None:
    text = [line("sessionid", "narrow"), line("sessionid", "wide", ".example.com")]
    assert read(*text)["cookies"] == "sessionid=narrow"


def test_a_session_that_has_ended_says_when() -> None:
    with pytest.raises(NotSignedIn, match="ended on 2023-11-14"):
        read(line("sessionid", "abc", expires=int(NOW)), line("csrftoken", "t"))


@pytest.mark.parametrize(
    "lines",
    [[line("sessionid", "abc", "other.example")], [line("sessionid", "abc", "le.com")], [line("sessionid", '"')]],
)
def test_without_a_cookie_of_the_host(lines: list[str]) -> None:
    with pytest.raises(CoursefsError, match=r"no cookie for lms\.example\.com"):
        read(*lines)


@given(st.text())
def test_whatever_the_file_holds_a_header_can_hold_it(text: str) -> None:
    try:
        cookies = secrets_from_cookies(f"{line('sessionid', text)}\n{text}", host=HOST, now=NOW)["cookies"]
    except CoursefsError:
        return
    assert cookies.isascii() and cookies.isprintable()


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        (["sessionid=abc; HttpOnly; Path=/", "csrftoken=t; expires=Wed, 01 Jan 2030 00:00:00 GMT"],
         {"sessionid": "abc", "csrftoken": "t"}),
        (['sessionid="a:b"; Path=/'], {"sessionid": '"a:b"'}),
        (['sessionid=""; Max-Age=0', "x=", "=y", "", "a b=c", "n=v w"], {}),
    ],
)  # fmt: skip
def test_cookies_that_a_reply_sets(headers: list[str], cookies: dict[str, str]) -> None:
    assert set_cookies(headers) == cookies


@pytest.mark.parametrize(
    ("headers", "ended"),
    [
        (['sessionid=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax'], True),
        (["csrftoken=x; Path=/", "prod-edx-sessionid=; Max-Age=0"], True),
        (["other-sessionid=; Max-Age=0"], False),
        (["sessionid=abc; HttpOnly; Max-Age=1209600; Path=/"], False),
        (['openedx-language-preference=""; Max-Age=0; Path=/'], False),
        ([], False),
        (["sessionid"], True),
    ],
)
def test_a_session_that_the_server_takes_back(headers: list[str], ended: bool) -> None:
    assert takes_session_back(headers, "a=b; sessionid=x; prod-edx-sessionid=y") is ended
