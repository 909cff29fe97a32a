"""Which courses are shown: chosen by name, kept in the catalogue, taken up by the tree at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from coursefs.catalog import SelectionRule
from coursefs.catalog.node import ROOT
from coursefs.errors import CoursefsError, NotAllowed, Unreachable, UsageError
from coursefs.library import AccountSource, Library, LibrarySettings, choose, list_all, open_library
from coursefs.library.course_names import names
from coursefs.library.course_selection import Chosen
from coursefs.model import Course, Outline, Wanted
from tests.engine.fakes import FakeProvider, lecture, made_by, section

BASE = "https://www.coursera.org"
GRAPHICS = Course("c1", "graphics", "Graphics", f"{BASE}/learn/graphics")
EARS = Course("c2", "ears", "Ears", f"{BASE}/learn/ears")
DEAD = Course("c0", "old", "Old", None, hidden=True)
NOT_MINE = Course("c8", "birds", "Birds", f"{BASE}/learn/birds", hidden=True)
OPEN = Course("c9", "open", "Open to All", f"{BASE}/learn/open")
PROGRAMME = f"{BASE}/specializations/graphics"


@dataclass
class Resolver(FakeProvider):
    """A provider that knows more courses than those of the enrolments."""

    more: dict[str, list[Course]] = field(default_factory=dict)

    async def resolve(self, text: str) -> Sequence[Course]:
        await self._asked(f"resolve {text}")
        return self.more.get(text, [])


@pytest.fixture
def provider() -> Resolver:
    outline = Outline((section("m", "Start", 1, lecture("a", "Hello", 1)),))
    provider = Resolver([GRAPHICS, EARS, DEAD], dict.fromkeys(("c1", "c2", "c9"), outline))
    provider.more = {
        PROGRAMME: [EARS, GRAPHICS, NOT_MINE],
        "birds": [NOT_MINE],
        "open": [OPEN],
        f"{BASE}/specializations/birds": [NOT_MINE],
    }
    return provider


def settings_in(folder: Path) -> LibrarySettings:
    accounts = [AccountSource("fake", "fake", {}, {})]
    return LibrarySettings(folder / "state" / "catalogue.sqlite", folder / "cache", accounts, Wanted())


@asynccontextmanager
async def opened(folder: Path, provider: Resolver) -> AsyncIterator[Library]:
    async with open_library(settings_in(folder), providers=made_by("fake", provider)) as library:
        yield library


async def shown(library: Library) -> list[str]:
    return [node.name for node in await library.files.children(ROOT)]


async def test_a_course_that_is_removed_is_gone_at_once_and_comes_back_as_it_was(
    tmp_path: Path, provider: Resolver
) -> None:
    async with opened(tmp_path, provider) as library:
        assert await shown(library) == ["Ears", "Graphics"]
        course = await library.files.child(ROOT, "Graphics")
        assert course is not None
        (module,) = await library.files.children(course.inode)
        told: list[tuple[int, str]] = []
        library.on_change(lambda _, names: told.extend(names))

        assert await library.courses.choose(["graphics"], shown=False) == [Chosen("fake", "Graphics", False, None)]
        assert await shown(library) == ["Ears"]
        assert told == [(ROOT, "Graphics")]
    asked = len(provider.calls)
    async with opened(tmp_path, provider) as library:  # it is remembered
        assert await shown(library) == ["Ears"]
        assert await library.courses.choose([f"{BASE}/learn/graphics/home/week/1"], shown=True) == [
            Chosen("fake", "Graphics", True, "Graphics")
        ]
        assert await shown(library) == ["Ears", "Graphics"]
        assert await library.files.child(ROOT, "Graphics") == library.files.node(course.inode)
        assert [node.inode for node in await library.files.children(course.inode)] == [module.inode]
    assert len(provider.calls) == asked  # no platform was asked anything


async def test_a_newcomer_does_not_get_the_name_of_one_that_is_not_shown(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        await library.courses.choose(["ears"], shown=False)
        provider.listed = [GRAPHICS, EARS, DEAD, Course("c3", "other-ears", "Ears")]
        await library.courses.refresh("fake")
        assert await shown(library) == ["Ears", "Graphics"]
        await library.courses.choose(["c2"], shown=True)
        assert await shown(library) == ["Ears", "Ears (c2)", "Graphics"]


async def test_a_name_that_two_courses_have_had_means_the_one_that_changes(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        await library.courses.choose(["Ears"], shown=False)
        provider.listed = [GRAPHICS, EARS, Course("c3", "other", "Ears")]
        await library.courses.refresh("fake")
        await library.courses.choose(["Ears"], shown=False)  # the newcomer, as the other one is not shown
        assert await shown(library) == ["Graphics"]
        with pytest.raises(UsageError, match="Ears names more than one course; name it by its id"):
            await library.courses.choose(["Ears"], shown=True)
        with pytest.raises(UsageError, match="more than one"):
            await library.courses.choose(["Ears"], shown=False)
        await library.courses.choose(["c3"], shown=True)
        assert await shown(library) == ["Ears", "Graphics"]


async def test_the_beginning_of_a_title_names_a_known_course(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        asked = len(provider.calls)
        await library.courses.choose(["gra"], shown=False)
        assert len(provider.calls) == asked, "what is to be hidden is known"
        assert await shown(library) == ["Ears"]
        await library.courses.choose(["Gra"], shown=True)
        assert await shown(library) == ["Ears", "Graphics"]
        provider.more["gra"] = [OPEN]
        assert [one.title for one in await library.courses.choose(["gra"], shown=True)] == ["Open to All"], (
            "what the platform calls so goes before a title that only begins so"
        )
        with pytest.raises(UsageError, match=r"no course is called grafics; did you mean Graphics\?"):
            await library.courses.choose(["grafics"], shown=True)


async def test_all_is_what_comes_later_too(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        gone = await library.courses.choose(["all"], shown=False)
        assert {(one.title, one.shown) for one in gone} == {("Graphics", False), ("Ears", False)}
        assert await shown(library) == []
        await library.courses.choose(["Ears"], shown=True)
        provider.listed = [GRAPHICS, EARS, OPEN]
        await library.courses.refresh("fake")
        assert await shown(library) == ["Ears"]
        back = await library.courses.choose(["all"], shown=True)
        assert [one.directory for one in back] == ["Graphics", "Ears", "Open to All"]
        assert await shown(library) == ["Ears", "Graphics", "Open to All"]


async def test_a_programme_is_all_its_courses_and_those_not_enrolled_in_are_named(
    tmp_path: Path, provider: Resolver
) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        await library.courses.choose(["all"], shown=False)
        found = await library.courses.choose([PROGRAMME], shown=True)
        assert [(one.title, one.directory) for one in found] == [
            ("Ears", "Ears"),
            ("Graphics", "Graphics"),
            ("Birds", None),
        ]
        assert found[-1].note == f"Birds: you are not enrolled in it; enrol at {BASE}/learn/birds first"
        provider.listed = [GRAPHICS, EARS, Course("c8", "birds", "Birds"), OPEN]  # enrolled meanwhile
        await library.courses.refresh("fake")
        assert await shown(library) == ["Birds", "Ears", "Graphics"]
        await library.courses.choose([PROGRAMME], shown=False)
        assert await shown(library) == []


async def test_a_course_that_is_open_to_all_is_shown_without_an_enrolment(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        assert "Open to All" not in await shown(library)
        await library.courses.choose(["open"], shown=True)
        course = await library.files.child(ROOT, "Open to All")
        assert course is not None
        assert [node.name for node in await library.files.children(course.inode)] == ["01 Start"]
        await library.courses.refresh("fake")
        assert "Open to All" in await shown(library)
    async with opened(tmp_path, provider) as library:
        assert "Open to All" in await shown(library)
        await library.courses.choose(["Open to All"], shown=False)
        await library.courses.refresh("fake")
        assert "Open to All" not in await shown(library)
    rows, _ = await list_all(settings_in(tmp_path), providers=made_by("fake", provider))
    assert [(row.course.title, row.is_shown) for row in rows] == [
        ("Graphics", True),
        ("Ears", True),
        ("Old", False),
        ("Open to All", False),
    ]


async def test_an_account_with_nothing_but_courses_of_the_open_can_be_listed(
    tmp_path: Path, provider: Resolver
) -> None:
    provider.listed = []
    async with opened(tmp_path, provider) as library:
        await library.courses.choose(["open"], shown=True)
        await library.courses.refresh("fake")
        assert await shown(library) == ["Open to All"]


@pytest.mark.parametrize(
    ("text", "to_show", "error", "why"),
    [
        ("nothing-of-ours", True, UsageError, "no course is called nothing-of-ours"),
        ("nothing-of-ours", False, UsageError, "no course is called"),
        ("birds", True, NotAllowed, "Birds: you are not enrolled in it"),
        (f"{BASE}/specializations/birds", True, NotAllowed, "Birds: you are not enrolled in it"),
        ("birds", False, UsageError, "you have no such course"),
        ("old", True, NotAllowed, "Old: the platform no longer shows it"),
    ],
)
async def test_what_cannot_be_chosen_changes_nothing(
    tmp_path: Path, provider: Resolver, text: str, to_show: bool, error: type[CoursefsError], why: str
) -> None:
    async with opened(tmp_path, provider) as library:
        before = await shown(library)
        with pytest.raises(error, match=why):
            await library.courses.choose(["graphics", text], shown=to_show)
        assert await shown(library) == before


async def test_without_a_network_what_is_known_can_be_chosen(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        provider.failure = Unreachable("no network")
        await library.courses.choose(["ears"], shown=False)
        assert await shown(library) == ["Graphics"]
        with pytest.raises(Unreachable):
            await library.courses.choose(["something-new"], shown=True)


async def test_an_enrolment_of_today_is_found(tmp_path: Path, provider: Resolver) -> None:
    async with opened(tmp_path, provider) as library:
        await shown(library)
        provider.listed = [GRAPHICS, EARS, Course("c5", "new", "New")]
        (one,) = await library.courses.choose(["new"], shown=True)
        assert (one.directory, provider.calls[-1]) == ("New", "courses")


async def test_without_a_mount_it_is_written_to_the_catalogue(tmp_path: Path, provider: Resolver) -> None:
    await choose(settings_in(tmp_path), ["graphics"], shown=False, providers=made_by("fake", provider))
    rows, _ = await list_all(settings_in(tmp_path), providers=made_by("fake", provider))
    assert {row.course.title: row.record()["shown"] for row in rows} == {"Graphics": False, "Ears": True, "Old": False}


async def test_another_learner_begins_with_everything(tmp_path: Path, provider: Resolver) -> None:
    for user, expected in (("1", ["Ears", "Graphics"]), ("1", ["Ears"]), ("2", ["Ears", "Graphics"])):
        accounts = [AccountSource("fake", "fake", {}, {"user_id": user})]
        settings = replace(settings_in(tmp_path), accounts=accounts)
        async with open_library(settings, providers=made_by("fake", provider)) as library:
            assert await shown(library) == expected
            await library.courses.choose(["graphics"], shown=False)


def test_a_choice() -> None:
    choice = SelectionRule().including(["c1"], shown=False)
    assert [choice.shows(one) for one in (GRAPHICS, EARS, DEAD)] == [False, True, False]
    choice = SelectionRule(others=False).including(["c1", "c0"], shown=True)
    assert [choice.shows(one) for one in (GRAPHICS, EARS, DEAD)] == [True, False, False]


@pytest.mark.parametrize(
    ("url", "is_its_page"),
    [
        (f"{BASE}/learn/graphics", True),
        (f"{BASE}/learn/graphics/home/week/1?specialization=other", True),
        ("https://de.coursera.org/learn/graphics#about", True),
        (PROGRAMME, False),  # a programme with the slug of a course
        (f"{BASE}/specializations/other?course=/learn/graphics", False),
        ("https://lms.example/learn/ears", False),
        ("https://[broken/learn/graphics", False),
    ],
)
def test_the_pages_of_a_course(url: str, is_its_page: bool) -> None:
    assert names(GRAPHICS, "Graphics", url) is is_its_page


LMS = "https://lms.example.com"
NEW_ID = Course("course-v1:DemoX+M1+2026", "DemoX+M1+2026", "Far", f"{LMS}/courses/course-v1:DemoX+M1+2026/course/")
OLD_ID = Course("DemoX/M1/2012", "DemoX+M1+2012", "Old", f"{LMS}/courses/DemoX/M1/2012/course/")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("course-v1:DemoX+M1+2026", NEW_ID),
        ("DemoX+M1+2026", NEW_ID),
        ("Far", NEW_ID),
        (f"{LMS}/courses/course-v1:DemoX+M1+2026/course/", NEW_ID),
        (f"{LMS}/courses/course-v1%3ADemoX%2BM1%2B2026/progress", NEW_ID),
        ("https://apps.lms.example.com/learning/course/course-v1:DemoX+M1+2026/home", NEW_ID),
        ("DemoX/M1/2012", OLD_ID),
        ("DemoX+M1+2012", OLD_ID),
        (f"{LMS}/courses/DemoX/M1/2012/info", OLD_ID),
        (f"{LMS}/courses/DemoX%2FM1%2F2012/info", OLD_ID),
        (f"{LMS}/courses/DemoX/M1", None),
        (f"{LMS}/courses/course-v1:DemoX+M1+2027/course/", None),
        (f"{LMS}/courses/?next=course-v1:DemoX+M1+2026", None),
    ],
)
def test_ids_that_have_slashes_and_signs_in_them(text: str, meant: Course | None) -> None:
    assert [course for course in (NEW_ID, OLD_ID) if names(course, course.title, text)] == ([meant] if meant else [])
