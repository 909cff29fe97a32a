"""Header fields with absurd values: each that coursefs reads gives something that can be used, or nothing."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.range_response import Part, Retry, Whole, check, condition, version_of
from coursefs.doctor.platforms import clock
from coursefs.errors import CoursefsError
from coursefs.providers.openedx.cookies import set_cookies
from coursefs.providers.openedx.sign_in import _session_life
from coursefs.providers.panopto.cookie import cookie_of
from coursefs.transport.backoff import pause, retry_after_seconds
from coursefs.transport.parsing import count_of, seconds_of_date, sendable

ABSURD = [
    "",
    "0",
    "-1",
    "+1",
    "1e9",
    "NaN",
    "inf",
    "٣",  # a digit, but not one of HTTP
    "²",
    "9" * 18,
    "9" * 19,
    "9" * 400,
    "9" * 5000,
    "Sun, 06 Nov 99999999999 08:49:37 GMT",
    "Sun, 06 Nov 9999 08:49:37 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Mon, 01 Jan 0001 00:00:00 -0000",
    "Mon, 01 Jan 1 00:00:00",
    "Sun, 99 Nov 2026 99:99:99 GMT",
    "Sun, 06 Xxx 2026 08:49:37 GMT",
    "Sun, 06 Nov 2026 08:49:37 +99999999999",
    "bytes 0-0/1",
    "bytes " + "9" * 400 + "-" + "9" * 400 + "/" + "9" * 400,
    "bytes ٣-٣/٣",
    '"' + "x" * 70_000 + '"',
    '"ä"',
    '"\u0661"',
    "\x00",
    ",,,;;;===",
    "a=b; Max-Age=" + "9" * 400 + "; expires=Sun, 06 Nov 99999999999 08:49:37 GMT",
]


@pytest.mark.parametrize("value", ABSURD)
def test_each_header_that_is_read_with_each_absurd_value(value: str) -> None:
    after = retry_after_seconds(value, now=1.8e9)
    assert after is None or 0 <= after <= 86400
    assert 0 <= pause(9, after, 1.0) <= 86400
    count = count_of(value)
    assert count is None or 0 <= count < 10**18
    seconds = seconds_of_date(value)
    assert seconds is None or abs(seconds) < 1e12
    clock("the platform", value, 1.8e9)
    life = _session_life([f"sessionid=x; Max-Age={value}"])
    assert life is None or life < 1e12
    set_cookies([value]), cookie_of([value])
    names = (
        "content-length",
        "content-range",
        "content-type",
        "content-encoding",
        "etag",
        "last-modified",
        "retry-after",
    )
    for name in names:
        for status in (200, 206, 416, 429, 503):
            headers = httpx.Headers({name.encode(): value.encode("utf-8")})
            try:
                found = check(status, headers, "x.org", html=False, now=1.8e9)
            except Retry as again:
                assert again.after is None or again.after <= 86400
            except CoursefsError:
                pass
            else:
                assert isinstance(found, Part | Whole)
            version = version_of(headers, 1)
            assert version.modified_ns is None or 0 <= version.modified_ns < 2**63
            httpx.Request("GET", "https://x.org/", headers=condition(version))  # what is sent back fits into a header


@given(st.text(max_size=60))
def test_no_text_raises_anything(value: str) -> None:
    retry_after_seconds(value, now=1.8e9)
    count_of(value)
    seconds_of_date(value)
    sendable(value)


def test_a_wait_of_ages_is_a_day() -> None:
    assert retry_after_seconds("9" * 300, now=0.0) == 86400
    assert retry_after_seconds("Fri, 31 Dec 9999 23:59:59 GMT", now=0.0) == 86400
    assert retry_after_seconds("Sun, 06 Nov 99999999999 08:49:37 GMT", now=0.0) is None
