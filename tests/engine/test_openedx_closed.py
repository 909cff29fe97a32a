"""Courses and parts of courses that are not open: they say why and when, and what opens later moves no other item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from coursefs.demo.openedx.description import Course, load, read
from coursefs.demo.openedx.site import Site
from coursefs.errors import BadReply
from coursefs.model import Course as ModelCourse
from coursefs.model import Item, Outline
from coursefs.providers.openedx.provider import OpenEdxProvider
from tests.engine.openedx_world import Clock, Lms, lms
from tests.engine.test_openedx_provider import changed, html_of, named

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
KEY = "course-v1:DemoX+MEAS101+2026"


def clock() -> Clock:
    return Clock(NOW.timestamp())


async def outline_of(provider: OpenEdxProvider, key: str = KEY) -> tuple[ModelCourse, Outline]:
    (course,) = [one for one in await provider.courses() if one.key == key]
    outline = await provider.outline(course)
    assert outline is not None
    return course, outline


def refused(world: Lms) -> list[tuple[str, int | None]]:
    """The requests that the server answered with 4xx or 5xx."""
    entries = world.platform.journal.entries
    return [(entry.path, entry.status) for entry in entries if (entry.status or 0) >= 400]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": datetime(2099, 1, 15, tzinfo=UTC)}, "the course has not begun; it begins on 2099-01-15"),
        (
            {"ended": datetime(2026, 3, 1, tzinfo=UTC)},
            "your access to this course ended on 2026-03-01; the platform sells a longer one",
        ),
        ({"prerequisite": True}, "another course has to be completed before this one"),
        ({"staff_only": True}, "the school does not show this course now"),
    ],
)
async def test_a_closed_course_is_one_page_that_says_why_after_one_request(
    fields: Mapping[str, Any], said: str
) -> None:
    course = changed(load()[1], **fields)
    async with lms(courses=(course,)) as world:
        provider = world.provider(world.learner())
        await provider.courses()
        world.platform.journal.clear()
        shown, outline = await outline_of(provider)
        (item,) = outline.items
        assert (outline.sections, item.locked) == ((), said)
        (page,) = named((await provider.files(shown, [item]))[item.key]).values()
        assert said in html_of(page)
        assert [one for one in world.asked() if "enrollment" not in one] == [
            f"/api/course_home/course_metadata/{shown.key}"
        ]
        assert refused(world) == []


async def test_a_course_without_metadata_that_has_begun_is_shown() -> None:
    """As a real server does it: its metadata fail where learners are put into cohorts."""
    async with lms(site=Site(broken={"/api/course_home/"})) as world:
        _, outline = await outline_of(world.provider(world.learner()))
        assert [one.title for one in outline.sections] == ["How far?", "How loud?"]
        assert [path for path, _ in refused(world)] == [f"/api/course_home/course_metadata/{KEY}"]  # and not again


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is asked for again at once."""
    monkeypatch.setattr("coursefs.transport.client.pause", lambda *_: 0.0)


async def test_a_course_whose_blocks_fail_stays_an_error(no_pause: None) -> None:
    async with lms(site=Site(broken={"/api/courses/"})) as world:
        with pytest.raises(BadReply, match="HTTP 500"):
            await outline_of(world.provider(world.learner()))


def course_of(*subsections: Mapping[str, Any], **chapter: Any) -> Course:
    """A course with one chapter of these subsections, each with one unit."""
    inner = [
        {
            "id": f"s{number}",
            "name": f"S{number}",
            "units": [{"id": f"u{number}", "name": f"U{number}", "blocks": []}],
            **fields,
        }
        for number, fields in enumerate(subsections, 1)
    ]
    last = {"id": "c2", "name": "Last", "sequentials": [{"id": "s9", "name": "S9", "units": []}]}
    chapters = [{"id": "c0", "name": "Empty"}, {"id": "c1", "name": "First", "sequentials": inner, **chapter}, last]
    return read({"org": "O", "number": "C", "run": "R", "name": "C", "start": datetime(2026, 1, 1, tzinfo=UTC),
                 "enrolled": datetime(2026, 1, 1, tzinfo=UTC), "chapters": chapters})  # fmt: skip


def level(outline: Outline, title: str = "First") -> list[tuple[int | None, str, str | None]]:
    """What lies in a chapter, by position: title, and why it is locked."""
    (chapter,) = [one for one in outline.sections if one.title == title]
    found: list[tuple[int | None, str, str | None]] = [(one.position, one.title, None) for one in chapter.sections]
    found += [(item.position, item.title, item.locked) for item in chapter.items]
    return sorted(found)


LATER = datetime(2031, 1, 1, tzinfo=UTC)


async def shown_of(course: Course, now: Clock | None = None) -> tuple[Outline, list[tuple[str, int | None]]]:
    async with lms(courses=(course,), now=now or clock()) as world:
        _, outline = await outline_of(world.provider(world.learner()), course.id)
        return outline, refused(world)


async def test_what_is_not_open_is_listed_where_it_belongs_with_a_reason() -> None:
    course = course_of(
        {},
        {"start": LATER},
        {"hide_after_due": True, "due": datetime(2026, 1, 10, 12, tzinfo=UTC)},
        {"exam": "Timed Exam"},
        {"exam": "Proctored Exam", "due": datetime(2027, 2, 1, tzinfo=UTC)},
        {"staff_only": True},
        {"gated": True},
        {},
    )
    outline, trouble = await shown_of(course)
    assert level(outline) == [
        (1, "S1", None),
        (2, "S2", "it opens on 2031-01-01"),
        (3, "S3", "it was closed when it was due, on 2026-01-10"),
        (4, "S4", "it is an exam (Timed Exam), which can be taken on its web page only"),
        (5, "S5", "it is an exam (Proctored Exam, due on 2027-02-01), which can be taken on its web page only"),
        (6, "S7", "another part of the course has to be completed before it"),
        (7, "S8", None),
    ]
    assert [(one.position, one.title) for one in outline.sections] == [(1, "Empty"), (2, "First"), (3, "Last")]
    assert trouble == []


async def test_what_opens_renumbers_nothing() -> None:
    shut: Sequence[Mapping[str, Any]] = ({}, {"start": LATER}, {"gated": True}, {"exam": "Exam"}, {})
    before, _ = await shown_of(course_of(*shut))
    for number in range(1, 4):
        fields = [{} if place == number else one for place, one in enumerate(shut)]
        after, _ = await shown_of(course_of(*fields))
        assert [one[:2] for one in level(after)] == [one[:2] for one in level(before)]
        assert level(after)[number][2] is None
    later, _ = await shown_of(course_of(*shut), Clock(LATER.timestamp() + 1))
    assert [one[:2] for one in level(later)] == [one[:2] for one in level(before)]


async def test_a_chapter_of_the_future_lists_what_will_be_in_it() -> None:
    now, _ = await shown_of(course_of({}, {}, start=LATER))
    assert [(one.position, one.title) for one in now.sections] == [(1, "Empty"), (2, "First"), (3, "Last")]
    assert level(now) == [(1, "S1", "it opens on 2031-01-01"), (2, "S2", "it opens on 2031-01-01")]


async def test_without_a_course_outline_the_blocks_alone_are_shown_and_what_was_told_last_is_kept(
    no_pause: None,
) -> None:
    course = course_of({}, {"start": LATER}, {})
    async with lms(courses=(course,), now=clock()) as world:
        provider = world.provider(world.learner())
        _, before = await outline_of(provider, course.id)
        world.platform.site.broken.add("/api/learning_sequences/")
        _, after = await outline_of(provider, course.id)
        assert after == before
        _, anew = await outline_of(world.provider(world.learner()), course.id)
        assert level(anew) == [(1, "S1", None), (2, "S3", None)]
    async with lms(courses=(course,), now=clock(), gone=("/api/learning_sequences/",)) as world:
        provider = world.provider(world.learner())
        for _ in range(2):
            _, old = await outline_of(provider, course.id)
        assert level(old) == [(1, "S1", None), (2, "S3", None)]
        assert len(world.asked("/api/learning_sequences/")) == 1  # it is missing, and not asked for again


async def test_on_an_old_release_what_is_missing_is_asked_for_once() -> None:
    missing = ("/api/course_home/", "/api/learning_sequences/")
    async with lms(gone=missing) as world:
        provider = world.provider(world.learner())
        for _ in range(3):
            await outline_of(provider)
        (bright,) = [one for one in await provider.courses() if one.title == "How Bright?"]
        outline = await provider.outline(bright)
        assert outline is not None and outline.items[0].locked == "the course has not begun; it begins on 2099-01-15"
        assert len(world.asked("/api/course_home/")) == 2 and len(world.asked("/api/learning_sequences/")) == 1


async def test_a_portal_before_the_server_is_no_old_release(no_pause: None) -> None:
    everything = ("/api/course",)
    async with lms(gone=everything) as world:
        provider = world.provider(world.learner())
        with pytest.raises(BadReply):
            await outline_of(provider)
        world.platform.site.gone.clear()
        _, outline = await outline_of(provider)
        assert "03 Beyond" in "".join(f"{one.position:02} {one.title}" for one in outline.sections[0].items)
        assert len(world.asked("/api/course_home/")) == 3


async def test_a_locked_subsection_is_a_page_that_costs_nothing() -> None:
    course = course_of({}, {"exam": "Timed Exam"})
    async with lms(courses=(course,), now=clock()) as world:
        provider = world.provider(world.learner())
        shown, outline = await outline_of(provider, course.id)
        world.platform.journal.clear()
        (item,) = [item for section in outline.sections for item in section.items]
        assert isinstance(item, Item) and item.url == f"{world.addresses.lms}/courses/{course.id}/jump_to/" + (
            "block-v1:O+C+R+type@sequential+block@s2"
        )
        (page,) = named((await provider.files(shown, [item]))[item.key]).values()
        assert page.title == "locked" and "Timed Exam" in html_of(page)
        assert world.asked() == []
