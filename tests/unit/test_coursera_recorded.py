"""Every recorded file, none left out: what of coursefs reads it, and that something comes of it.

What exactly comes of each is in the tests of its reader; this is the list that shows that no shape was forgotten.
Quizzes and exams are link pages, because asking for one begins an attempt; their texts are the CML of readings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest

from coursefs.providers.coursera import catalogue, instructions, replies, standing
from coursefs.providers.coursera.cml import render, says_something
from coursefs.providers.coursera.materials import material_item, materials
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.old_replies import materials as old_materials
from coursefs.providers.coursera.old_replies import session_enrolments
from coursefs.providers.coursera.sign_in import secrets_from_cookies, secrets_from_reply
from coursefs.transport import Reply
from tests.unit.test_cml import recorded_texts
from tests.unit.test_coursera_catalogue import good

Read = Callable[[str], object]


def enveloped(read: Callable[[Envelope], object], *, bare: bool = False) -> Read:
    """A reader of a reply; the seeds say besides where they come from."""

    def readable(text: str) -> object:
        content = json.loads(text)
        content = content.get("reply", content)
        return read(good(content if bare else {"elements": [], **content}, bare=bare))

    return readable


def lesson(text: str) -> object:
    tree = {"id": "C", "courseMaterial": {"elements": [{"id": "M", "elements": [json.loads(text)]}]}}
    return old_materials(good(tree, bare=True)).items


def password(text: str) -> object:
    body = json.dumps(json.loads(text)["reply"]).encode()
    headers = httpx.Headers({"set-cookie": "CAUTH=abc"})
    return secrets_from_reply(Reply("https://x.example", 200, headers, body), now=0.0)


def cookies(text: str) -> object:
    return secrets_from_cookies(text, now=1.0e9)


def questions(text: str) -> object:
    return [render(one, {}) for one in recorded_texts(json.loads(text))]


def nothing_asked(text: str) -> object:
    """The reply to a request that coursefs never makes, but it is an object all the same."""
    return isinstance(json.loads(text), dict)


def signed_ends(text: str) -> object:
    urls = [f"https://x.example/a?{one['param']}={one['value']}" for one in json.loads(text)]
    return all(replies.url_expiry(url) is not None for url in urls)


#: the first pattern that fits tells what reads a file; None: it is no reply, or what another tool made of one
READERS: dict[str, Read | None] = {
    "*/cookies/firefox_cookies.txt": cookies,
    "*/html/*.html": lambda text: says_something(text) and render(text, {}),
    "*-tree.txt": str.splitlines,  # coursefs gives the same names: test_slug_trees
    "*/url-expiry-samples.json": signed_ends,
    "*/video-reply-?.json": enveloped(lambda page: replies.lecture_video(page).renditions, bare=True),
    "*/list-courses-input.json": enveloped(lambda page: replies.memberships(page)[1]),
    "*/memberships.v1*.json": enveloped(lambda page: replies.memberships(page)[0]),
    "*/courses.v1-watchlist-page.json": enveloped(catalogue.courses),
    "*/courses.v1*.json": enveloped(catalogue.courses),
    "*/unprocessed.json": enveloped(catalogue.courses),
    "*/matrix-002-about.json": lambda text: catalogue.courses(good({"elements": [json.loads(text)]})),
    "*/supplement-multiple-assets-input.json": enveloped(replies.course_assets),
    "*/supplement-open-course-assets-reply.json": enveloped(replies.wrappers),
    "*/supplement-open-course-assets-typename-url-reply-[134].json": enveloped(replies.wrappers),
    "*/supplement-open-course-assets-typename-url-reply-[25].json": enveloped(replies.assets),
    "*/openCourseAssets.v1-cml.json": enveloped(replies.wrappers),
    "*/supplement-api-assets-v1-reply.json": enveloped(replies.assets),
    "*/assets-reply.json": enveloped(replies.assets),
    "*/asset-urls-*.json": enveloped(replies.assets),
    "*/assets.v1.json": enveloped(replies.assets),
    "*/supplement-programming-immediate-*-no-*.json": enveloped(lambda page: instructions.exercise(page) == ()),
    "*/supplement-programming-immediate-*.json": enveloped(instructions.exercise),
    "*/supplement-programming-no-instructions.json": enveloped(lambda page: instructions.programming(page) == ()),
    "*/supplement-programming-*.json": enveloped(instructions.programming),
    "*/peer-assignment-no-instructions.json": enveloped(lambda page: instructions.peer_assignment(page) == ()),
    "*/peer-assignment-*.json": enveloped(instructions.peer_assignment),
    "*/onDemandPeerAssignmentInstructions.v1-reply.json": enveloped(instructions.peer_assignment),
    "*/references-poll-reply.json": enveloped(replies.references),
    "*/v1-lesson-with-lecture-content.json": lesson,
    "*/v1-locked-gradedProgramming-item.json": lambda text: material_item(json.loads(text)).locked,
    "*/quiz-session-create-reply.json": nothing_asked,
    "*/quiz-to-markup/empty-input.json": nothing_asked,
    "*/quiz-to-markup/*-input.json": questions,
    "*/quiz-session-getState-reply.json": questions,
    "*/onDemandExamSessions.v1-*.json": questions,
    "*/login.v3-reply.json": password,
    "*/onDemandCourseMaterials.v2.full-query.json": enveloped(lambda page: materials(page).course_id),
    "*/onDemandCourseMaterials.v1-skeleton.json": enveloped(lambda page: materials(page).course_id),
    "*/users_v1_me_enrollments.json": enveloped(session_enrolments, bare=True),
    "*/openCourseMemberships.v1.json": enveloped(lambda page: replies.memberships(page)[0]),
    "*/onDemandSpecializations.v1.json": enveloped(lambda page: catalogue.specialization(page.elements[0])),
    "*/graphql-gateway.validation-error.json": nothing_asked,
    "*/onDemandHomeExperiments.v1.json": enveloped(lambda page: page.elements == ()),
    "*/onDemandInstructorNotes.v1.json": enveloped(lambda page: standing.instructors(page) == ()),
    "*/onDemandCoursesProgress.v1.json": enveloped(standing.progress, bare=True),
    "*/onDemandCourseSchedules.v1.json": enveloped(standing.schedule),
    "*/onDemandDeadlineSettings.v1.json": enveloped(standing.deadlines),
    "*/onDemandHomeProgress.v1.json": enveloped(lambda page: [standing.modules_done(page)]),
    "*/onDemandCourseGrades.v1.json": enveloped(standing.grade),
    "*/QueryState.types.json": None,  # what clients rely on; these two are no replies
    "*/onDemandDiscussionPrompts.v1.client.json": None,
    "*/*-output*": None,
    "*/json/supplement-deduplication.json": None,
    "*/json/supplement-skip-sites.json": None,
    "*/json/supplement-two-zips.json": None,
    "*/INDEX.md": None,
}
#: cookie files that have nothing for us, and say so
REFUSED = {"*/chrome_cookies.txt", "*/firefox_cookies_expired.txt", "*/firefox_cookies_without_coursera.txt"}


def files(recorded: Path) -> Iterator[tuple[str, str]]:
    folder = recorded / "coursera"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"/{path.relative_to(folder).as_posix()}", path.read_text(encoding="utf-8")


def test_every_recorded_file_is_read_by_something(platform_replies: Path) -> None:
    used = set[str]()
    for name, text in files(platform_replies):
        if any(fnmatchcase(name, pattern) for pattern in REFUSED):
            continue  # what is said of them: test_coursera_sign_in
        pattern = next((one for one in READERS if fnmatchcase(name, one)), None)
        assert pattern is not None, f"nothing reads {name}"
        used.add(pattern)
        read = READERS[pattern]
        assert read is None or read(text), f"nothing comes of {name}"
    assert {pattern for pattern, read in READERS.items() if read is not None} <= used


@pytest.mark.parametrize("name", ["deduplication", "skip-sites", "two-zips"])
def test_recorded_pages_keep_every_link_that_their_own_parser_found(platform_replies: Path, name: str) -> None:
    folder = platform_replies / "coursera/coursera-dl"
    shown = render((folder / f"html/supplement-{name}.html").read_text(encoding="utf-8"), {})
    links: dict[str, Any] = json.loads((folder / f"json/supplement-{name}.json").read_text(encoding="utf-8"))
    urls = [url for found in links.values() for url, _ in found]
    assert len(urls) >= 3
    for url in urls:
        assert f'href="{escape(url)}"' in shown
