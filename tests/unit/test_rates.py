"""Rates as they are written: units, hours, and nothing that is only guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.errors import UsageError
from coursefs.settings.config import load
from coursefs.settings.rates import Timetable, parse_rate

MB, KIB = 10**6, 2**10


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("2MB/s", ((0, 2 * MB),)),
        ("500kB/s", ((0, 500_000),)),
        ("512k", ((0, 512 * KIB),)),
        ("1.5MiB/s", ((0, 1_572_864),)),
        ("100B/s", ((0, 100),)),
        ("off", ((0, None),)),
        ("08:00,500kB/s 23:00,off", ((480, 500_000), (1380, None))),
        ("23:00,OFF 8:00,500kB/s", ((480, 500_000), (1380, None))),
    ],
)
def test_what_is_a_rate(text: str, entries: tuple[tuple[int, int | None], ...]) -> None:
    assert parse_rate(text) == Timetable(entries)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "expected a rate, such as"),
        (500, "expected a rate, such as"),
        ("500", '"500" is not a rate'),
        ("500/s", '"500/s" is not a rate'),
        ("fast", '"fast" is not a rate'),
        ("-1MB/s", "is not a rate"),
        ("2MB/h", "is not a rate"),
        ("0kB/s", 'would be no transfer at all; for no limit say "off"'),
        ("24:00,1MB/s", '"24:00,1MB/s" is not a time with a rate'),
        ("08:00 1MB/s", '"08:00" is not a time with a rate'),
        ("08:00,1MB/s 8:00,off", "names a time twice"),
        ("08:00,1MB/s 2MB/s", '"2MB/s" is not a time with a rate'),
        ("08:00,500", '"500" is not a rate'),
    ],
)
def test_what_is_none_says_what_one_is(value: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rate(value)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("minute", "rate"), [(0, None), (479, None), (480, 500_000), (1379, 500_000), (1380, None), (1439, None)]
)
def test_the_hours_of_the_day(minute: int, rate: int | None) -> None:
    assert parse_rate("08:00,500kB/s 23:00,off").rate(minute) == rate


ENTRIES = st.dictionaries(st.integers(0, 1439), st.none() | st.integers(1, 10**9), min_size=1)


@given(ENTRIES, st.integers(0, 1439))
def test_the_last_entry_before_a_minute_holds_over_midnight(entries: dict[int, int | None], minute: int) -> None:
    text = " ".join(
        f"{at // 60:02}:{at % 60:02},{'off' if rate is None else f'{rate}B/s'}" for at, rate in entries.items()
    )
    back = next(at % 1440 for at in range(minute + 1440, minute, -1) if at % 1440 in entries)
    assert parse_rate(text).rate(minute) == entries[back]


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    try:
        parse_rate(text)
    except UsageError as error:
        assert str(error)


def test_the_settings_have_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[network]\nlimit = "08:00,500kB/s 23:00,off"\n')
    assert load(file).network.limit == parse_rate("08:00,500kB/s 23:00,off")
    file.write_text('[network]\nlimit = "500"\n')
    with pytest.raises(UsageError, match=r'config.toml:2: network.limit: "500" is not a rate'):
        load(file)
