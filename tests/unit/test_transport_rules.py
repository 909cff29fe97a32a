"""The pure rules of the transport: hosts, backing off, hosts that do not answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import UsageError
from coursefs.transport.backoff import Outages, pause, retry_after_seconds
from coursefs.transport.hosts import Origin, is_loopback, require_safe_url

HOST = Origin("https", "www.example.org", 443)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://WWW.Example.org/a?b", HOST),
        ("http://127.0.0.1:8080/", Origin("http", "127.0.0.1", 8080)),
        ("http://[::1]:1/", Origin("http", "::1", 1)),
        ("http://localhost/", Origin("http", "localhost", 80)),
    ],
)
def test_safe_urls(url: str, origin: Origin) -> None:
    assert require_safe_url(url) == origin


@pytest.mark.parametrize("url", ["http://www.example.org/?secret=1", "ftp://x/", "file:///etc/passwd", "x", "https://"])
def test_unsafe_urls_are_refused_without_their_query(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_safe_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [("127.8.9.1", True), ("LOCALHOST", True), ("::1", True), ("10.0.0.1", False), ("localhost.evil.org", False)],
)
def test_loopback(host: str, is_ours: bool) -> None:
    assert is_loopback(host) is is_ours


@given(st.integers(1, 40), st.none() | st.floats(0, 100), st.floats(0, 1))
def test_pauses_grow_to_a_limit_and_obey_the_server(attempt: int, after: float | None, jitter: float) -> None:
    wait = pause(attempt, after, jitter)
    assert wait >= (after or 0)
    assert 0.125 <= wait <= max(8.0, after or 0)
    assert pause(attempt + 1, None, jitter) >= pause(attempt, None, jitter)


def test_the_pauses_in_seconds() -> None:
    longest = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert [pause(attempt, None, 1.0) for attempt in range(1, 8)] == longest
    assert [pause(attempt, None, 0.0) for attempt in range(1, 8)] == [wait / 2 for wait in longest]
    assert pause(1, 3.0, 1.0) == 3.0


def test_retry_after_in_both_forms() -> None:
    assert retry_after_seconds("7", 0) == 7
    assert retry_after_seconds("Thu, 01 Jan 1970 00:01:40 GMT", 90) == 10
    assert retry_after_seconds("Thu, 01 Jan 1970 00:01:40 GMT", 900) == 0
    assert retry_after_seconds("soon", 0) is None
    assert retry_after_seconds(None, 0) is None


def test_a_host_that_does_not_answer_is_tried_by_one_at_a_time_and_seldom() -> None:
    outages = Outages()
    assert not outages.is_out(HOST, 0)
    outages.failed(HOST, 10, 10)
    assert outages.is_out(HOST, 14.9)
    assert not outages.is_out(HOST, 15)  # one may try
    assert outages.is_out(HOST, 15)  # the others wait for what it finds
    outages.failed(HOST, 10, 25)
    assert outages.is_suspect(HOST), "and asking that takes no turn"
    assert outages.is_out(HOST, 34.9) and not outages.is_out(HOST, 35)
    outages.worked(HOST)
    assert not outages.is_suspect(HOST)
    assert not outages.is_out(HOST, 35)
    assert not outages.is_out(Origin("https", "other.example.org", 443), 12)


def test_a_host_that_refuses_at_once_is_tried_again() -> None:
    outages = Outages()
    outages.failed(HOST, 0.01, 1)
    assert not outages.is_out(HOST, 1)
