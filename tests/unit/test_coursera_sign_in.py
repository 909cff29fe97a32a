"""The cookie of a sign-in, out of what people have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import CoursefsError, NotSignedIn, UsageError
from coursefs.providers.coursera.sign_in import cookie_host, secrets_from_cauth, secrets_from_cookies

NOW = 1_700_000_000.0
LATER = 1_800_000_000


@pytest.mark.parametrize(
    "pasted",
    ["aB-3.x_~9=", "  aB-3.x_~9=\n", '"aB-3.x_~9="', "'aB-3.x_~9='", "CAUTH=aB-3.x_~9=", 'cauth="aB-3.x_~9=";'],
)
def test_a_pasted_value_is_freed_of_what_is_around_it(pasted: str) -> None:
    assert secrets_from_cauth(pasted) == {"cauth": "aB-3.x_~9="}


@pytest.mark.parametrize(
    "pasted",
    ["", "  ", '""', "CAUTH=", "two words", "line\nbreak", "a\0b", "a;b", "a,b", 'a"b', "a\\b", "…", "é", "\x7f",
     "https://www.coursera.org/", '{"name":"CAUTH"}', "x" * 8193],
)  # fmt: skip
def test_what_is_no_cookie_value_is_refused_without_repeating_it(pasted: str) -> None:
    with pytest.raises(UsageError) as caught:
        secrets_from_cauth(pasted)
    assert "\n" not in str(caught.value)
    assert len(pasted.strip()) < 3 or pasted.strip() not in str(caught.value)


@given(st.text())
def test_whatever_is_pasted_a_header_can_hold_it(pasted: str) -> None:
    try:
        value = secrets_from_cauth(pasted)["cauth"]
    except UsageError:
        return
    assert value.isascii() and value.isprintable() and not set(value) & set(' ;,"\\')


def cauth(text: str) -> tuple[str, int]:
    """The value of the sign-in in a file of cookies, and its end."""
    ((*_, expires, _, value),) = (row for row in map(str.split, text.splitlines()) if "CAUTH" in row)
    return value, int(expires)


def test_a_recorded_firefox_file_is_read(platform_replies: Path) -> None:
    text = (platform_replies / "coursera/coursera-dl/cookies/firefox_cookies.txt").read_text()
    value, expires = cauth(text)
    assert value and expires > NOW
    assert secrets_from_cookies(text, now=NOW) == {"cauth": value, "expires": str(expires)}


def test_a_recorded_expired_file_says_when_it_ended(platform_replies: Path) -> None:
    text = (platform_replies / "coursera/coursera-dl/cookies/firefox_cookies_expired.txt").read_text()
    ended = datetime.fromtimestamp(cauth(text)[1], UTC).date()
    with pytest.raises(NotSignedIn, match=str(ended)):
        secrets_from_cookies(text, now=NOW)


@pytest.mark.parametrize("name", ["firefox_cookies_without_coursera.txt", "chrome_cookies.txt"])
def test_a_recorded_file_without_the_cookie_is_explained(platform_replies: Path, name: str) -> None:
    with pytest.raises(CoursefsError, match=r"no CAUTH cookie for coursera\.org"):
        secrets_from_cookies((platform_replies / "coursera/coursera-dl/cookies" / name).read_text(), now=NOW)


def line(host: str = ".coursera.org", expires: object = LATER, name: str = "CAUTH", value: str = "abc") -> str:
    return f"{host}\tTRUE\t/\tTRUE\t{expires}\t{name}\t{value}"


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (line(), {"cauth": "abc", "expires": str(LATER)}),
        ("\ufeff# Netscape HTTP Cookie File\r\n\r\n" + line() + "\r\n", {"cauth": "abc", "expires": str(LATER)}),
        ("\ufeff" + line(), {"cauth": "abc", "expires": str(LATER)}),
        ("#HttpOnly_" + line(), {"cauth": "abc", "expires": str(LATER)}),
        (line(expires=f"{LATER}.224814"), {"cauth": "abc", "expires": str(LATER)}),
        (line(expires=0), {"cauth": "abc"}),
        (line(expires="-1"), {"cauth": "abc"}),
        (line(expires="inf"), {"cauth": "abc"}),
        (line(expires="Session"), {"cauth": "abc"}),
        (line().replace("\t", "  "), {"cauth": "abc", "expires": str(LATER)}),
        (line(host="WWW.Coursera.org"), {"cauth": "abc", "expires": str(LATER)}),
        (line(value="old", expires=1) + "\n" + line(), {"cauth": "abc", "expires": str(LATER)}),
        (line(host=".evilcoursera.org", value="evil") + "\n" + line(), {"cauth": "abc", "expires": str(LATER)}),
        ("nonsense\n" + line(name="CSRF3-Token") + "\n" + line(), {"cauth": "abc", "expires": str(LATER)}),
    ],
)
def test_every_variant_of_a_cookies_file_is_read(text: str, secrets: dict[str, str]) -> None:
    assert secrets_from_cookies(text, now=NOW) == secrets


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing was given$"),
        ("# only\n# comments\n", "no cookies in this text: expected a cookies.txt"),
        ('[{"name": "CAUTH"}]', "no cookies in this JSON"),
        ('[{"name": "CAUTH"', "damaged or cut off"),
        ("<html><a href=x>", "no cookies in this web page"),
        (line(host=".coursera.org.evil.example"), "no CAUTH cookie"),
        (line(host="evilcoursera.org"), "no CAUTH cookie"),
        (line(name="cauth"), "no CAUTH cookie"),
        ("#" + line(), "no cookies in this text"),
        (line(value=""), "empty"),
        (line(expires=NOW), "ended on 2023-11-14"),
    ],
)
def test_a_file_that_does_not_do_says_why_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(CoursefsError, match=reason) as caught:
        secrets_from_cookies(text, now=NOW)
    assert "\n" not in str(caught.value)


def test_another_host_has_its_own_cookie() -> None:
    text = line() + "\n" + line(host="127.0.0.1", value="local")
    assert secrets_from_cookies(text, now=NOW, host="127.0.0.1")["cauth"] == "local"


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://www.coursera.org", "coursera.org"),
        ("https://api.coursera.org", "coursera.org"),
        ("https://coursera.org", "coursera.org"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("nonsense", ""),
    ],
)
def test_whose_cookie_it_is(base_url: str, host: str) -> None:
    assert cookie_host(base_url) == host


@given(st.text())
def test_no_file_crashes_the_reader(text: str) -> None:
    try:
        secrets_from_cookies(text, now=NOW)
    except CoursefsError as error:
        assert str(error)
