"""The public catalogue: what replies say, what an address names, and what fits some words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.providers.coursera import catalogue, replies
from coursefs.providers.coursera.catalogue import CatalogueCourse, CourseAddress, Specialization, course_address, ranked
from coursefs.providers.coursera.enrolled import enrolled
from coursefs.providers.coursera.naptime import Envelope, envelope
from coursefs.providers.coursera.old_replies import session_enrolments
from coursefs.transport import Reply

HOST = "coursera.org"


def good(body: Any, *, bare: bool = False) -> Envelope:
    reply = Reply("https://x.example", 200, httpx.Headers(), json.dumps(body).encode())
    return envelope(reply, what="this", sign_in_again="sign in", bare=bare)


def seed(folder: Path, name: str) -> Any:
    return json.loads((folder / "coursera/seeds" / f"{name}.json").read_text())["reply"]


# -- replies ---------------------------------------------------------------------------------------------------------


def test_the_recorded_list_of_courses(platform_replies: Path) -> None:
    said = seed(platform_replies, "courses.v1-list-part")
    (row,) = said["elements"]
    assert catalogue.courses(good(said)) == (CatalogueCourse(row["id"], row["slug"], row["name"], "v2.ondemand"),)


def test_the_recorded_course_with_its_partner(platform_replies: Path) -> None:
    said = seed(platform_replies, "courses.v1")
    (course,), (row,), (partner,) = catalogue.courses(good(said)), said["elements"], said["linked"]["partners.v1"]
    assert row["partnerIds"] == [partner["id"]]
    assert (course.slug, course.partners, course.instructors) == (row["slug"], (partner["name"],), ())


def test_the_recorded_watch_list(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/define-comments"
    said = json.loads((folder / "courses.v1-watchlist-page.json").read_text())
    (row,) = said["elements"]
    page = good(said)
    assert page.next == "100" == said["paging"]["next"]
    assert [(one.id, one.course_type) for one in catalogue.courses(page)] == [(row["id"], "v1.session")]


def test_the_recorded_specializations(platform_replies: Path) -> None:
    (row,) = good(seed(platform_replies, "onDemandSpecializations.v1")).elements
    assert row["id"] and row["slug"] and row["name"]
    assert catalogue.specialization(row) == Specialization(row["id"], row["slug"], row["name"], ())


@pytest.mark.parametrize("name", ["onDemandHomeExperiments.v1", "onDemandInstructorNotes.v1"])
def test_recorded_replies_that_say_nothing(platform_replies: Path, name: str) -> None:
    page = good(seed(platform_replies, name))
    assert (catalogue.courses(page), catalogue.linked_courses(page), page.next) == ((), {}, "")


def test_the_recorded_list_of_courses_that_are_joined(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
    page = good(json.loads((folder / "list-courses-input.json").read_text()))
    slugs = [course.slug for course in catalogue.linked_courses(page).values()]
    assert slugs == json.loads((folder / "list-courses-output.json").read_text())["courses"]


def test_recorded_courses_of_the_catalogue_of_the_platform_of_sessions(platform_replies: Path) -> None:
    folder = platform_replies / "coursera/coursera-dl/json"
    row = json.loads((folder / "matrix-002-about.json").read_text())
    (course,) = catalogue.courses(good({"elements": [row]}))
    assert course == CatalogueCourse(str(row["id"]), row["shortName"], row["name"], "v1.session")
    found = catalogue.courses(good(json.loads((folder / "unprocessed.json").read_text())))
    assert found and all(course.course_type == "v1.session" and course.slug for course in found)


def test_the_specializations_of_a_learner_are_joined_by_id() -> None:
    elements = [
        {"id": "1~a", "s12nId": "a", "userId": 1, "role": "LEARNER"},
        {"id": "1~child!~b", "s12nId": "child~b", "userId": 1, "role": "NOT_ENROLLED"},
        {"id": "1~c", "s12nId": "c", "userId": 1, "role": "LEARNER"},
    ]
    linked = [
        {"id": "child~b", "slug": "b", "name": "B "},
        {"id": "a", "slug": "a", "name": "A", "courseIds": ["x", 5]},
    ]
    page = good({"elements": elements, "linked": {"onDemandSpecializations.v1": linked}})
    assert catalogue.my_specializations(page) == (
        Specialization("a", "a", "A", ("x", "5"), "LEARNER"),
        Specialization("child~b", "b", "B", (), "NOT_ENROLLED"),
    )


def test_the_recorded_enrolments_of_the_platform_of_sessions(platform_replies: Path) -> None:
    said = seed(platform_replies, "users_v1_me_enrollments")
    (course,) = enrolled(session_enrolments(good(said, bare=True)), "https://www.coursera.org")
    (row,), (enrolment,) = said["courses"], said["enrollments"]
    assert enrolment["courseId"] == row["id"]
    assert (course.key, course.slug, course.title) == (str(row["id"]), row["shortName"], row["name"])


def test_enrolments_of_sessions_are_joined_by_id_and_each_course_comes_once() -> None:
    courses = [{"id": 2, "name": "Two", "shortName": "two"}, {"id": 1, "name": "One", "shortName": "one"}]
    enrollments = [{"courseId": 1}, {"courseId": 2}, {"courseId": 1}, {"courseId": 3}, {"courseId": None}, "x"]
    found = session_enrolments(good({"courses": courses, "enrollments": enrollments}, bare=True))
    assert [(one.course_id, one.slug) for one in found] == [("1", "one"), ("2", "two"), ("3", "")]


def test_the_recorded_membership_of_2015(platform_replies: Path) -> None:
    (element,) = good(seed(platform_replies, "openCourseMemberships.v1")).elements
    membership = replies.membership(element, {})
    assert (membership.role, membership.enrolled) == ("LEARNER", element["timestamp"] / 1000)
    assert 1.4e9 < element["timestamp"] / 1000 < 1.9e9


# -- what an address names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("machine-learning", CourseAddress("machine-learning", "machine-learning")),
        (" Ab3dEfGhEeqAbQ7kLmNo1w\n", CourseAddress("Ab3dEfGhEeqAbQ7kLmNo1w", "Ab3dEfGhEeqAbQ7kLmNo1w")),
        ("https://www.coursera.org/learn/x-y/home/week/1?specialization=z", CourseAddress(course="x-y")),
        ("https://coursera.org/learn/x#about", CourseAddress(course="x")),
        ("https://de.coursera.org/course/x", CourseAddress(course="x")),
        ("https://www.coursera.org/specializations/machine-learning", CourseAddress(programme="machine-learning")),
        ("https://www.coursera.org/professional-certificates/x?utm=y", CourseAddress(programme="x")),
        ("https://www.coursera.org/learn/", None),
        ("https://www.coursera.org/learn/..%2F..", None),
        ("https://www.coursera.org/", None),
        ("https://evilcoursera.org/learn/x", None),
        ("https://www.coursera.org.evil.example/learn/x", None),
        ("https://[broken/learn/x", None),
        ("two words", None),
        ("../x", None),
        ("", None),
    ],
)
def test_what_a_text_names(said: str, meant: CourseAddress | None) -> None:
    assert course_address(said, HOST) == meant


@given(st.text() | st.text().map(lambda text: f"https://www.coursera.org/{text}"))
def test_no_text_is_too_strange(said: str) -> None:
    meant = course_address(said, HOST)
    assert meant is None or meant.course or meant.programme


# -- what fits -------------------------------------------------------------------------------------------------------

SHELF = [
    CatalogueCourse("1", "advanced-ml", "Advanced Machine Learning", "v2.ondemand"),
    CatalogueCourse("2", "machine-learning", "Machine Learning ", "v2.ondemand"),
    CatalogueCourse("3", "ml-intro", "Machine Learning for Everyone", "v2.ondemand"),
    CatalogueCourse("4", "machines", "Learning about Machines", "v2.ondemand"),
    CatalogueCourse("5", "guitare", "La guitare, dès le début", "v2.ondemand"),
    CatalogueCourse("6", "x", "人工智能 Künstliche Intelligenz", "v2.ondemand"),
]


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ("machine learning", "2314"),
        ("MACHINE-learning", "2314"),
        ("learning machine", "1234"),
        ("mach", "1234"),
        ("des debut", "5"),
        ("kunstliche", "6"),
        ("人工智能", "6"),
        ("智能", "6"),
        ("nothing of this", ""),
        ("  ?!", ""),
    ],
)
def test_the_best_comes_first(said: str, ids: str) -> None:
    assert "".join(course.id for course in ranked(SHELF, said)) == ids


@given(st.text(), st.text(alphabet="abc def", min_size=1).filter(str.strip))
def test_a_name_is_found_by_itself_before_all_others(other: str, name: str) -> None:
    found = ranked([CatalogueCourse("1", "", f"{name} {other}", ""), CatalogueCourse("2", "", name, "")], name)
    assert "2" in [course.id for course in found]
    assert found[0].id == "2" or ranked([found[0]], name) == [found[0]]
    assert found == ranked(found, name)
