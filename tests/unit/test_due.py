"""`coursefs due`: lines, notes, and titles that are no titles (pure, and the command on a catalogue of its own)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.base.characters import one_line
from coursefs.base.due_times import is_plausible
from coursefs.catalog import Place, Store
from coursefs.catalog.course_nodes import course_changes
from coursefs.catalog.names import Layout
from coursefs.catalog.node import ROOT
from coursefs.cli.due import notes_of
from coursefs.cli.main import main
from coursefs.formats.calendars import CalendarEntry
from coursefs.library import DueList, stored_due
from coursefs.model import Course, Deadline
from coursefs.pages.cleaning import without_tags
from coursefs.providers.checking import deadlines
from coursefs.settings.paths import app_paths

DAY = 86_400 * 10**9


#: titles as people write them
LITERAL = ["The <div> element", "ArrayList<String> basics", "#include <stdio.h>", "a < b and c > d", "The <br> tag"]


@pytest.mark.parametrize("title", [*LITERAL, "<p>Quiz&nbsp;1</p>", "&lt;b&gt;", "AT&T"])
def test_a_title_is_plain_text_and_loses_nothing(title: str) -> None:
    assert one_line(title) == title


@pytest.mark.parametrize(
    ("title", "plain"),
    [("  \n\t ", ""), (" Quiz\n 1 ", "Quiz 1"), ("x" * 10_000, "x" * 199 + "…"), ("<" * 10_000, "<" * 199 + "…")],
)
def test_a_title_is_one_line(title: str, plain: str) -> None:
    assert one_line(title) == plain


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        *((title, title) for title in LITERAL),
        ("Quiz 1", "Quiz 1"),
        ("<p>Quiz&nbsp;<b>1</b></p>\n", "Quiz 1"),
        ('<a href="https://x.example/?a=<b>">Quiz</a> 1', "Quiz 1"),
        ("<SPAN class='x'>Quiz", "Quiz"),
        ("One<br/>two</p>", "One two"),
        ("if a <b and c=d> e", "if a <b and c=d> e"),
        ("<em>Map</em>: List<String> basics", "Map: List<String> basics"),
        ("</String> basics", "</String> basics"),
        ("&lt;b&gt;", "<b>"),
        ("The &lt;b&gt; of <i>HTML</i>", "The <b> of HTML"),
        ("Q&amp;A", "Q&A"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("  \n\t ", ""),
        ("<" * 10_000, "<" * 199 + "…"),
        ("<b " * 10_000, "<b " * 66 + "<…"),
    ],
)
def test_of_html_the_tags_go_and_what_only_looks_like_one_stays(title: str, plain: str) -> None:
    assert one_line(without_tags(title)) == plain


@given(st.text() | st.text("<>/b a=&;'\""))
def test_any_title_is_one_short_line(title: str) -> None:
    for plain in (one_line(title), one_line(without_tags(title))):
        assert len(plain) <= 200
        assert plain == " ".join(plain.split())


@given(st.lists(st.tuples(st.text(), st.integers(), st.none() | st.text()) | st.none()))
def test_any_list_of_dates_becomes_one_that_can_be_stored(said: list[tuple[str, int, str | None] | None]) -> None:
    found = deadlines([None if one is None else Deadline(*one) for one in said])
    assert list(found) == sorted(found, key=lambda one: (one.due_ns, one.title))
    assert all(-(2**63) < one.due_ns < 2**63 for one in found)


def test_1970_and_9999_are_no_dates() -> None:
    assert not any(is_plausible(when) for when in (-1, 0, 86_400 * 10**9, 2**63 - 1))
    assert is_plausible(1_788_249_600 * 10**9)


def test_what_a_list_lacks_is_a_line_for_each_thing() -> None:
    assert notes_of(DueList(())) == []
    assert notes_of(DueList((), ("Ears",), (("Graphics", 1),))) == [
        "Graphics: 1 date left out, before 2000 or after 2199",
        "not known yet: the dates of Ears; to ask for them: coursefs update",
    ]
    assert notes_of(DueList((), ("Ears", "Noses"))) == [
        "not known yet: the dates of 2 courses; to ask for them: coursefs update"
    ]


def catalogue(*due: Deadline) -> None:
    """A settings file with one account, whose one course has these dates."""
    file = app_paths().config_file
    file.parent.mkdir(parents=True)
    file.write_text("[accounts.coursera]\n")
    store, courses = Store(app_paths().state_dir / "catalogue.sqlite"), [Course("c1", "ears", "Ears")]
    store.enrolments.set_courses("coursera", courses)
    store.write(course_changes(store, "coursera", ROOT, courses, Layout("title"), 1))
    store.due_dates.replace(Place("coursera", "c1"), due, 1)
    store.close()


def test_what_is_due_is_a_line_in_local_time_and_an_object_in_utc(
    own_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    when = (time.time_ns() // DAY + 3) * DAY  # midnight in UTC
    catalogue(
        Deadline("\x1b[31mQuiz", when, "module/m", "https://x.example"), Deadline("List<String>", when + 30 * DAY)
    )
    assert main(["due", "--days", "7"]) == 0
    out, err = capsys.readouterr()
    header, line = out.splitlines()
    assert (header.split(), err) == (["DUE", "COURSE", "WHAT"], "")
    assert line.split() == [time.strftime("%Y-%m-%d", time.gmtime(when / 1e9)), "05:30", "Ears", "\ufffd[31mQuiz"]
    assert main(["due", "--json"]) == 0
    quiz, later = json.loads(capsys.readouterr().out)
    assert quiz == {
        "account": "coursera",
        "course": "Ears",
        "directory": "Ears",
        "title": "\x1b[31mQuiz",
        "due": time.strftime("%Y-%m-%dT00:00:00+00:00", time.gmtime(when / 1e9)),
        "id": "module/m",
        "url": "https://x.example",
        "path": None,
    }
    assert later["title"] == "List<String>"
    monkeypatch.undo()
    time.tzset()


def test_that_nothing_is_due_is_a_line(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["due"]) == 3
    assert capsys.readouterr() == ("", "coursefs: no account yet; sign in with: coursefs login\n")
    catalogue(Deadline("Past", 1_700_000_000 * 10**9))
    assert main(["due", "--days", "1"]) == 0
    assert capsys.readouterr() == ("", "coursefs: nothing is due within 1 day\n")
    assert main(["due", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["due", "--days", "x"]) == 2


def test_what_is_due_as_an_entry_of_a_calendar(own_home: Path) -> None:
    catalogue(Deadline("Quiz", 1_788_249_600 * 10**9, "module/m", "https://x.example"), Deadline("Never", 0))
    (one,) = stored_due(app_paths().state_dir / "catalogue.sqlite", ["coursera"], 0, 2**63 - 1).due
    entry = CalendarEntry("coursera", "c1", "module/m", "Ears", "Quiz", 1_788_249_600 * 10**9, 1, "https://x.example")
    assert one.calendar_entry() == entry
