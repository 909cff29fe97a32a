"""ETags that each server of a CDN makes up for itself, and those of a file that has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.content.edge_tags import EdgeTags, Verdict
from coursefs.content.identity import Key
from coursefs.content.range_response import is_settled
from coursefs.model import Version

KEY, HOST = Key("campus", "film"), "cdn.example"
A = Version(1000, '"a"', 10**18)
B, C = replace(A, etag='"b"'), replace(A, etag='"c"')
SAME, CHANGED, UNCLEAR = Verdict.SAME, Verdict.CHANGED, Verdict.UNCLEAR


class Site:
    """Responses one after the other, a second apart."""

    def __init__(self, known: Version = A, *, host: str = HOST) -> None:
        self.tags, self.known, self.host, self.now = EdgeTags(), known, host, 1000.0

    def responds(self, found: Version, *, is_settled: bool = True, late: float = 0.0, key: Key = KEY) -> Verdict:
        """The verdict on a response; `late`: seconds from its request."""
        self.now += 1
        return self.tags.judge(
            key, self.host, self.known, found, is_settled=is_settled, asked=self.now - late - 0.1, now=self.now
        )


def test_an_etag_that_comes_back_is_of_one_server() -> None:
    site = Site()
    assert [site.responds(one) for one in (A, B, A, B, C)] == [SAME, UNCLEAR, SAME, SAME, SAME]
    assert site.tags.differ_at(HOST) and not site.tags.differ_at("other.example")
    assert site.responds(B, key=Key("campus", "another")) is SAME, "it is the host that is known"


def test_the_first_response_may_be_of_another_server_than_the_known_version() -> None:
    site = Site()
    assert [site.responds(one) for one in (B, A, B)] == [UNCLEAR, SAME, SAME]


def test_an_etag_that_stays_is_of_a_change() -> None:
    site = Site()
    assert [site.responds(B) for _ in range(5)] == [UNCLEAR] * 4 + [CHANGED]
    assert not site.tags.differ_at(HOST)


def test_an_etag_that_comes_back_after_a_change_was_believed_shows_that_it_was_none() -> None:
    site = Site()
    while site.responds(B) is not CHANGED:
        pass
    site.known = B
    assert [site.responds(one) for one in (B, A, B)] == [SAME, SAME, SAME]


def test_requests_side_by_side_may_all_have_come_to_one_server() -> None:
    site = Site()
    assert {site.responds(B, late=20) for _ in range(10)} == {UNCLEAR}


def test_a_response_that_was_on_its_way_is_none_that_comes_back() -> None:
    site = Site()
    assert site.responds(B) is UNCLEAR
    assert site.responds(A, late=5) is SAME, "it is what is known"
    assert site.responds(B) is UNCLEAR and not site.tags.differ_at(HOST)


def test_a_change_that_is_taken_back_later_is_one() -> None:
    site = Site()
    while site.responds(B) is not CHANGED:
        pass
    site.known = B
    site.now += 61
    assert site.responds(A) is UNCLEAR and not site.tags.differ_at(HOST)


@pytest.mark.parametrize(
    "other",
    [
        replace(B, size=1001),
        replace(B, modified_ns=A.modified_ns + 11 * 10**9 if A.modified_ns else None),
        replace(B, modified_ns=None),
    ],
)
def test_another_size_or_date_is_a_change_at_once(other: Version) -> None:
    site = Site()
    assert [site.responds(one) for one in (A, other, A, other)] == [SAME, CHANGED, SAME, CHANGED]


def test_dates_differ_by_seconds_between_servers() -> None:
    assert A.modified_ns is not None
    other = replace(B, modified_ns=A.modified_ns + 9 * 10**9)
    site = Site()
    assert [site.responds(one) for one in (A, other, A, other)] == [SAME, UNCLEAR, SAME, SAME]


def test_a_date_that_proves_nothing_proves_nothing() -> None:
    site = Site()
    assert [site.responds(one, is_settled=False) for one in (A, B, A, B)] == [SAME, CHANGED, SAME, CHANGED]
    assert not site.tags.differ_at(HOST)


def test_what_is_known_to_differ_between_servers_is_nothing_new() -> None:
    site = Site(replace(A, etag='"a-gzip"'))
    assert {site.responds(one) for one in (A, site.known, A, site.known)} == {SAME}
    assert site.responds(B) is UNCLEAR and not site.tags.differ_at(HOST)


@given(versions=st.lists(st.integers(0, 3), min_size=1, max_size=40).map(sorted))
def test_of_a_file_that_only_changes_no_two_versions_are_the_same(versions: list[int]) -> None:
    site = Site(replace(A, etag='"0"'))
    for number in versions:
        found = replace(A, etag=f'"{number}"')
        verdict = site.responds(found)
        assert (verdict is SAME) == (found.etag == site.known.etag)
        if verdict is CHANGED:
            site.known = found


@pytest.mark.parametrize(
    ("date", "modified", "expected"),
    [
        ("Thu, 01 Jan 2026 00:01:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", True),
        ("Thu, 01 Jan 2026 00:00:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", False),
        ("Thu, 01 Jan 1998 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", False),
        (None, "Thu, 01 Jan 2026 00:00:00 GMT", False),
        ("Thu, 01 Jan 2026 00:01:00 GMT", None, False),
        ("some day", "Thu, 01 Jan 2026 00:00:00 GMT", False),
    ],
)
def test_a_date_is_settled_after_a_minute(date: str | None, modified: str | None, expected: bool) -> None:
    headers = {"date": date, "last-modified": modified}
    assert is_settled({name: value for name, value in headers.items() if value is not None}) is expected
