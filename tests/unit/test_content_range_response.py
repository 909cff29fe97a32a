"""Range responses: what statuses and headers mean."""

from __future__ import annotations

import pytest

from coursefs.content.identity import Content, Key, data_name, expects_html, same
from coursefs.content.range_response import Part, Retry, UrlRefused, Whole, check, condition, version_of
from coursefs.errors import BadReply, Gone, NoAnswer
from coursefs.model import Course, Remote, Source, Version


def ask(status: int, **headers: str) -> Part | Whole:
    return check(status, {k.replace("_", "-"): v for k, v in headers.items()}, "cdn.example", html=False, now=0.0)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (206, {"content_range": "bytes 0-0/10"}, Part(0, 1, 10)),
        (206, {"content_range": "bytes 5-9/*"}, Part(5, 10, None)),
        (206, {"content_range": "bytes 5-9/10", "content_encoding": "identity"}, Part(5, 10, 10)),
        (416, {"content_range": "bytes */7"}, Part(0, 0, 7)),
        (200, {"content_length": "12"}, Whole(12, encoded=False)),
        (200, {}, Whole(None, encoded=False)),
        (200, {"content_length": "-1"}, Whole(None, encoded=False)),
        (200, {"content_length": "9" * 30}, Whole(None, encoded=False)),
        (200, {"content_length": "12", "content_encoding": "gzip"}, Whole(None, encoded=True)),
    ],
)
def test_good_responses(status: int, headers: dict[str, str], expected: Part | Whole) -> None:
    assert ask(status, **headers) == expected


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {}),
        (206, {"content_range": "bytes 5-4/10"}),
        (206, {"content_range": "bytes 5-10/10"}),
        (206, {"content_range": "items 0-1/2"}),
        (206, {"content_range": "bytes 0-1/2, bytes 3-4/5"}),
        (206, {"content_range": "bytes 0-1/2", "content_encoding": "gzip"}),
        (505, {}),
        (206, {"content_type": "multipart/byteranges; boundary=x"}),
        (200, {"content_type": "text/html; charset=utf-8"}),
        (206, {"content_type": "TEXT/HTML", "content_range": "bytes 0-1/2"}),
        (200, {"content_type": "application/xhtml+xml"}),
        (204, {}),
        (302, {}),
        (400, {}),
        (416, {}),
        (501, {}),
    ],
)
def test_unusable_responses(status: int, headers: dict[str, str]) -> None:
    with pytest.raises(BadReply, match="cdn"):
        ask(status, **headers)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_url(status: int) -> None:
    with pytest.raises(UrlRefused):
        ask(status)


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone(status: int) -> None:
    with pytest.raises(Gone):
        ask(status, content_type="text/html")


@pytest.mark.parametrize(
    ("status", "error", "headers", "after"),
    [
        (429, NoAnswer, {"retry_after": "7"}, 7.0),
        (503, NoAnswer, {"retry_after": "Thu, 01 Jan 1970 00:00:09 GMT"}, 9.0),
        (500, BadReply, {}, None),
        (507, BadReply, {}, None),
        (520, BadReply, {}, None),
        (522, NoAnswer, {}, None),
        (529, BadReply, {}, None),
        (530, BadReply, {}, None),
        (598, NoAnswer, {}, None),
        (599, NoAnswer, {}, None),
        (421, BadReply, {}, None),
        (
            503,
            NoAnswer,
            {"retry_after": "Sat, 01 Jan 2000 00:00:09 GMT", "date": "Sat, 01 Jan 2000 00:00:00 GMT"},
            9.0,
        ),
        (502, BadReply, {"retry_after": "soon"}, None),
    ],
)
def test_responses_after_which_a_retry_may_succeed(
    status: int, error: type[Exception], headers: dict[str, str], after: float | None
) -> None:
    with pytest.raises(Retry) as raised:
        ask(status, **headers)
    assert (type(raised.value.error), raised.value.after) == (error, after)


def test_expected_html() -> None:
    headers = {"content-type": "text/html", "content-length": "3"}
    assert check(200, headers, "cdn.example", html=True, now=0.0) == Whole(3, encoded=False)


@pytest.mark.parametrize(
    ("identity", "locator", "url", "expected"),
    [
        ("video/1~2/720p.mp4", {}, "https://cdn/x.mp4", False),
        ("asset/1", {}, "https://cdn/x?name=a.html", False),
        ("page/1.HTML", {}, "https://cdn/x", True),
        ("asset/1", {"name": "notes.htm"}, "https://cdn/x", True),
        ("asset/1", {}, "https://cdn/x/notes.html?Signature=x", True),
    ],
)
def test_expects_html(identity: str, locator: dict[str, str], url: str, expected: bool) -> None:
    content = Content("a", Remote(identity, locator), Course("c", "c", "C"))
    assert expects_html(content, Source(url)) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Version(5)),
        ({"etag": '"x"', "last-modified": "Thu, 01 Jan 1970 00:00:02 GMT"}, Version(5, '"x"', 2 * 10**9)),
        ({"etag": " ", "last-modified": "yesterday"}, Version(5)),
    ],
)
def test_version_of(headers: dict[str, str], expected: Version) -> None:
    assert version_of(headers, 5) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Version(5), Version(5), True),
        (Version(5), Version(6), False),
        (Version(5, "a", 1), Version(5, "a", 2), True),
        (Version(5, 'W/"a"'), Version(5, '"a"'), True),
        (Version(5, "a", 1), Version(5, "b", 1), False),
        (Version(5, "a", 1), Version(5, None, 60 * 10**9), False),
        (Version(5, "a", 1), Version(5, None, 1), True),
        (Version(5, "a"), Version(5, None, 1), True),
        # what differs between the servers of one CDN
        (Version(5, '"a"'), Version(5, '"a-gzip"'), True),
        (Version(5, '"a--gzip"'), Version(5, 'W/"a;br"'), True),
        (Version(5, '"a-gzip"'), Version(5, '"b-gzip"'), False),
        (Version(5, '"0123456789abcde:0"'), Version(5, '"0123456789abcde:1f"'), True),
        (Version(5, '"file:1"'), Version(5, '"file:2"'), False),
        (Version(5, '"1f-5-5f3b2c1d4e5f6"'), Version(5, '"2e-5-5f3b2c1d4e5f6"'), True),
        (Version(5, '"1f-5-5f3b2c1d4e5f6"'), Version(5, '"5-5f3b2c1d4e5f6"'), True),
        (Version(5, '"1f-5-5f3b2c1d4e5f6"'), Version(5, '"1f-5-5f3b2e1d4e5f6"'), False),
        (Version(5, '"65a0b1c2-5"'), Version(5, '"65a0b1c9-5"'), True),
        (Version(5, '"65a0b1c2-5"'), Version(5, '"65a0b2c2-5"'), False),
        (Version(5, '"65a0b1c2-6"'), Version(5, '"65a0b1c9-6"'), False),
        (Version(5, None, 10**9), Version(5, None, 6 * 10**9), True),
        (Version(5, None, 10**9), Version(5, None, 61 * 10**9), False),
    ],
)
def test_same(one: Version, other: Version, expected: bool) -> None:
    assert same(one, other) is same(other, one) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (Version(5, '"a"', 1), {"If-Range": '"a"'}),
        (Version(5, 'W/"a"', 1), {}),
        (Version(5, None, 1), {}),
        (Version(5, '"a-gzip"'), {}),
        (Version(5, '"1f-5-5f3b2c1d4e5f6"'), {}),
        (Version(5, '"65a0b1c2-5"'), {}),
    ],
)
def test_a_condition_holds_on_every_server_of_a_cdn(version: Version, expected: dict[str, str]) -> None:
    assert condition(version) == expected


def test_every_version_has_a_data_file_of_its_own() -> None:
    names = {
        data_name(Key(account, identity), version)
        for account, identity in [("a", "b"), ("ab", ""), ("a", "c")]
        for version in [Version(1), Version(2), Version(1, "x"), Version(1, None, 3)]
    }
    assert len(names) == 12
