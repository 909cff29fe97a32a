"""How a learner stands: each reply, and what comes of all of them together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.model import Deadline, Item, Kind, Outline, Section, Standing
from coursefs.providers.coursera import standing as of
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.standing import (
    CourseGrade,
    CourseraProgress,
    CourseSession,
    DeadlineSettings,
    ModulesDone,
    Parts,
    Period,
    standing,
)
from tests.unit.test_coursera_catalogue import good, seed


def page(*elements: Any, **linked: Any) -> Envelope:
    return good({"elements": list(elements), "linked": {f"{name}.v1": rows for name, rows in linked.items()}})


def test_the_recorded_progress_with_and_without_an_envelope(platform_replies: Path) -> None:
    said = seed(platform_replies, "onDemandCoursesProgress.v1")
    expected = CourseraProgress(
        overall=0.02,
        modules={key: percent / 100 for key, percent in said["modules"].items()},
        lessons={key: percent / 100 for key, percent in said["lessons"].items()},
        lists_items=True,
        completed={key: one["timestamp"] / 1000 for key, one in said["items"].items()},
        next_item=said["nextItem"],
    )
    assert sorted(expected.modules.values()) == sorted(expected.lessons.values()) == [0.0, 0.0, 1.0]
    assert len(expected.completed) == 2 and expected.next_item
    assert of.progress(good(said, bare=True)) == expected
    assert of.progress(page(said | {"id": "1~c"})) == expected


def test_the_recorded_deadlines_schedule_grades_and_modules(platform_replies: Path) -> None:
    (row,) = seed(platform_replies, "onDemandDeadlineSettings.v1")["elements"]
    rows = {one["moduleId"]: one["deadline"] / 1000 for one in row["moduleDeadlines"]}
    deadlines = of.deadlines(good(seed(platform_replies, "onDemandDeadlineSettings.v1")))
    assert deadlines == DeadlineSettings(row["start"] / 1000, True, rows) and len(rows) == 2
    (week,) = of.schedule(good(seed(platform_replies, "onDemandCourseSchedules.v1")))
    assert (len(week.module_ids), week.weeks) == (1, 1) and set(week.module_ids) < rows.keys()
    assert of.grade(good(seed(platform_replies, "onDemandCourseGrades.v1"))) == CourseGrade(0.0, False)
    assert of.modules_done(good(seed(platform_replies, "onDemandHomeProgress.v1"))) == ModulesDone((), ())
    assert of.instructors(good(seed(platform_replies, "onDemandInstructorNotes.v1"))) == ()


def test_a_session_is_what_is_joined_or_the_element_itself() -> None:
    joined = page({"id": "m", "createdAt": 5}, onDemandSessions=[{"id": "s", "startedAt": 2000, "endedAt": 4000}])
    guided = page({"id": "1~c", "startedAt": 2000, "endedAt": 4000, "weeks": [], "courseProgressState": "Started"})
    assert of.session(joined) == of.session(guided) == CourseSession(2.0, 4.0)
    assert of.session(page({"id": "m"})) is None


def test_instructors_are_named_once_and_without_blanks() -> None:
    rows = [{"id": "1", "fullName": " Ada "}, {"id": "2", "fullName": "Ada"}, {"id": "3"}]
    assert of.instructors(page({}, instructors=rows)) == ("Ada",)


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        ({"passingState": "passed", "overallOutcome": {"courseGrade": 0.9}}, CourseGrade(0.9, True)),
        ({"passingState": "verifiedPassed"}, CourseGrade(None, True)),
        ({"passingState": "somethingElse", "overallOutcome": {"courseGrade": 1}}, CourseGrade(1.0, None)),
        ({"overallOutcome": {"courseGrade": 90}}, None),
        ({"overallOutcome": {"courseGrade": "A"}}, None),
        ({"overallOutcome": {"courseGrade": True}}, None),
        ({}, None),
    ],
)
def test_grades(said: Any, grade: CourseGrade | None) -> None:
    assert of.grade(page(said)) == grade


READERS: list[Callable[[Envelope], object]] = [
    of.progress, of.session, of.deadlines, of.schedule, of.grade, of.modules_done, of.instructors,
]  # fmt: skip
NAMES = (
    "overall modules items nextItem startedAt endedAt start isEnabled moduleDeadlines deadline moduleId defaultSchedule"
    " periods moduleIds numberOfWeeks overallOutcome courseGrade passingState progressState timestamp fullName"
).split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)


@given(JSON)
def test_whatever_the_platform_sends_nothing_breaks(said: Any) -> None:
    envelope = Envelope((said,) if isinstance(said, dict) else (), {"instructors.v1": [said]}, "")
    for reader in READERS:
        reader(envelope)


# -- together --------------------------------------------------------------------------------------------------------

WEEK = 7 * 86_400
NS = 10**9
MODULES = [
    Section(
        f"module/{key}",
        Kind.MODULE,
        title,
        key,
        number,
        f"https://x.example/{number}",
        items=(Item(f"item/{key}", "", "", 1, "lecture"),),
    )
    for number, (key, title) in enumerate((("a", "First"), ("b", "Second")), 1)
]
FIRST = Deadline("First", 1000 * NS, "module/a", "https://x.example/1")
SECOND = Deadline("Second", 2000 * NS, "module/b", "https://x.example/2")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (Parts(), Standing()),
        (Parts(progress=CourseraProgress(0.5)), Standing(done=0.5)),
        (Parts(progress=CourseraProgress(None, {}, {"a": 1.0})), Standing(done=0.5)),
        (Parts(grade=CourseGrade(0.7, False)), Standing(grade=0.7, passed=False)),
        (Parts(session=CourseSession(1.5, 3.0)), Standing(starts_ns=1_500_000_000, ends_ns=3 * NS)),
        (Parts(instructors=("Ada",)), Standing(instructors=("Ada",))),
        (
            Parts(deadlines=DeadlineSettings(5.0, True, {"b": 2000.0, "a": 1000.0, "gone": 3000.0})),
            Standing(starts_ns=5 * NS, deadlines=(FIRST, SECOND)),
        ),
        (Parts(deadlines=DeadlineSettings(5.0, False, {"a": 1000.0})), Standing(starts_ns=5 * NS)),
        (Parts(schedule=(Period(("a",), 1),)), Standing()),  # weeks without a known begin
        (
            Parts(session=CourseSession(0.5, None), schedule=(Period(("a",), 1), Period((), 2), Period(("b",), 1))),
            Standing(
                starts_ns=NS // 2,
                deadlines=(
                    Deadline("First", WEEK * NS + NS // 2, "module/a", "https://x.example/1"),
                    Deadline("Second", 4 * WEEK * NS + NS // 2, "module/b", "https://x.example/2"),
                ),
            ),
        ),
    ],
)
def test_what_comes_of_it(parts: Parts, expected: Standing) -> None:
    assert standing(parts, Outline(tuple(MODULES))) == expected
    if not of.needs_outline(parts):
        assert standing(parts, Outline(())) == expected


def test_the_replies_of_the_notes_fit_together(platform_replies: Path) -> None:
    parts = Parts(
        progress=of.progress(good(seed(platform_replies, "onDemandCoursesProgress.v1"), bare=True)),
        deadlines=of.deadlines(good(seed(platform_replies, "onDemandDeadlineSettings.v1"))),
        schedule=of.schedule(good(seed(platform_replies, "onDemandCourseSchedules.v1"))),
        grade=of.grade(good(seed(platform_replies, "onDemandCourseGrades.v1"))),
    )
    (row,) = seed(platform_replies, "onDemandDeadlineSettings.v1")["elements"]
    first = row["moduleDeadlines"][0]
    key = f"module/{first['moduleId']}"
    found = standing(parts, Outline((Section(key, Kind.MODULE, "Start", "start", 1),)))
    assert (found.done, found.grade, found.passed) == (0.02, 0.0, False)
    assert found.deadlines == (Deadline("Start", first["deadline"] * 10**6, key),)
    assert json.dumps(found.starts_ns) == f"{row['start']}000000"


def test_progress_by_the_keys_of_sections_and_items() -> None:
    said = {"overall": 50, "modules": {"m": 100}, "lessons": {"l": 25}}
    found = of.course_progress(of.progress(page(said | {"items": {"i": {"progressState": "Completed"}, "j": {}}})))
    assert (found.done, found.lists_items) == (0.5, True)
    assert found.parts == {"module/m": 1.0, "lesson/l": 0.25, "item/i": 1.0}
    assert of.course_progress(of.progress(page(said))).lists_items is False
    assert of.course_progress(None).parts == {}
    assert of.progress(page({"items": {}})) is None


@pytest.mark.parametrize(
    ("element", "seconds"),
    [({"viewedUpTo": 6000}, 6.0), ({"viewedUpTo": 0}, 0.0), ({"viewedUpTo": -1}, None), ({"viewedUpTo": "x"}, None),
     ({}, None)],
)  # fmt: skip
def test_the_place_in_a_video(element: dict[str, Any], seconds: float | None) -> None:
    assert of.place(page(element)) == seconds
