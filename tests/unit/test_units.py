"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import UsageError
from coursefs.settings.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("17B", 17),
        ("1kB", 1000),
        ("500MB", 500 * 10**6),
        ("20GiB", 20 * 2**30),
        ("1.5 GiB", 3 * 2**29),
        ("2T", 2 * 2**40),
        ("8k", 8192),
        (" 3Gb ", 3 * 10**9),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "20 GiBs", "-1", -1, True, None, 1.5, [1], "1e9", "1,5GB", "20Gi B"])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (60, 60.0),
        (0.5, 0.5),
        ("60s", 60.0),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("1 d", 86400.0),
        ("7", 7),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0s", 0, -1, "-1s", "1w", True, None, [], float("inf"), float("nan"), "inf"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@given(st.text() | st.integers() | st.floats() | st.from_regex(r"\d{1,400}(\.\d{1,3})?[a-zA-Z]{0,3}", fullmatch=True))
def test_whatever_is_written_gives_a_value_or_a_reason(value: object) -> None:
    for parse in (parse_size, parse_duration):
        try:
            assert parse(value) >= 0
        except UsageError as error:
            assert str(error)
