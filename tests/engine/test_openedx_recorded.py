"""The replies of a real server, and inventions of them: each is understood, and whole courses are made of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from coursefs.errors import CoursefsError, Gone, NotAllowed, NotSignedIn
from coursefs.model import Course, Item, Outline, Section, Wanted
from coursefs.providers.base import Account
from coursefs.providers.openedx import course_outline, oauth, replies
from coursefs.providers.openedx.cookies import takes_session_back
from coursefs.providers.openedx.errors import api_json, page_text
from coursefs.providers.openedx.oauth import Remedy
from coursefs.providers.openedx.platform import PLATFORM
from coursefs.providers.openedx.provider import OpenEdxProvider
from coursefs.providers.openedx.unit_page import fragments
from coursefs.transport import Reply, Transport
from tests.engine.recorded_lms import HOST, RecordedLms
from tests.engine.test_openedx_provider import named

SECRETS = {"access_token": "t", "token_kind": "JWT", "refresh_token": "r", "user_id": "learner"}


@asynccontextmanager
async def walked(real: Path, **secrets: str) -> AsyncIterator[tuple[OpenEdxProvider, RecordedLms]]:
    lms = RecordedLms(real)
    async with Transport(http_transport=httpx.MockTransport(lms)) as transport:
        account = Account("edx", {"server": HOST, "client_id": "app"}, secrets or SECRETS, Wanted(("all",)))
        provider = PLATFORM.create(account, transport)
        assert isinstance(provider, OpenEdxProvider)
        provider._client._bucket = None  # no platform is to be spared
        yield provider, lms


def read(real: Path, name: str) -> Any:
    return json.loads((real / name).read_text())


def reply(real: Path, name: str) -> Reply:
    (entry,) = [one for one in read(real, "headers.json") if one["file"] == name]
    headers = httpx.Headers([tuple(line.split(": ", 1)) for line in entry["headers"]])
    url = f"{HOST}{entry['request'].partition(' ')[2]}"
    return Reply(url, entry["status"], headers, (real / name).read_bytes())


def items_of(outline: Outline | None) -> list[Item]:
    assert outline is not None

    def within(section: Section) -> list[Item]:
        return [*(item for inner in section.sections for item in within(inner)), *section.items]

    return [*(item for section in outline.sections for item in within(section)), *outline.items]


# --- one reply after the other


@pytest.mark.parametrize(
    "name", ["demo", "r101", "r101_all_fields", "empty", "expired", "prerequisite", "selfpaced", "gated_grades"]
)
def test_blocks(real: Path, name: str) -> None:
    rows = read(real, f"blocks_v2_{name}.json")["blocks"]
    found = replies.blocks(read(real, f"blocks_v2_{name}.json"))
    assert found.blocks[found.root].type == "course"
    assert {key: (one.type, one.name, list(one.children)) for key, one in found.blocks.items()} == {
        key: (row["type"], row["display_name"].strip(), row.get("children", [])) for key, row in rows.items()
    }
    assert {key for key, one in found.blocks.items() if one.video is not None} == {
        key for key, row in rows.items() if row["type"] == "video"
    }
    if name in {"demo", "r101", "r101_all_fields"}:
        assert any(one.video is not None for one in found.blocks.values())


def test_blocks_as_a_list_and_of_one_level(real: Path) -> None:
    for name in ("blocks_list.json", "blocks_v1_r101.json", "mobile_v4_blocks.json"):
        found = replies.blocks(read(real, name))
        assert found.blocks[found.root].type == "course", name


def test_enrolments(real: Path) -> None:
    found = replies.enrolments(read(real, "enrollments.json"))
    said = {row["course_details"]["course_id"]: row for row in read(real, "enrollments.json")}
    named = {one.course_id: one for one in found}
    assert named.keys() == said.keys() and len(named) == len(found)
    course, row = named["course-v1:RealX+R101+2026"], said["course-v1:RealX+R101+2026"]
    assert course.name == row["course_details"]["course_name"] and "Réal Course" in course.name
    assert course.is_active and course.starts_ns and course.ends_ns
    for version in ("0.5", "1", "2", "3", "4"):
        rows = replies.enrolments(read(real, f"mobile_v{version}_course_enrollments.json"))
        assert [one.course_id for one in rows] == ["course-v1:RealX+R101+2026"], version
        assert rows[0].image.startswith("/asset-v1:RealX+R101+2026+type@asset+block@")


@pytest.mark.parametrize(
    ("name", "code", "date"),
    [
        ("demo", "", None), ("empty", "", None), ("selfpaced", "", None), ("gated_grades", "", None),
        ("not_started", "course_not_started", "2031-01-01"), ("expired", "audit_expired", "2025-03-01"),
        ("prerequisite", "unfulfilled_milestones", None), ("staff_only", "not_visible_to_user", None),
        ("not_enrolled", "enrollment_required", None), ("unenrolled", "enrollment_required", None),
    ],
)  # fmt: skip
def test_access(real: Path, name: str, code: str, date: str | None) -> None:
    access = replies.access(read(real, f"course_metadata_{name}.json"))
    assert (access.has_access, access.error_code) == (not code, code)
    when = access.starts_ns if code == "course_not_started" else access.ends_ns
    if date is not None:
        assert when == replies.time_ns(f"{date}T00:00:00Z")


def test_course_outlines(real: Path) -> None:
    found = course_outline.chapters(read(real, "learning_sequences_r101.json"))
    assert [len(chapter.subsections) for chapter in found] == [4, 2, 4, 9, 1, 10, 1, 1]
    gates = {one.title: one.why_closed(1_800_000_000 * 10**9) for one in found[3].subsections}
    assert {title: why for title, why in gates.items() if why} == {
        "Starts later": "it opens on 2031-01-01",
        "Hidden after due": "it was closed when it was due, on 2026-01-10",
        "Timed exam": "it is an exam (Timed Exam), which can be taken on its web page only",
        "Practice exam": "it is an exam (Ungraded Practice Exam), which can be taken on its web page only",
        "Needs prerequisite": "another part of the course has to be completed before it",
    }
    assert len(course_outline.chapters(read(real, "learning_sequences_demo.json"))) == 6
    for name in ("empty", "expired", "prerequisite", "not_started", "staff_only", "not_enrolled"):
        assert course_outline.chapters(read(real, f"learning_sequences_{name}.json")) == ()


def test_homes_handouts_and_updates(real: Path) -> None:
    home = replies.home(read(real, "outline_demo.json"))
    assert home.handouts == "<ol></ol>" and home.welcome.startswith('<img src="/assets/courseware/v1/')
    assert replies.home(read(real, "outline_not_enrolled.json")) == replies.Home()
    assert "+type@asset+block/handout.pdf" in replies.handouts(read(real, "handouts_r101.json"))
    assert [one.date for one in replies.updates(read(real, "updates_r101.json"))] == ["April 1, 2026", "March 4, 2026"]


def test_dates_and_progress(real: Path) -> None:
    (first,) = replies.course_dates(read(real, "dates_demo.json"))
    assert (first.type, first.title) == ("course-start-date", "Enrollment Date")
    assert [one.type for one in replies.course_dates(read(real, "dates_gated_grades.json"))] == [
        "course-start-date",
        "verified-upgrade-deadline",
    ]


def test_who_is_asking(real: Path) -> None:
    assert replies.user(read(real, "user_mobile.json")) == replies.User("learner", "Learner Test Ü")
    assert replies.user(read(real, "user_me.json")).username == "learner"


def test_transcripts(real: Path) -> None:
    assert replies.spoken(read(real, "transcript_translations.json")) == frozenset(("de", "pt-BR", "en", "zh"))
    assert (
        takes_session_back(
            reply(real, "transcript_translations_none.html").headers.get_list("set-cookie"), "sessionid=x"
        )
        is False
    )


@pytest.mark.parametrize(
    ("name", "remedy", "error"),
    [
        ("no_auth_enrollment.json", Remedy.SIGN_IN, NotAllowed),
        ("dead_cookie_enrollment.json", Remedy.SIGN_IN, NotAllowed),
        ("blocks_no_auth.json", Remedy.SIGN_IN, NotAllowed),
        ("bad_jwt.json", Remedy.SIGN_IN, NotAllowed),
        ("bad_bearer.json", Remedy.SIGN_IN, NotAllowed),
        ("oauth2_login_none.json", Remedy.SIGN_IN, NotAllowed),
        ("oauth2_login_client_credentials.json", Remedy.NONE, NotAllowed),
        ("blocks_other_user.json", Remedy.NONE, NotAllowed),
        ("blocks_anonymous.json", Remedy.NONE, NotAllowed),
        ("blocks_v2_not_enrolled.json", Remedy.NONE, NotAllowed),
        ("dates_not_enrolled.json", Remedy.NONE, NotAllowed),
        ("dates_expired.json", Remedy.NONE, NotAllowed),
        ("handouts_demo.json", Remedy.NONE, Gone),
        ("course_metadata_no_such_course.json", Remedy.NONE, Gone),
    ],
)
def test_refusals(real: Path, name: str, remedy: Remedy, error: type[CoursefsError]) -> None:
    found = reply(real, name)
    assert oauth.remedy(found.status, found.body) is remedy
    with pytest.raises(error):
        api_json(found, "x")


def test_every_reply_that_worked_leaves_the_sign_in_alone(real: Path) -> None:
    for entry in read(real, "headers.json"):
        found = reply(real, entry["file"]) if entry["status"] == 200 else None
        if found is not None:
            assert oauth.remedy(found.status, found.body) is Remedy.NONE, entry["file"]
            assert not takes_session_back(found.headers.get_list("set-cookie"), "sessionid=x"), entry["file"]


def test_pages(real: Path) -> None:
    entries: list[Mapping[str, Any]] = [one for one in read(real, "headers.json") if one["file"].startswith("xblock_")]
    silent: set[str] = set()
    for entry in entries:
        found = reply(real, entry["file"])
        if entry["status"] != 200:
            continue
        html = page_text(found.url, found)
        said = fragments(html, _links())
        if not any(said.values()) and 'data-block-type="video"' not in html:  # of a video, its handout alone is read
            silent.add(entry["file"].removeprefix("xblock_").removesuffix(".html"))
    # of what lives in a script alone, or is empty, a page says nothing
    assert {one["file"] for one in entries} == {
        path.name for path in real.glob("xblock_*.html") if not path.stem.endswith("_with_asset_cdn")
    }
    assert len(entries) > 100 and silent <= {
        "css_only", "empty_text", "empty_unit", "discussion", "staff_graded_sga", "crowdsource_hinter",
        "unknown_block", "conditional", "sequential_seq0147",
    }  # fmt: skip
    ended = reply(real, "dead_cookie_xblock.html")
    assert takes_session_back(ended.headers.get_list("set-cookie"), "sessionid=x")
    for name in ("xblock_no_cookie.html", "xblock_jwt.html"):  # which nothing tells from a page that is not there
        assert reply(real, name).status == 404


def _links() -> Any:
    from coursefs.providers.openedx.assets import Assets

    course = Course("course-v1:RealX+R101+2026", "x", "x")
    return Assets(course, Item("item/u", "U", "u", 1, "unit"), HOST, raw=False).links


# --- whole courses


async def test_every_course_of_the_learner(real: Path) -> None:
    async with walked(real) as (provider, lms):
        courses = {one.key: one for one in await provider.courses()}
        assert len(courses) > 5
        shown: dict[str, tuple[int, list[str | None]]] = {}
        for key in ("Expired+2025", "Needs+2025", "NotStarted+2031", "Staffy+2025", "SelfPaced+2025", "FBE+2025"):
            course = courses.get(f"course-v1:RealX+{key}") or Course(f"course-v1:RealX+{key}", "x", "x")
            outline = await provider.outline(course)
            assert outline is not None
            shown[key] = (len(outline.sections), [item.locked for item in outline.items])
    assert shown == {
        "Expired+2025": (0, ["your access to this course ended on 2025-03-01; the platform sells a longer one"]),
        "Needs+2025": (0, ["another course has to be completed before this one"]),
        "NotStarted+2031": (0, ["the course has not begun; it begins on 2031-01-01"]),
        "Staffy+2025": (0, ["the school does not show this course now"]),
        "SelfPaced+2025": (2, [None, None]),
        "FBE+2025": (2, [None, None]),
    }
    assert [path for path, status in lms.asked if status >= 400] == []


async def test_the_course_of_482_blocks(real: Path) -> None:
    async with walked(real) as (provider, lms):
        (course,) = [one for one in await provider.courses() if one.key == "course-v1:RealX+R101+2026"]
        outline = await provider.outline(course)
        assert outline is not None
        gates = next(one for one in outline.sections if one.title == "4. Gates")
        found = [(one.position, one.title) for one in gates.sections]
        found += [(item.position, item.title) for item in gates.items]
        assert sorted(found) == [
            (1, "Staff only unit inside"), (2, "Starts later"), (3, "Hidden after due"), (4, "Timed exam"),
            (5, "Practice exam"), (6, "Hide from TOC"), (7, "Group units"), (8, "Prerequisite source"),
            (9, "Needs prerequisite"), (10, "Draft"),
        ]  # fmt: skip
        assert [one.title for one in outline.sections][4:6] == ["4. Gates", "Later chapter"]
        items = items_of(outline)
        files = await provider.files(course, items)
        units = [item for item in items if item.type_name == "unit"]
        assert len(units) > 200
        assert not [item.title for item in items if isinstance(files[item.key], CoursefsError)]
        subtitles = [name for item in items for name in named(files[item.key]) if name.endswith(".srt")]
        assert sorted(subtitles) == [
            "All encodings.es-419.srt", "All encodings.zh-hans.srt", "BOM.en.srt", "Four languages.de.srt",
            "Four languages.en.srt", "Four languages.pt-BR.srt", "Four languages.zh.srt", "Old.en.srt",
        ]  # fmt: skip
        assert len(lms.asked) <= 1.2 * len(units)
        provoked = [
            path for path, status in lms.asked if status >= 400 and not path.endswith("/available_translations")
        ]
        assert len(provoked) <= 0.02 * len(lms.asked)
        # whether a video has transcripts can only be asked, and the platform's way to say no is 404
        questions = [path for path, status in lms.asked if path.endswith("/available_translations")]
        assert len(questions) == len(set(questions)) == 27
        assert len(set(provoked)) == len(provoked)  # nothing that failed is asked again


async def test_the_demo_course(real: Path) -> None:
    async with walked(real) as (provider, _):
        (course,) = [one for one in await provider.courses() if one.key == "course-v1:OpenedX+DemoX+DemoCourse"]
        items = items_of(await provider.outline(course))
        files = await provider.files(course, items)
        assert not [item.title for item in items if isinstance(files[item.key], CoursefsError)]
        (updates,) = [item for item in items if item.title == "Updates"]
        assert list(named(files[updates.key])) == [".html", "open-edx-celebratory-icon.png"]
        standing = await provider.standing(course)
        assert standing.starts_ns == replies.time_ns("2020-01-01T00:00:00Z")  # not the day of the enrolment


async def test_a_dead_session_stands_against_the_account(real: Path) -> None:
    lms = RecordedLms(real)
    entries = {one["file"]: one for one in read(real, "headers.json")}
    dead = {"/api/enrollment": "dead_cookie_enrollment.json", "/xblock/": "dead_cookie_xblock.html"}

    def answer(request: httpx.Request) -> httpx.Response:
        for path, name in dead.items():
            if request.url.path.startswith(path):
                return lms._response(name, entries[name]["status"], entries[name]["headers"])
        return lms(request)

    async with Transport(http_transport=httpx.MockTransport(answer)) as transport:
        secrets = {"cookies": "sessionid=x", "user_id": "learner"}
        provider = PLATFORM.create(Account("edx", {"server": HOST}, secrets, Wanted()), transport)
        course = Course("course-v1:RealX+R101+2026", "x", "x")
        items = items_of(await provider.outline(course))
        for asking in (provider.courses, lambda: provider.files(course, items[:3])):
            with pytest.raises(NotSignedIn):
                await asking()
