"""How much a whole course costs to list: the sample platform counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from coursefs.demo.description import load_course
from coursefs.demo.faults import Faults
from coursefs.demo.platform import Addresses, Platform
from coursefs.errors import CoursefsError
from coursefs.model import Course, File, Item, Outline, Remote, Section, Wanted
from coursefs.providers import registry
from coursefs.providers.base import Account, Provider
from coursefs.providers.coursera.provider import CourseraProvider
from coursefs.transport import Transport
from tests.engine.small_platform import write_course

#: the types of a real course of 69 items in 19 lessons, as they were recorded in 2026
LECTURES, READINGS, QUIZZES = 48, 12, 6
LESSONS = 19
QUIZ_NUMBERS = {f"{number:02}" for number in range(LECTURES + READINGS, LECTURES + READINGS + QUIZZES)}


def description() -> str:
    """A course of the recorded size, every lecture with two attachments and every reading with a picture."""
    kinds = ["lecture"] * LECTURES + ["supplement"] * READINGS + ["staffGraded"] * QUIZZES
    kinds += ["phasedPeer", "coach", "discussionPrompt"]
    lines = [
        'id = "Kx7mQ2vTEeqAbQ7kLmNo1w"', 'slug = "large"', 'title = "Large"', 'workload = ""', 'languages = ["en"]',
        "enrolled = 2026-09-01T08:00:00Z", "[[modules]]", 'id = "mod01"', 'slug = "all"', 'name = "All"',
    ]  # fmt: skip
    for lesson in range(LESSONS):
        lines += ["[[modules.lessons]]", f'id = "les{lesson:02}"', f'slug = "l{lesson}"', f'name = "Lesson {lesson}"']
        for number in range(lesson, len(kinds), LESSONS):
            lines += ["[[modules.lessons.items]]", f'id = "ite{number:02}"', f'slug = "s{number}"']
            lines += [f'name = "Item {number}"', f'type = "{kinds[number]}"', *body(kinds[number], number)]
    return "\n".join(lines)


def body(kind: str, number: int) -> list[str]:
    def asset(letter: str, name: str) -> str:
        return f'{{ id = "asset{letter}{number:02}", name = "{name}", file = "media/{name}" }}'

    match kind:
        case "lecture":
            return [
                f'video_id = "video{number:02}"',
                'video = { "720p" = "media/a.720p.mp4" }',
                'subtitles = { en = "media/a.en" }',
                f"attachments = [{asset('a', 'slides.pdf')}, {asset('b', 'notes.txt')}]",
            ]
        case "supplement":
            return ['cml = "readings/how.cml"', f"assets = [{asset('c', 'ear.png')}]"]
        case "staffGraded":
            question = '{ type = "Numeric", prompt = "1 + 1", answer = "2", correct = ["2"], feedback = "Yes" }'
            return ['attempt = "taken"', "grade = 1.0", f"questions = [{question}]"]
        case "phasedPeer" | "discussionPrompt":
            return ['instructions = "readings/how.cml"']
        case _:
            return []


@asynccontextmanager
async def large(
    folder: Path,
    wanted: Wanted = Wanted(),  # noqa: B008  frozen
) -> AsyncIterator[tuple[Platform, Provider]]:
    course = load_course(write_course(folder / "large", description()))
    platform = Platform([course])
    async with trio.open_nursery() as nursery:
        addresses: Addresses = await nursery.start(platform.serve)
        settings = {"base_url": addresses.api, "requests_per_second": "1000"}
        account = Account("coursera", settings, {"cauth": addresses.cauth}, wanted)
        async with Transport() as transport:
            yield platform, registry.platform("coursera").create(account, transport)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def another(platform: Platform, provider: Provider) -> AsyncIterator[Provider]:
    """Another provider for the same account: it has found out nothing yet."""
    assert isinstance(provider, CourseraProvider)
    settings = {"base_url": provider._client.api_url, "requests_per_second": "1000"}
    account = Account("coursera", settings, {"cauth": platform.sessions.cauth}, Wanted())
    async with Transport() as transport:
        yield registry.platform("coursera").create(account, transport)


def directories(outline: Outline) -> Iterator[tuple[Item, ...]]:
    """The items of each directory, which are asked for together."""
    yield outline.items
    sections = list(outline.sections)
    while sections:
        section: Section = sections.pop()
        sections += section.sections
        yield section.items


async def listed(provider: Provider, course: Course) -> dict[str, list[File]]:
    """Every file of a course, as a walk through its directories asks for them."""
    outline = await provider.outline(course)
    assert outline is not None
    found: dict[str, list[File]] = {}
    for items in directories(outline):
        for key, files in (await provider.files(course, items)).items() if items else ():
            assert not isinstance(files, CoursefsError), (key, files)
            found[key] = list(files)
    return found


async def test_a_course_of_69_items_costs_at_most_two_requests_an_item(tmp_path: Path) -> None:
    async with large(tmp_path) as (platform, provider):
        course = next(one for one in await provider.courses() if one.slug == "large")
        platform.journal.clear()
        found = await listed(provider, course)
        asked = [re.sub(r"/.*", "", entry.path.removeprefix("/api/")) for entry in platform.journal.entries]
    assert len(found) == 69
    assert sum(len(files) for files in found.values()) > 69 * 2
    counts = Counter(asked)
    assert len(asked) <= 2 * 69, counts
    assert counts == {
        "onDemandCourseMaterials.v2": 1,
        "onDemandReferences.v1": 1,
        "courses.v1": 1,
        "onDemandLectureVideos.v1": LECTURES + 1,  # once for several, to see whether the platform takes it
        "onDemandLectureAssets.v1": LECTURES,
        "onDemandSupplements.v1": READINGS,
        "onDemandPeerAssignmentInstructions.v1": 1,
        "onDemandDiscussionPrompts.v1": 1,
        "adminUserPermissions.v1": 1,
        "assets.v1": counts["assets.v1"],
    }
    assert counts["assets.v1"] <= LESSONS, "the assets of a lesson are asked for together"


async def test_what_can_be_asked_for_several_at_once_is(tmp_path: Path) -> None:
    """The same files, with fewer requests; of what cannot be told apart each is asked for alone."""
    async with large(tmp_path) as (platform, provider):
        course = next(one for one in await provider.courses() if one.slug == "large")
        outline = await provider.outline(course)
        assert outline is not None
        items = [item for some in directories(outline) for item in some if item.type_name in ("lecture", "supplement")]

        async def asked(provider: Provider) -> tuple[object, Counter[str]]:
            platform.journal.clear()
            found = await provider.files(course, items)
            paths = [entry.path.removeprefix("/api/").rstrip("/") for entry in platform.journal.entries]
            return found, Counter(re.sub(r"/.*", "/one", path) for path in paths)

        singly, _ = await asked(provider)
        await platform.apply(Faults(several=True))
        async with another(platform, provider) as anew:
            together, counts = await asked(anew)
            _, later = await asked(anew)
    assert together == singly
    most = -(-LECTURES // 40)
    assert counts == {
        "onDemandLectureVideos.v1": most,
        "onDemandLectureAssets.v1": 1,
        "onDemandLectureAssets.v1/one": LECTURES,
        "onDemandSupplements.v1": 1,
        "assets.v1": counts["assets.v1"],
    }
    assert "onDemandLectureAssets.v1" not in later


async def test_quizzes_that_were_taken_cost_two_requests_each(tmp_path: Path) -> None:
    async with large(tmp_path, Wanted(quizzes=True)) as (platform, provider):
        course = next(one for one in await provider.courses() if one.slug == "large")
        platform.journal.clear()
        found = await listed(provider, course)
        posts = [entry for entry in platform.journal.entries if entry.method == "POST"]
    assert sum(files[0].key.endswith("/page") for key, files in found.items() if key[-2:] in QUIZ_NUMBERS) == QUIZZES
    assert Counter(entry.operation for entry in posts) == {"QueryState": QUIZZES, "AssignmentFeedback": QUIZZES}
    assert not [note for entry in platform.journal.entries for note in entry.notes]


async def test_listing_asks_for_no_bytes_and_opening_a_file_asks_for_nothing_more(tmp_path: Path) -> None:
    async with large(tmp_path) as (platform, provider):
        course = next(one for one in await provider.courses() if one.slug == "large")
        found = await listed(provider, course)
        assert {entry.port for entry in platform.journal.entries} == {"api"}
        assert not [entry for entry in platform.journal.entries if "subtitleAssetProxy" in entry.path]
        assert not [entry for entry in platform.journal.entries if "assetUrls" in entry.path]
        assert {entry.method for entry in platform.journal.entries} == {"GET"}
        assert not [note for entry in platform.journal.entries for note in entry.notes]
        platform.journal.clear()
        video, *_, slides, _notes = found["item/ite00"]
        for file in (video, slides):
            assert isinstance(file.body, Remote)
            await provider.source(course, file.body, fresh=False)
        assert platform.journal.entries == []


async def test_an_outline_that_is_known_costs_one_request_and_no_body(tmp_path: Path) -> None:
    async with large(tmp_path) as (platform, provider):
        course = next(one for one in await provider.courses() if one.slug == "large")
        first = await provider.outline(course)
        assert first is not None and first.tag is not None
        platform.journal.clear()
        assert await provider.outline(course, tag=first.tag) is None
        assert [entry.status for entry in platform.journal.entries] == [304]
