"""The table of courses: what is in a line, and that it fits a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from coursefs.cli.courses import fitted, line_of
from coursefs.library import Listed
from coursefs.model import Course, Deadline, Standing

DAY = 86_400 * 10**9
NOW = 20_000 * DAY + DAY // 2
COURSE = Course("c1", "sound-and-hearing", "Sound and Hearing")
COLUMNS = ("course", "done", "due", "name to type")


def due(*days: int) -> tuple[Deadline, ...]:
    return tuple(Deadline("x", NOW + day * DAY) for day in days)


@pytest.mark.parametrize(
    ("standing", "done", "when"),
    [
        (None, "-", "-"),
        (Standing(), "-", "-"),
        (Standing(done=0.999), "99 %", "-"),
        (Standing(done=1.0, deadlines=due(-3)), "100 %", "-"),
        (Standing(done=0.0, deadlines=due(-3, 5, 9)), "0 %", "2024-10-09"),
    ],
)
def test_what_is_not_known_is_a_dash_and_what_is_due_comes_next(
    standing: Standing | None, done: str, when: str
) -> None:
    row = Listed("x", COURSE, "X/Sound and Hearing", True, standing, "sound-and-hearing")
    assert line_of(row, NOW) == ("X/Sound and Hearing", done, when, "sound-and-hearing")


def test_a_course_that_is_not_shown_has_its_title() -> None:
    assert line_of(Listed("x", COURSE, None, False, None, "c1"), NOW)[0] == "Sound and Hearing"


LONG = [
    ("Einführung in die Grundlagen der Signalverarbeitung, Teil 1", "40 %", "2026-12-03", "signal-processing-1"),
    ("Einführung in die Grundlagen der Signalverarbeitung, Teil 2", "-", "-", "signal-processing-2"),
    ("日本語の音声学と音韻論のための入門コース、第二学期", "100 %", "-", "c1"),
]


def test_titles_are_shortened_in_the_middle_and_keep_what_tells_them_apart() -> None:
    found = fitted(LONG, COLUMNS, 80)
    assert [title for title, *_ in found][:2] == [
        "Einführung in die G…rarbeitung, Teil 1",
        "Einführung in die G…rarbeitung, Teil 2",
    ]
    assert fitted(LONG, COLUMNS, 200) == LONG


TITLES = st.text(st.sampled_from("ab 音ö1"), min_size=1, max_size=90)


@given(st.lists(TITLES, min_size=1, max_size=5), st.integers(60, 200))
def test_a_line_fits_the_terminal(titles: list[str], width: int) -> None:
    lines = [(title, "100 %", "2026-12-03", "a-slug-of-some-length") for title in titles]
    for line in fitted(lines, COLUMNS, width):
        assert sum(cell_len(cell) + 2 for cell in line) <= width
