"""The provider against the sample server, over real sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import pytest

from coursefs.demo.openedx.accounts import APP
from coursefs.demo.openedx.description import FILES, Asset, Block, Course, load, read
from coursefs.demo.openedx.site import Site
from coursefs.doctor.finding import Severity
from coursefs.doctor.platforms import platforms
from coursefs.errors import BadReply, CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.library import AccountSource
from coursefs.model import Course as ModelCourse
from coursefs.model import File, Item, Kind, Outline, Page, Remote, Section, Wanted
from coursefs.providers.base import Grades, HasRoutes, Resolves, Searches
from coursefs.providers.openedx.client import OpenEdxClient, OpenEdxReader
from coursefs.providers.openedx.provider import OpenEdxProvider
from tests.engine.openedx_world import Lms, lms

NAME = "How Far, How Loud?"


def units(outline: Outline | None) -> dict[str, Item]:
    """All items of a course by title."""
    assert outline is not None

    def within(section: Section) -> list[Item]:
        return [*section.items, *(item for inner in section.sections for item in within(inner))]

    found = [*outline.items, *(item for section in outline.sections for item in within(section))]
    return {item.title: item for item in found}


async def opened(provider: OpenEdxProvider) -> tuple[ModelCourse, dict[str, Item]]:
    (course,) = [course for course in await provider.courses() if course.title == NAME]
    return course, units(await provider.outline(course))


def named(files: Sequence[File] | CoursefsError) -> dict[str, File]:
    assert not isinstance(files, CoursefsError), files
    return {f"{file.title}{file.extension}": file for file in files}


def html_of(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


async def bytes_of(world: Lms, provider: OpenEdxProvider, course: ModelCourse, file: File) -> bytes:
    assert isinstance(file.body, Remote)
    source = await provider.source(course, file.body, fresh=False)
    reply = await world.transport.fetch(source.url, headers=source.headers)
    assert reply.status == 200
    return reply.body


async def test_every_enrolment_begun_or_not() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        courses = await provider.courses()
        assert world.asked() == ["/api/enrollment/v1/enrollment"]
    assert [(one.title, one.slug, one.mark) for one in courses] == [
        ("How Bright?", "DemoX+MEAS102+2099", "2099"),
        (NAME, "DemoX+MEAS101+2026", "2026"),
    ]
    assert courses[1].url == f"{world.addresses.lms}/courses/course-v1:DemoX+MEAS101+2026/course/"
    assert courses[1].enrolled_ns == 1788430500 * 10**9
    assert isinstance(provider, Searches) and isinstance(provider, Grades) and isinstance(provider, HasRoutes)


async def test_whose_sign_in_it_is() -> None:
    async with lms() as world:
        secrets = world.learner()
        del secrets["user_id"]
        provider = world.provider(secrets)
        identity = await provider.whoami()
        assert (identity.user_id, identity.name) == ("learner", "Ada Learner")
        await opened(provider)
        assert len(world.asked("/api/mobile/v0.5/")) == 2  # a redirect and where it leads, once


async def test_the_tree_takes_three_requests() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        (course,) = [course for course in await provider.courses() if course.title == NAME]
        world.platform.journal.clear()
        outline = await provider.outline(course)
        assert world.asked() == [
            f"/api/course_home/course_metadata/{course.key}",
            "/api/courses/v2/blocks/",
            f"/api/learning_sequences/v1/course_outline/{course.key}",
        ]
    assert outline is not None
    far, loud = outline.sections
    assert [(one.position, one.title, one.kind) for one in (far, loud)] == [
        (1, "How far?", Kind.MODULE),
        (2, "How loud?", Kind.MODULE),
    ]
    assert [item.title for item in far.sections[0].items] == ["Before you begin", "Parallax"]
    assert [(item.position, item.title, item.locked) for item in far.items] == [
        (
            2,
            "The examination",
            "it is an exam (Timed Exam, due on 2026-12-15), which can be taken on its web page only",
        ),
        (3, "Beyond the Milky Way", "it opens on 2099-01-15"),
    ]
    assert [item.title for item in outline.items] == ["Handouts", "Updates"]


async def test_every_file_of_a_course() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, list(items.values()))
        found = {title: named(files[item.key]) for title, item in items.items()}
        assert {title: sorted(some) for title, some in found.items()} == {
            "Before you begin": [".html", "Star chart.pdf", "images moon-phases.png"],
            "Parallax": [".html", "How far is a star?.en.srt", "How far is a star?.mp4"],
            "The examination": ["locked.html"],
            "Beyond the Milky Way": ["locked.html"],
            "Decibel": [
                "A visit to the anechoic room (video).html",
                "Loud and soft (video).html",
                "Notes on units.pdf",
                "Was ist ein Dezibel?.en.srt",
                "Was ist ein Dezibel?.mp4",
            ],
            "Exercises": [".html", "decibel ladder.png"],
            "Handouts": [".html", "Star chart.pdf"],
            "Updates": [".html"],
        }
        expected = {
            ("Before you begin", "Star chart.pdf"): "reading-the-night-sky/media/star-chart.pdf",
            ("Before you begin", "images moon-phases.png"): "reading-the-night-sky/media/moon-phases.png",
            ("Parallax", "How far is a star?.mp4"): "reading-the-night-sky/media/how-far-is-a-star.720p.mp4",
            ("Parallax", "How far is a star?.en.srt"): "reading-the-night-sky/media/how-far-is-a-star.en.srt",
            ("Decibel", "Was ist ein Dezibel?.mp4"): "sound-and-hearing/media/was-ist-ein-dezibel.720p.mp4",
            ("Decibel", "Was ist ein Dezibel?.en.srt"): "sound-and-hearing/media/was-ist-ein-dezibel.en.srt",
            ("Decibel", "Notes on units.pdf"): "sound-and-hearing/media/notes-units.pdf",
            ("Exercises", "decibel ladder.png"): "sound-and-hearing/media/decibel-ladder.png",
            ("Handouts", "Star chart.pdf"): "reading-the-night-sky/media/star-chart.pdf",
        }
        for (title, name), path in expected.items():
            assert await bytes_of(world, provider, course, found[title][name]) == (FILES / path).read_bytes(), name
        assert world.leaks == []
    text = html_of(found["Before you begin"][".html"])
    assert "What you need" in text and "not this" not in text and "<script" not in text
    exercise = html_of(found["Parallax"][".html"])
    assert exercise.count("Exercise 1") == 1 and "Proxima Centauri" in exercise and "unanswered" not in exercise
    assert "a drag and drop exercise" in html_of(found["Exercises"][".html"])
    assert "it is an exam (Timed Exam, due on 2026-12-15)" in html_of(found["The examination"]["locked.html"])


async def test_a_lesson_costs_one_request_for_each_unit_with_texts() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        world.platform.journal.clear()
        decibel = items["Decibel"]
        await provider.files(course, [decibel])
        assert len(world.asked("/xblock/")) == 1, "the handout of a video stands on its page alone"
        assert sum(one.endswith("/available_translations") for one in world.asked()) == 2
        world.platform.journal.clear()
        await provider.files(course, [items["Before you begin"], items["Parallax"]])
        assert len(world.asked("/xblock/")) == 2 and len(world.asked("/courses/")) == 1 and len(world.asked()) == 3


async def test_a_page_is_the_same_however_often_it_is_made() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        unit = items["Before you begin"]
        first = await provider.files(course, [unit])
        second = await provider.files(course, [unit])
        assert first[unit.key] == second[unit.key]


async def test_the_wanted_video_and_languages() -> None:
    async with lms() as world:
        provider = world.provider(world.learner(), wanted=Wanted(("all",), 360))
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"], items["Decibel"]])
        video = named(files[items["Parallax"].key])["How far is a star?.mp4"]
        small = FILES / "reading-the-night-sky/media/how-far-is-a-star.360p.mp4"
        assert await bytes_of(world, provider, course, video) == small.read_bytes()
        assert {"Was ist ein Dezibel?.de.srt", "Was ist ein Dezibel?.en.srt"} <= named(
            files[items["Decibel"].key]
        ).keys()


async def test_a_course_that_has_not_begun_says_so() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        (course,) = [course for course in await provider.courses() if course.title == "How Bright?"]
        outline = await provider.outline(course)
        assert outline is not None
        (item,) = outline.items
        assert item.locked == "the course has not begun; it begins on 2099-01-15"
        (page,) = named((await provider.files(course, [item]))[item.key]).values()
        assert "it begins on 2099-01-15" in html_of(page) and page.title == "locked"


async def test_a_course_that_has_not_begun_on_a_server_that_does_not_say_why() -> None:
    async with lms(gone=("/api/course_home/",)) as world:
        provider = world.provider(world.learner())
        (course,) = [course for course in await provider.courses() if course.title == "How Bright?"]
        outline = await provider.outline(course)
        assert outline is not None and outline.items[0].locked == "the course has not begun; it begins on 2099-01-15"


async def test_a_course_that_is_gone_stays_an_error() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        with pytest.raises(Gone):
            await provider.outline(ModelCourse("course-v1:DemoX+NO+1", "x", "x"))


OLD = ("/api/courses/v2/", "/api/enrollment/", "/api/mobile/v0.5/", "/api/course_home/progress")


def changed(course: Course, **fields: object) -> Course:
    """A course that differs in these."""
    return Course(**{**{name: getattr(course, name) for name in course.__slots__}, **fields})


IMAGE = "asset-v1:{}+type@asset+block@images_course_image.jpg"


def with_apps() -> tuple[Course, ...]:
    """The courses, all of which apps are shown."""
    return tuple(changed(course, mobile_available=True) for course in load())


async def test_an_older_release_is_asked_the_older_way_and_told_of() -> None:
    async with lms(gone=OLD, courses=with_apps()) as world:
        secrets = world.learner()
        del secrets["user_id"]
        provider = world.provider(secrets)
        course, items = await opened(provider)
        assert "Parallax" in items
        await provider.outline(course)
        assert len(world.asked("/api/courses/v2/")) == 1  # what is gone is not asked again
        troubles = {route.name: route.trouble for route in provider.routes()}
        assert troubles["course blocks (/api/courses/v1/blocks/)"] is None
        assert "does not have this route (HTTP 404)" in (troubles["course blocks (/api/courses/v2/blocks/)"] or "")
        assert "only the courses that their teams let apps show" in (
            troubles["enrolments (/api/mobile/v1/users/{username}/course_enrollments/)"] or ""
        )


async def test_the_doctor_tells_of_an_older_release_and_finds_nothing_wrong_with_it() -> None:
    async with lms(gone=("/api/courses/v2/",)) as world:
        account = AccountSource("edx", "openedx", {"server": world.addresses.lms, "client_id": APP}, world.learner())
        findings = await platforms([account], Wanted(), world.transport)
        assert world.asked("/api/courses/v1/blocks/") != []
    assert {one.state for one in findings} == {Severity.OK, Severity.NOTE}
    (note,) = [one.message for one in findings if one.state is Severity.NOTE]
    assert note.startswith("course blocks (/api/courses/v2/blocks/): ") and note.endswith("; another one answers")


async def test_handouts_and_the_youngest_update_of_a_course_that_apps_are_not_shown() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        world.platform.journal.clear()
        files = await provider.files(course, [items["Handouts"], items["Updates"]])
        assert sorted(named(files[items["Handouts"].key])) == [".html", "Star chart.pdf"]
        assert "Bring headphones" in html_of(named(files[items["Updates"].key])[".html"])
        assert sorted(world.asked()) == [
            f"/api/course_home/outline/{course.key}",
            "/api/mobile/v1/users/learner/course_enrollments/",
        ]


async def test_all_updates_of_a_course_that_apps_are_shown() -> None:
    async with lms(courses=with_apps()) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Handouts"], items["Updates"]])
        page = html_of(named(files[items["Updates"].key])[".html"])
        assert "Bring headphones" in page and "Welcome!" in page and "September 1, 2026" in page


async def test_handouts_where_the_home_page_of_a_course_fails() -> None:
    async with lms(courses=with_apps(), site=Site(broken={"/api/course_home/outline/"})) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Handouts"], items["Updates"]])
        assert sorted(named(files[items["Handouts"].key])) == [".html", "Star chart.pdf"]
        assert len(world.asked("/api/course_home/outline/")) == 1  # there is a substitute: it is not asked again
    async with lms(site=Site(broken={"/api/course_home/outline/"})) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Handouts"], items["Updates"]])
        assert all(isinstance(one, BadReply) for one in files.values())  # what is known stays


async def test_the_picture_of_a_course_is_that_of_the_list_for_apps_and_asked_for_only_if_it_is_wanted() -> None:
    async with lms(courses=with_apps()[:1]) as world:
        for wanted, lists in ((Wanted(), 0), (Wanted(pictures=True), 1)):
            world.platform.journal.clear()
            courses = await world.provider(world.learner(), wanted=wanted).courses()
            assert len(world.asked("/api/mobile/v1/users/")) == lists
            images = {course.image for course in courses}
            assert images == {f"{world.addresses.lms}/{IMAGE.format(courses[0].key[10:])}" if lists else None}
    for missing in ({"gone": ("/api/mobile/",)}, {"site": Site(broken={"/api/mobile/v1/users/"})}):
        async with lms(**missing) as world:
            courses = await world.provider(world.learner(), wanted=Wanted(pictures=True)).courses()
            assert courses and not any(course.image for course in courses)


async def test_how_the_learner_stands() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        standing = await provider.standing(course)
    assert (standing.done, standing.grade, standing.passed) == (0.25, 0.5, False)
    (deadline,) = standing.deadlines
    assert (deadline.title, deadline.due_ns) == ("Exercise 1: Parallax", 1790891999_500000000)
    assert deadline.key == "lesson/block-v1:DemoX+MEAS101+2026+type@sequential+block@0d9c8b7a6f5e4d3c2b1a09f8e7d6c501"
    assert (standing.starts_ns, standing.ends_ns) == (1788249600 * 10**9, 1803852000 * 10**9)


async def test_the_dates_alone_take_one_request() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        world.platform.journal.clear()
        (deadline,) = await provider.due_dates(course)
        assert (deadline.title, deadline.due_ns) == ("Exercise 1: Parallax", 1790891999_500000000)
        assert world.asked() == [f"/api/course_home/dates/{course.key}"]


async def test_how_one_stands_takes_two_requests_and_none_that_is_known_to_be_missing() -> None:
    courses = tuple(changed(load()[1], id=f"course-v1:O+C+{number}") for number in range(5))
    async with lms(courses=courses, site=Site(progress=False)) as world:
        provider = world.provider(world.learner())
        listed = await provider.courses()
        world.platform.journal.clear()
        for course in listed:
            assert (await provider.standing(course)).done is None
        assert len(world.asked("/api/course_home/dates/")) == 5
        assert len(world.asked("/api/course_home/progress/")) == 2  # then it is held to be switched off
        assert len(world.asked()) == 7
        world.platform.journal.clear()
        world.platform.site.progress = True
        other = world.provider(world.learner())
        assert (await other.standing(listed[0])).done == 0.25
        assert len(world.asked()) == 2


async def test_how_one_stands_in_a_course_that_is_closed() -> None:
    closed = changed(load()[1], prerequisite=True)
    async with lms(courses=(closed, load()[0])) as world:
        provider = world.provider(world.learner())
        listed = await provider.courses()
        world.platform.journal.clear()
        standing = await provider.standing(listed[0])
        assert standing.starts_ns == 1788249600 * 10**9 and standing.deadlines == ()
        assert world.asked() == [f"/api/course_home/dates/{listed[0].key}"]
        world.platform.journal.clear()
        await provider.standing(listed[1])
        assert world.asked() == []  # it has not begun


async def test_a_server_that_fails_to_tell_dates_is_asked_three_times_at_most() -> None:
    async with lms(site=Site(broken={"/api/course_home/"})) as world:
        provider = world.provider(world.learner())
        course = next(one for one in await provider.courses() if one.title == NAME)
        world.platform.journal.clear()
        standing = await provider.standing(course)
        assert [one.title for one in standing.deadlines] == ["Exercise 1"]
        assert len(world.asked()) == 3
        assert tuple(await provider.due_dates(course)) == standing.deadlines


async def test_when_a_self_paced_course_began() -> None:
    async with lms(courses=(changed(load()[1], self_paced=True),)) as world:
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        assert (await provider.standing(course)).starts_ns == 1788249600 * 10**9  # and not the day of the enrolment


async def test_transcripts_are_listed_where_they_are() -> None:
    silent = broken(load()[1], "How far is a star?", transcripts={})
    async with lms(courses=(silent,)) as world:
        provider = world.provider(world.learner(), wanted=Wanted(("all",)))
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"], items["Decibel"]])
        assert not [name for name in named(files[items["Parallax"].key]) if name.endswith(".srt")]
        assert [name for name in named(files[items["Decibel"].key]) if name.endswith(".srt")] == [
            "Was ist ein Dezibel?.de.srt",
            "Was ist ein Dezibel?.en.srt",
        ]
        asked = [entry for entry in world.platform.journal.entries if entry.path.endswith("/available_translations")]
        assert sorted(entry.status or 0 for entry in asked) == [200, 404, 404]


@pytest.mark.parametrize("how", ["gone", "broken"])
async def test_transcripts_are_listed_as_the_blocks_do_where_no_reply_says(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coursefs.transport.client.pause", lambda *_: 0.0)
    paths = {f"/courses/course-v1:DemoX+MEAS101+2026/xblock/{block.key}" for block in load()[1].root.walk()}
    async with lms(site=Site(**{how: paths})) as world:  # type: ignore[arg-type]
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"]])
        assert "How far is a star?.en.srt" in named(files[items["Parallax"].key])
        asked = len(world.asked("/courses/"))
        await provider.files(course, [items["Parallax"]])
        assert len(world.asked("/courses/")) == asked


async def test_a_video_that_is_a_file_of_the_course() -> None:
    silent = broken(load()[1], "Loud and soft", static="Star_chart.pdf.mp4")
    lecture = FILES / "reading-the-night-sky/media/how-far-is-a-star.360p.mp4"
    path = "/asset-v1:DemoX+MEAS101+2026+type@asset+block@Star_chart.pdf.mp4"
    assets = {**silent.assets, "Star_chart.pdf.mp4": Asset(path, lecture, locked=True)}
    async with lms(courses=(changed(silent, assets=assets),)) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Decibel"]])
        video = named(files[items["Decibel"].key])["Loud and soft.mp4"]
        assert await bytes_of(world, provider, course, video) == lecture.read_bytes()


async def test_a_pdf_of_which_only_its_page_tells() -> None:
    """The PDF block of the releases from Verawood on."""
    async with lms(site=Site(extracted=True)) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Decibel"]])
        pdf = named(files[items["Decibel"].key])["Notes on units.pdf"]
        expected = (FILES / "sound-and-hearing/media/notes-units.pdf").read_bytes()
        assert await bytes_of(world, provider, course, pdf) == expected
        assert world.leaks == []
    address = "/static/Star_chart.pdf"
    courses = tuple(broken(one, "Notes on units", address=address) for one in load())
    async with lms(site=Site(extracted=True), courses=courses) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Decibel"]])
        pdf = named(files[items["Decibel"].key])["Notes on units.pdf"]
        expected = (FILES / "reading-the-night-sky/media/star-chart.pdf").read_bytes()
        assert await bytes_of(world, provider, course, pdf) == expected  # a locked file of the course


async def test_what_is_due_on_a_server_without_dates() -> None:
    async with lms(gone=("/api/course_home/",)) as world:
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        standing = await provider.standing(course)
    assert [(one.title, str(one.key).partition("/")[0]) for one in standing.deadlines] == [("Exercise 1", "item")]
    assert standing.done is None


async def test_when_a_course_begins_that_has_not_begun() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        (course,) = [course for course in await provider.courses() if course.title == "How Bright?"]
        standing = await provider.standing(course)
    assert standing.starts_ns is not None and standing.starts_ns > 4 * 10**18
    assert (standing.done, standing.ends_ns) == (None, None)


async def test_the_catalogue_can_be_searched() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        (found,) = await provider.search("bright")
        assert (found.key, found.title) == ("course-v1:DemoX+MEAS102+2099", "How Bright?")
        assert await provider.search("nothing of this name") == []
        (found,) = await provider.search("MEAS101 far")
        assert found.title == NAME
        assert len(world.asked("/api/courses/v1/courses/")) == 4  # one of them to learn that it cannot search
        world.platform.site.search_engine = True
        found_by_server = await world.provider(world.learner()).search("how")
        assert len(found_by_server) == 2
        assert len(await provider.search("how", limit=1)) == 1


async def test_a_course_is_found_by_its_id_its_slug_and_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "course-v1:DemoX+MEAS101+2026"
    async with lms() as world:
        provider = world.provider(world.learner())
        addresses = [f"{world.addresses.lms}/courses/{one}/course/" for one in (key, quote(key, safe=""))]
        for text in (key, "DemoX+MEAS101+2026", *addresses):
            (course,) = await provider.resolve(text)
            assert (course.key, course.hidden) == (key, False)
        assert await provider.resolve("course-v1:DemoX+MEAS101+1999") == ()
        assert await provider.resolve("https://www.coursera.org/learn/graphics") == ()

        async def none(*_: object) -> tuple[()]:
            return ()

        monkeypatch.setattr(OpenEdxReader, "enrolments", none)
        (course,) = await provider.resolve(key)
        assert (course.key, course.title, course.hidden) == (key, NAME, True)
        assert isinstance(provider, Resolves)
    async with lms(gone=("/api/courses/v1/courses/",)) as world:
        assert await world.provider(world.learner()).resolve("course-v1:DemoX+MEAS101+1999") == ()


async def test_an_application_sees_no_pages_and_says_so() -> None:
    async with lms() as world:
        secrets = {"client_secret": world.platform.accounts.service_secret}
        provider = world.provider(secrets)
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"], items["Before you begin"]])
        assert sorted(named(files[items["Parallax"].key])) == [
            "How far is a star?.en.srt",
            "How far is a star?.mp4",
            "locked.html",
        ]
        (page,) = named(files[items["Before you begin"].key]).values()
        assert "to sign-ins with a password or cookies only" in html_of(page)
        assert len(world.asked("/oauth2/login/")) == 1 and world.asked("/xblock/") == []


async def test_a_locked_file_is_had_with_cookies_alone() -> None:
    async with lms() as world:
        path = "/asset-v1:DemoX+MEAS101+2026+type@asset+block@Star_chart.pdf"
        remote = Remote("asset" + path, {"what": "asset", "path": path})
        learner = world.provider(world.learner())
        application = world.provider({"client_secret": world.platform.accounts.service_secret})
        course, _ = await opened(learner)
        source = await learner.source(course, remote, fresh=False)
        assert set(source.headers) == {"Cookie"}
        assert (await world.transport.fetch(source.url, headers=source.headers)).status == 200
        source = await application.source(course, remote, fresh=False)
        assert source.headers == {}
        assert (await world.transport.fetch(source.url, headers=source.headers)).status == 403


@pytest.mark.parametrize(
    "locator",
    [
        {"what": "video", "block": "block-v1:DemoX+MEAS101+2026+type@video+block@gone", "profile": "fallback"},
        {"what": "video", "block": "71de000000000000000000000000a002", "profile": "desktop_mp4"},
        {"what": "transcript", "block": "71de000000000000000000000000a002", "language": "fr"},
        {"what": "pdf", "block": "71de000000000000000000000000a002"},
        {"what": "new"},
    ],
)
async def test_what_is_no_longer_offered_is_gone(locator: Mapping[str, str]) -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, _ = await opened(provider)
        block = locator.get("block", "")
        if block.startswith("71de"):
            locator = {**locator, "block": f"block-v1:DemoX+MEAS101+2026+type@video+block@{block}"}
        with pytest.raises(Gone):
            await provider.source(course, Remote("x/y", locator), fresh=False)


def broken(course: Course, title: str, **fields: object) -> Course:
    """The course with other fields of the blocks of this name."""

    def changed(block: Block) -> Block:
        more = fields if block.name == title else {}
        inner = tuple(map(changed, block.blocks))
        return Block(block.key, block.id, block.type, block.name, {**block.fields, **more}, inner)

    values = {name: getattr(course, name) for name in course.__slots__}
    return Course(**{**values, "root": changed(course.root)})


async def test_one_refused_unit_leaves_the_others_alone() -> None:
    courses = tuple(broken(course, "Before you begin", gated=True) for course in load())
    async with lms(courses=courses) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Before you begin"], items["Parallax"]])
        (page,) = named(files[items["Before you begin"].key]).values()
        assert "only after something else was done" in html_of(page)
        assert ".html" in named(files[items["Parallax"].key])


async def test_the_parts_that_can_be_made_of_a_page_that_cannot() -> None:
    courses = tuple(broken(course, "Parallax", crashes=501) for course in load())
    async with lms(courses=courses) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"]])
        assert "Proxima Centauri" in html_of(named(files[items["Parallax"].key])[".html"])


async def test_a_page_that_cannot_be_made_at_all_may_be_better_next_time() -> None:
    courses = tuple(broken(broken(course, "Parallax", crashes=501), "Exercise 1", crashes=501) for course in load())
    async with lms(courses=courses) as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        files = await provider.files(course, [items["Parallax"], items["Decibel"]])
        assert isinstance(files[items["Parallax"].key], BadReply)
        assert "Notes on units.pdf" in named(files[items["Decibel"].key])


async def test_a_unit_that_is_gone_says_so() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        gone = Item("item/x", "Gone", "gone", 9, "unit", details={"block": "block-v1:x"})
        files = await provider.files(course, [gone, items["Decibel"]])
        assert isinstance(files["item/x"], Gone)
        assert not isinstance(files[items["Decibel"].key], CoursefsError)


async def test_a_course_whose_blocks_are_refused_refuses_its_units_alone() -> None:
    async with lms() as world:
        provider = world.provider({**world.learner(), "user_id": "another"})
        unit = Item("item/x", "Unit", "unit", 1, "unit", details={"block": "block-v1:x"})
        handouts = Item("item/handouts", "Handouts", "handouts", None, "handouts")
        files = await provider.files(ModelCourse("course-v1:DemoX+MEAS101+2026", "x", "x"), [unit, handouts])
        assert isinstance(files["item/x"], NotAllowed) and "does not have permission" in str(files["item/x"])
        assert named(files["item/handouts"])


async def test_an_ended_sign_in_stands_against_all() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        course, items = await opened(provider)
        world.platform.accounts.disabled.add("learner")
        with pytest.raises(NotSignedIn, match="is disabled"):
            await provider.files(course, [items["Parallax"], items["Handouts"]])


async def test_an_old_course_with_slashes_in_its_id() -> None:
    old = read({"org": "MITx", "number": "6.002x", "run": "2012", "name": "Circuits", "start": load()[0].enrolled,
                "enrolled": load()[0].enrolled})  # fmt: skip
    values = {name: getattr(old, name) for name in old.__slots__}
    course = Course(**{**values, "id": "MITx/6.002x/2012"})
    async with lms(courses=(course,)) as world:
        provider = world.provider(world.learner())
        (listed,) = await provider.courses()
        assert (listed.key, listed.slug, listed.mark) == ("MITx/6.002x/2012", "MITx+6.002x+2012", "2012")
        outline = await provider.outline(listed)
        assert outline is not None and [item.title for item in outline.items] == ["Handouts", "Updates"]
        files = await provider.files(listed, outline.items)
        assert not any(isinstance(one, CoursefsError) for one in files.values())


def test_nothing_that_a_mount_has_can_enrol_a_user() -> None:
    assert not hasattr(OpenEdxReader, "change_enrollment") and hasattr(OpenEdxClient, "change_enrollment")


async def test_the_provider_only_has_the_client_that_reads() -> None:
    async with lms() as world:
        provider = world.provider(world.learner())
        held = [value for value in vars(provider).values() if isinstance(value, OpenEdxReader)]
        assert [type(client) for client in held] == [OpenEdxReader]
        course, items = await opened(provider)
        await provider.files(course, list(items.values()))
        written = [entry.path for entry in world.platform.journal.entries if "write" in entry.notes]
        assert written == ["/oauth2/login/"]


async def test_names_of_a_person_are_nowhere_in_a_repr() -> None:
    async with lms() as world:
        secrets = world.learner()
        provider = world.provider(secrets)
        assert secrets["access_token"] not in str(vars(provider)) + repr(provider)
