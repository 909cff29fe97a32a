"""Due dates as a calendar: read again by two libraries, and imported twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.base.due_times import EARLIEST, LATEST
from coursefs.formats.calendars import CalendarEntry, calendar

SECOND = 10**9
DUE = int(datetime(2026, 9, 14, 17, 30, tzinfo=UTC).timestamp()) * SECOND
CHANGED = int(datetime(2026, 8, 1, tzinfo=UTC).timestamp()) * SECOND
QUIZ = CalendarEntry(
    "coursera", "c1", "item/q", "Sound and Hearing", "Quiz 1", DUE, CHANGED, "https://www.coursera.org/learn/x"
)


def read(data: bytes) -> list[Any]:
    """The events as vobject reads them."""
    (found,) = vobject.readComponents(data.decode())
    return list(found.vevent_list)


def events(data: bytes) -> list[Any]:
    """The events as icalendar reads them."""
    return list(icalendar.Calendar.from_ical(data).walk("VEVENT"))


def test_an_entry() -> None:
    data = calendar("Sound and Hearing", [QUIZ])
    (event,) = read(data)
    assert event.summary.value == "Sound and Hearing: Quiz 1"
    assert event.dtstart.value == datetime(2026, 9, 14, 17, 30, tzinfo=UTC)
    assert event.url.value == QUIZ.url and event.description.value == QUIZ.url
    assert event.dtstamp.value == event.last_modified.value == datetime(2026, 8, 1, tzinfo=UTC)
    assert event.valarm.trigger.value == timedelta(days=-1)
    assert (event.valarm.action.value, event.valarm.description.value) == ("DISPLAY", "Quiz 1")
    assert event.transp.value == "TRANSPARENT"
    (whole,) = vobject.readComponents(data.decode())
    assert (whole.version.value, whole.method.value, whole.x_wr_calname.value) == (
        "2.0",
        "PUBLISH",
        "Sound and Hearing",
    )


def test_times_are_in_utc_and_lines_are_those_of_the_standard() -> None:
    data = calendar("ü" * 200, [replace(QUIZ, title="é" * 199, url=f"https://x.example/{'a' * 500}")])
    assert b"DTSTART:20260914T173000Z\r\n" in data
    assert data.startswith(b"BEGIN:VCALENDAR\r\n") and data.endswith(b"END:VCALENDAR\r\n")
    # RFC 5545, 3.1: lines end with CRLF and have at most 75 octets without it
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")


def test_the_same_dates_are_the_same_bytes_in_any_order() -> None:
    some = [QUIZ, replace(QUIZ, key="item/r", title="Quiz 2"), replace(QUIZ, key=None, title="Exam")]
    assert calendar("x", some) == calendar("x", some[::-1]) == calendar("x", (one for one in some))


def test_what_is_imported_twice_is_there_once() -> None:
    """Programs keep one entry for each UID: that of the highest SEQUENCE, and then of the latest DTSTAMP (RFC 5546)."""
    other = replace(QUIZ, account="campus", course="Other")
    one_course, all_courses = calendar("Sound", [QUIZ]), calendar("All", [other, QUIZ])
    uids = {str(event["uid"]) for event in events(one_course)}
    assert len(uids) == 1 and len({str(event["uid"]) for event in events(all_courses)} - uids) == 1

    moved = replace(QUIZ, due_ns=DUE + 86_400 * SECOND, changed_ns=CHANGED + 3_600 * SECOND, title="Quiz one")
    (before,), (after,) = events(one_course), events(calendar("Sound", [moved]))
    assert before["uid"] == after["uid"]
    assert before["sequence"] < after["sequence"] < 2**31
    assert before["dtstamp"].dt < after["dtstamp"].dt


@pytest.mark.parametrize("changed_ns", [-(2**63), 0, 2**63])
def test_a_time_of_change_that_cannot_be_is_the_nearest_that_can(changed_ns: int) -> None:
    (event,) = events(calendar("x", [replace(QUIZ, changed_ns=changed_ns)]))
    assert 0 <= event["sequence"] < 2**31 and EARLIEST <= event["dtstamp"].dt <= LATEST


def test_several_dates_of_one_thing_are_several_entries() -> None:
    again = replace(QUIZ, due_ns=DUE + 7 * 86_400 * SECOND)
    first, second = events(calendar("x", [again, QUIZ]))
    assert first["uid"] != second["uid"] and first["uid"] == events(calendar("x", [QUIZ]))[0]["uid"]
    no_keys = [replace(QUIZ, key=None, title=title) for title in ("A", "B", "key item/q")]
    assert len({str(event["uid"]) for event in events(calendar("x", [QUIZ, *no_keys]))}) == 4


@pytest.mark.parametrize("seconds", [-1, 0, 946_684_799, 253_370_764_800, 2**63 // SECOND, 10**40])
def test_a_time_that_is_none_is_left_out(seconds: int) -> None:
    wrong = replace(QUIZ, key="item/never", due_ns=seconds * SECOND)
    assert calendar("x", [wrong]) == calendar("x", [])
    assert calendar("x", [wrong, QUIZ]) == calendar("x", [QUIZ])


def test_nothing_due_is_an_empty_calendar() -> None:
    data = calendar("x", [])
    assert events(data) == [] and data.startswith(b"BEGIN:VCALENDAR\r\n") and data.endswith(b"END:VCALENDAR\r\n")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("a\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR", "C: a END:VCALENDAR BEGIN:VCALENDAR"),
        ("semi; comma, back\\slash \\n", "C: semi; comma, back\\slash \\n"),
        ("a\u2028b\x85c\x0bd\0e", "C: a b c de"),
        ("\u202egnp.exe", "C: gnp.exe"),
        ("\ud800", "C: Due"),
        ("", "C: Due"),
        ("x" * 10_000, f"C: {'x' * 199}…"),
        ("<b>bold</b>", "C: <b>bold</b>"),
    ],
)
def test_a_hostile_title_is_a_summary(title: str, shown: str) -> None:
    data = calendar("C", [replace(QUIZ, title=title, course="C")])
    (event,) = read(data)
    assert event.summary.value == shown
    assert len(events(data)) == 1


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "", None, "https://", "http://[", f"https://x/{'y' * 3000}"]
)
def test_what_is_no_web_page_is_no_url(url: str | None) -> None:
    (event,) = events(calendar("x", [replace(QUIZ, url=url)]))
    assert "url" not in event and "description" not in event


def test_a_url_cannot_add_a_line() -> None:
    (event,) = events(calendar("x", [replace(QUIZ, url="https://x.example/\r\nATTACH:https://evil.example")]))
    assert "attach" not in event and str(event["url"]) == "https://x.example/ATTACH:https://evil.example"


_TEXT = st.text(max_size=300)
_ENTRIES = st.lists(
    st.builds(
        CalendarEntry,
        account=_TEXT,
        course_key=_TEXT,
        key=st.none() | _TEXT,
        course=_TEXT,
        title=_TEXT,
        due_ns=st.integers(-(2**63), 2**63)
        | st.integers(int(EARLIEST.timestamp()), int(LATEST.timestamp()) - 1).map(lambda seconds: seconds * SECOND),
        changed_ns=st.integers(-(2**63), 2**63),
        url=st.none() | _TEXT.map(lambda text: f"https://x.example/{text}"),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(_TEXT, _ENTRIES)
def test_every_calendar_is_read_by_both_libraries(name: str, entries: list[CalendarEntry]) -> None:
    data = calendar(name, entries)
    good = [one for one in entries if EARLIEST.timestamp() <= one.due_ns / SECOND < LATEST.timestamp()]
    if not good:
        assert events(data) == []
        return
    seconds = sorted(one.due_ns // SECOND for one in good)
    found, second = events(data), read(data)
    assert [int(event["dtstart"].dt.timestamp()) for event in found] == seconds
    assert [int(event.dtstart.value.timestamp()) for event in second] == seconds
    assert [str(event["summary"]) for event in found] == [event.summary.value for event in second]
    assert len({str(event["uid"]) for event in found}) == len(good)
