"""How a learner stands, asked of the demo platform, and of one that has lost some of its routes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio

from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn, Unreachable
from coursefs.library import AccountSource, LibrarySettings, list_all
from coursefs.model import About, Course, Deadline, Standing, Wanted
from coursefs.providers.base import Grades, Schedules, Tracks
from tests.engine.fakes import FakeProvider, made_by
from tests.engine.small_platform import COURSE, DESCRIPTION, World, small_platform
from tests.engine.test_coursera_catalogue import client_of, provider_in
from tests.engine.test_coursera_provider import NOT_THERE, SIGNED_OUT, WEB_PAGE, Answer, good, signed_in

GONE_405 = httpx.Response(405, json={"msg": "Routing error: 'get' not implemented"})
CLEAR = Course("C1", "some-course", "Some Course", "https://www.coursera.org/learn/some-course")
PROGRESS = "onDemandCoursesProgress.v1/7~C1"
ALL_GONE: dict[str, Answer | list[Answer]] = {
    "adminUserPermissions.v1": good([{"id": 7}]),
    PROGRESS: WEB_PAGE,
    "opencourse.v1/user/7/course/some-course": WEB_PAGE,
    "onDemandSessionMemberships.v1": GONE_405,
    "guidedCourseSessionProgresses.v1": NOT_THERE,
    "onDemandDeadlineSettings.v1/": NOT_THERE,
    "onDemandCourseSchedules.v1/C1/": WEB_PAGE,
    "onDemandCourseGrades.v1/C1": GONE_405,
    "onDemandCourses.v1": GONE_405,
    "courses.v1": NOT_THERE,
    "onDemandInstructorNotes.v1/": WEB_PAGE,
}


async def standing_in(world: World) -> Standing:
    async with provider_in(world) as provider:
        assert isinstance(provider, Grades)
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        return await provider.standing(course)


async def test_all_that_the_platform_says(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world:
        found = await standing_in(world)
        paths = [entry.path.removeprefix("/api/").partition("/")[0] for entry in world.platform.journal.entries]
    start = 1_788_249_600_000_000_000  # 2026-09-01T08:00:00Z
    week = 7 * 86_400 * 10**9
    assert (found.done, found.grade, found.passed) == (1.0, 0.825, False)
    assert (found.starts_ns, found.ends_ns) == (start, start + week)
    (deadline,) = found.deadlines
    assert (deadline.title, deadline.due_ns, deadline.key) == ("First", start + week - 10**6, "module/mod01")
    assert deadline.url is not None and deadline.url.endswith("/learn/small/home/module/1")
    assert found.instructors == ("Dr. Ada Example", "Grace Sample")
    assert found.about == About(
        "beginner",
        "1 hour",
        partners=("University of Examples",),
        description="All about A Small Course.",
        image_url="https://images.example/course.jpg",
    )
    assert (
        len(paths) == len(set(paths)) == 8
    )  # one request for each, with those for the courses, the learner and the names
    assert not any("write" in entry.notes for entry in world.platform.journal.entries)


async def test_the_deadlines_alone_take_one_request_where_they_are_the_learners_own(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, provider_in(world) as provider:
        assert isinstance(provider, Schedules)
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        world.platform.journal.clear()
        (deadline,) = await provider.due_dates(course)
        asked = [entry.path.removeprefix("/api/").partition("/")[0] for entry in world.platform.journal.entries]
    assert asked == ["adminUserPermissions.v1", "onDemandDeadlineSettings.v1"]
    assert deadline == Deadline("", 1_788_249_600_000_000_000 + 7 * 86_400 * 10**9 - 10**6, "module/mod01")


async def test_without_deadlines_of_ones_own_they_come_from_the_schedule() -> None:
    period = {"moduleIds": ["m1", "m2"], "numberOfWeeks": 2}
    answers = ALL_GONE | {
        "onDemandDeadlineSettings.v1/": good([{"start": 1000, "moduleDeadlines": []}]),
        "onDemandCourseSchedules.v1/C1/": good([{"defaultSchedule": {"periods": [period]}}]),
    }
    async with signed_in(answers) as (provider, _):
        assert isinstance(provider, Schedules)
        due = (1 + 2 * 7 * 86_400) * 10**9
        assert await provider.due_dates(CLEAR) == (Deadline("", due, "module/m1"), Deadline("", due, "module/m2"))


@pytest.mark.parametrize(
    "answer", [SIGNED_OUT, httpx.Response(405), httpx.Response(200, text="<html>"), httpx.Response(404, text="<html>")]
)
@pytest.mark.parametrize("missing", ["onDemandDeadlineSettings.v1/", "onDemandCourseSchedules.v1/C1/"])
async def test_no_deadlines_are_believed_only_where_everything_was_answered(
    answer: httpx.Response, missing: str
) -> None:
    empty = {
        "onDemandDeadlineSettings.v1/": good([{"start": 1000, "moduleDeadlines": []}]),
        "onDemandCourseSchedules.v1/C1/": good([{"defaultSchedule": {"periods": []}}]),
        "onDemandSessionMemberships.v1/": good([]),
        "onDemandSessions.v1/": good([]),
    }
    async with signed_in(ALL_GONE | empty | {missing: answer}) as (provider, _):
        assert isinstance(provider, Schedules)
        with pytest.raises((NotAllowed, BadReply)):
            await provider.due_dates(CLEAR)


async def test_of_a_platform_that_has_none_of_it_nothing_is_known() -> None:
    async with signed_in(ALL_GONE) as (provider, platform):
        assert isinstance(provider, Grades)
        assert await provider.standing(CLEAR) == Standing()
    assert {request.method for request in platform.requests} == {"GET"}


@pytest.mark.parametrize("answer", [SIGNED_OUT, httpx.Response(400, text="x"), good([]), good([{"overall": "x"}])])
async def test_what_fails_is_left_out_alone(answer: httpx.Response) -> None:
    answers = ALL_GONE | {PROGRESS: answer, "onDemandCourseGrades.v1/C1": good([{"passingState": "passed"}])}
    async with signed_in(answers) as (provider, _):
        assert isinstance(provider, Grades)
        assert await provider.standing(CLEAR) == Standing(passed=True)


async def test_the_older_route_of_progress() -> None:
    answers = ALL_GONE | {"opencourse.v1/user/7/course/some-course": httpx.Response(200, json={"overall": 40})}
    async with signed_in(answers) as (provider, _):
        assert isinstance(provider, Grades)
        assert (await provider.standing(CLEAR)).done == 0.4


async def test_deadlines_without_names_are_left_out() -> None:
    settings = {"moduleDeadlines": [{"moduleId": "m", "deadline": 5000}], "start": 1000}
    answers = ALL_GONE | {"onDemandDeadlineSettings.v1/": good([settings]), "onDemandCourseMaterials.v2/": NOT_THERE}
    async with signed_in(answers) as (provider, _):
        assert isinstance(provider, Grades)
        assert await provider.standing(CLEAR) == Standing(starts_ns=10**9)


async def test_the_learner_is_asked_for_once() -> None:
    async with signed_in(ALL_GONE) as (provider, platform):
        assert isinstance(provider, Grades)
        await provider.standing(CLEAR)
        await provider.standing(CLEAR)
    assert platform.paths["adminUserPermissions.v1"] == 1


@pytest.mark.parametrize(
    "path",
    [
        f"onDemandCoursesProgress.v1/1000002~{COURSE}",
        f"onDemandHomeProgress.v1/1000002~{COURSE}",
        f"onDemandDeadlineSettings.v1?q=byUserAndCourse&userId=1000002&courseId={COURSE}",
        f"onDemandSessionMemberships.v1?q=activeByUserAndCourse&userId=1000002&courseId={COURSE}",
        f"guidedCourseSessionProgresses.v1?ids=1000002~{COURSE}",
    ],
)
async def test_the_demo_tells_a_learner_of_no_other(tmp_path: Path, path: str) -> None:
    async with small_platform(tmp_path) as world:
        assert (await world.api.get(f"/api/{path}")).status_code == 403
        own = await world.api.get(f"/api/{path.replace('1000002', '1000001')}")
        assert own.status_code == 200 and len(own.json()["elements"]) == 1


async def test_modules_that_are_done(tmp_path: Path) -> None:
    async with small_platform(tmp_path) as world, client_of(world) as client:
        done = await client.learner.modules_done(COURSE)
        assert (done.completed, done.passed) == ((), ())


# -- in the list of courses ------------------------------------------------------------------------------------------


class Graded(FakeProvider):
    def __init__(self, *courses: Course, standings: dict[str, Standing | CoursefsError]) -> None:
        super().__init__(list(courses))
        self.standings = standings

    async def standing(self, course: Course) -> Standing:
        await self._asked(f"standing {course.key}")
        found = self.standings[course.key]
        if isinstance(found, CoursefsError):
            raise found
        return found


async def test_one_course_that_fails_leaves_nulls(tmp_path: Path) -> None:
    courses = [Course("a", "a", "A"), Course("b", "b", "B"), Course("c", "c", "C", hidden=True)]
    good_one = Standing(0.5, 0.9, True, 0, 10**18, (), ("Ada",))
    for error in (Unreachable("no network"), NotSignedIn("sign in")):
        provider = Graded(*courses, standings={"a": good_one, "b": error})
        settings = LibrarySettings(
            tmp_path / "catalogue.sqlite", tmp_path / "cache", [AccountSource("x", "x", {}, {})], Wanted()
        )
        rows, notes = await list_all(settings, lambda row: True, providers=made_by("x", provider))
        records = {row.course.key: row.record() for row in rows}
        assert records["a"]["progress"] == 0.5
        assert records["a"]["starts"] == "1970-01-01T00:00:00+00:00"
        assert (records["a"]["deadlines"], records["a"]["instructors"]) == ([], ["Ada"])
        fields = ("progress", "grade", "passed", "starts", "ends", "deadlines", "instructors")
        assert [records["b"][name] for name in fields] == [None] * 7
        assert notes == [f"x: your progress in 1 of 2 courses is unknown: {error}"]
        assert "standing c" not in provider.calls
        await list_all(settings, providers=made_by("x", provider))
        assert sum(call.startswith("standing") for call in provider.calls) == 2


async def test_what_takes_too_long_is_left_out(tmp_path: Path, autojump_clock: object) -> None:
    class Slow(Graded):
        async def standing(self, course: Course) -> Standing:
            await trio.sleep(0 if course.key == "a" else 1000)
            return Standing(0.25)

    provider = Slow(Course("a", "a", "A"), Course("b", "b", "B"), standings={})
    accounts = [AccountSource("x", "x", {}, {})]
    settings = LibrarySettings(tmp_path / "catalogue.sqlite", tmp_path / "cache", accounts, Wanted())
    rows, notes = await list_all(settings, lambda row: True, providers=made_by("x", provider))
    assert [row.standing for row in rows] == [Standing(0.25), None]
    assert notes == ["x: your progress in 1 of 2 courses is unknown: no answer within 180 s"]


HALF_SEEN = """
[[modules.lessons]]
id = "les02"
slug = "second"
name = "Second"
[[modules.lessons.items]]
id = "ite05"
slug = "more"
name = "More"
type = "lecture"
duration_ms = 12000
video_id = "HalfSeenHalfSeenHalfSe"
video = { "720p" = "media/a.720p.mp4" }
[[modules.lessons]]
id = "les03"
"""


async def test_how_far_one_is_in_each_part(tmp_path: Path) -> None:
    description = DESCRIPTION.replace('\n[[modules.lessons]]\nid = "les02"\n', HALF_SEEN)
    async with small_platform(tmp_path, description) as world, provider_in(world) as provider:
        assert isinstance(provider, Tracks)
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        world.platform.journal.clear()
        found = await provider.progress(course)
        assert [entry.path.split("/")[2] for entry in world.platform.journal.entries] == [
            "adminUserPermissions.v1",
            "onDemandCoursesProgress.v1",
        ]
        assert found.done == 0.8 and found.lists_items
        assert found.parts == {
            "module/mod01": 0.0, "lesson/les01": 1.0, "lesson/les02": 0.0, "lesson/les03": 0.0,
            "item/ite01": 1.0, "item/ite02": 1.0, "item/ite03": 1.0, "item/ite04": 1.0,
        }  # fmt: skip
        assert await provider.watched(course, "item/ite05") == 0.5
        assert await provider.watched(course, "item/ite02") is None
        with pytest.raises(Gone):
            await provider.watched(course, "item/ite01")
        assert {entry.method for entry in world.platform.journal.entries} == {"GET"}
