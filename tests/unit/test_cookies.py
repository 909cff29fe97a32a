"""Cookies in every form that people have them in: what is read, and that no message repeats a secret."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.base.characters import decoded
from coursefs.errors import CoursefsError
from coursefs.providers.coursera import sign_in as coursera
from coursefs.providers.kit.cookies import Cookie, cookies_of
from coursefs.providers.openedx import cookies as openedx

LATER = 1_800_000_000
NOW = 1_700_000_000.0
HOST = "lms.example.com"
SECRET = "s3cretS3CRET"
ONE = Cookie("example.com", LATER, "sessionid", SECRET)
PASTED = Cookie(HOST, None, "sessionid", SECRET)


def line(expires: object = LATER, host: str = ".example.com", value: str = SECRET) -> str:
    return f"{host}\tTRUE\t/\tTRUE\t{expires}\tsessionid\t{value}"


@pytest.mark.parametrize(
    "text",
    [
        line(),
        f"# Netscape HTTP Cookie File\n\n{line()}\n",
        f"\ufeff# HTTP Cookie File\r\n{line()}\r\n",
        f"#HttpOnly_{line()}",
        line().replace("\t", "    "),
        "  " + line().replace("\t", " "),
        line(LATER * 1000),
        line(LATER * 10**6),
        line((LATER + 11_644_473_600) * 10**6),
        line(f"{LATER}.0"),
        line("2027-01-15T08:00:00Z"),
        line("2027-01-15T08:00:00.000+00:00"),
        line(host="Example.COM"),
        line().replace("TRUE", "true"),
        line().replace("TRUE", "1"),
    ],
)
def test_a_cookies_txt(text: str) -> None:
    assert cookies_of(text, HOST) == [ONE]


@pytest.mark.parametrize("expires", [0, -1, "", "Session", "nan", "inf", "1e400", "9" * 5000, 10**30, "0000-00-00"])
def test_a_time_that_says_nothing_is_that_of_the_browsers_session(expires: object) -> None:
    (found,) = cookies_of(line(expires))
    assert found.expires is None
    (found,) = cookies_of(json.dumps([{"name": "a", "value": "b", "expires": str(expires)}]))
    assert found.expires is None


def test_an_empty_value_stays_one() -> None:
    assert [one.value for one in cookies_of(line(value=""))] == [""]


_EDITOR = {
    "domain": ".example.com",
    "expirationDate": LATER + 0.25,
    "hostOnly": False,
    "httpOnly": True,
    "name": "sessionid",
    "path": "/",
    "sameSite": None,
    "secure": True,
    "session": False,
    "storeId": None,
    "value": SECRET,
}
_PLAYWRIGHT = {"name": "sessionid", "value": SECRET, "domain": "example.com", "path": "/", "expires": LATER}
_QUICK_MANAGER = {
    "Host raw": "https://.example.com/",
    "Name raw": "sessionid",
    "Path raw": "/",
    "Content raw": SECRET,
    "Expires": "15-01-2027 08:00:00",
    "Expires raw": str(LATER),
}


@pytest.mark.parametrize(
    "exported",
    [
        [_EDITOR],
        [{**_EDITOR, "id": 1, "sameSite": "unspecified", "storeId": "0"}],  # EditThisCookie
        [_EDITOR, {"name": "nothing else"}, {"value": "x"}, 7, None, {"name": 1, "value": 2}],
        {"url": "https://lms.example.com", "cookies": [_EDITOR]},
        {"cookies": [_PLAYWRIGHT], "origins": []},
        [_PLAYWRIGHT],
        _PLAYWRIGHT,
        [_QUICK_MANAGER],
        [{**_PLAYWRIGHT, "expires": LATER * 1000}],
    ],
)
def test_a_json_export(exported: object) -> None:
    for text in (json.dumps(exported), "\ufeff\r\n" + json.dumps(exported, indent=4)):
        (found,) = cookies_of(text, HOST)
        assert found._replace(expires=LATER) == ONE
        assert found.expires is not None and abs(found.expires - LATER) < 1


def test_a_json_export_of_names_and_values() -> None:
    assert cookies_of(json.dumps({"sessionid": SECRET}), HOST) == [PASTED]
    assert cookies_of(json.dumps([{"name": "sessionid", "value": SECRET, "expires": -1}]), HOST) == [PASTED]


@pytest.mark.parametrize(
    "text",
    [
        f"sessionid={SECRET}",
        f"  sessionid = {SECRET} ;\n",
        f"Cookie: sessionid={SECRET}",
        f"cookie:sessionid={SECRET};",
        f'"sessionid={SECRET}"',
        f"sessionid={SECRET}; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT; Secure; HttpOnly",
        f"GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: sessionid={SECRET}\r\nAccept: */*\r\n",
    ],
)
def test_a_pasted_header(text: str) -> None:
    assert cookies_of(text, HOST) == [PASTED]


def test_a_pasted_header_of_seven_words_is_no_line_of_a_cookies_txt() -> None:
    text = "; ".join(f"c{number}=v{number}" for number in range(7))
    assert [one.name for one in cookies_of(text, HOST)] == [f"c{number}" for number in range(7)]
    assert [one.value for one in cookies_of('a=b=c; d="e f"', HOST)] == ["b=c", '"e f"']


@pytest.mark.parametrize(
    "text",
    [
        "", "\ufeff \r\n", SECRET, f"{SECRET};", f"<html>{SECRET}=1;", "[]", "{}", "[[]]", f'["{SECRET}"]',
        f'[{{"{SECRET}', f'{{"name": "{SECRET}"}}',
        "# only a comment", f"two words={SECRET}", "Path=/; Secure", "[" * 100_000,
    ],
)  # fmt: skip
def test_what_has_no_cookies_is_said_in_one_line_without_repeating_it(text: str) -> None:
    with pytest.raises(CoursefsError) as caught:
        cookies_of(text, HOST)
    message = str(caught.value)
    assert "\n" not in message and SECRET not in message and ("cookies" in message)


@pytest.mark.parametrize("text", [line(), json.dumps([_EDITOR]), f"sessionid={SECRET}; csrftoken=t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_that_an_editor_writes(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)).lstrip("\ufeff") == text
    assert decoded(("\ufeff" + text).encode("utf-16-be")) == text
    secrets = openedx.secrets_from_cookies(decoded(text.encode(encoding)), host=HOST, now=NOW)
    assert f"sessionid={SECRET}" in secrets["cookies"]


def test_coursera_takes_every_form() -> None:
    for text in (
        f".coursera.org\tTRUE\t/\tTRUE\t{LATER * 1000}\tCAUTH\t{SECRET}",
        json.dumps([{"domain": ".coursera.org", "name": "CAUTH", "value": SECRET, "expirationDate": LATER}]),
    ):
        assert coursera.secrets_from_cookies(text, now=NOW) == {"cauth": SECRET, "expires": str(LATER)}
    assert coursera.secrets_from_cookies(f"Cookie: __204u=1; CAUTH={SECRET}", now=NOW) == {"cauth": SECRET}


_words = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["CAUTH", "sessionid", "Cookie:", "TRUE", ".coursera.org", HOST, "=", ";", "\t", "\n", "0", "1e999", "9" * 400]
    ),
    st.integers().map(str),
)
_values = st.recursive(
    st.one_of(_words, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["name", "value", "domain", "expirationDate", "expires", "cookies", "Name raw", SECRET]),
            inner,
        ),
    ),
)
_texts = st.one_of(
    st.lists(_words, max_size=20).map("".join),
    st.lists(st.lists(_words, min_size=6, max_size=8).map("\t".join), max_size=4).map("\n".join),
    _values.map(json.dumps),
)


@given(_texts, st.integers(0, 40), st.binary(max_size=4))
def test_no_text_crashes_a_reader_or_is_repeated(text: str, at: int, begin: bytes) -> None:
    for given_text in (f"{text[:at]}{SECRET}{text[at:]}", decoded(begin + text.encode("utf-16", "surrogatepass"))):
        for read in (
            lambda text: cookies_of(text, HOST),
            lambda text: coursera.secrets_from_cookies(text, now=NOW),
            lambda text: openedx.secrets_from_cookies(text, host=HOST, now=NOW),
        ):
            try:
                read(given_text)
            except CoursefsError as error:
                assert "\n" not in str(error) and SECRET not in str(error)
