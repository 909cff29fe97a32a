"""Quizzes that were taken, against the sample platform: which requests are made, and that nothing is ever begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from coursefs.model import File, Kind, Page, Wanted
from coursefs.providers.coursera import CourseraClient, documents
from coursefs.transport import Transport
from tests.engine.small_platform import COURSE, DESCRIPTION, World, small_platform
from tests.engine.test_coursera_catalogue import provider_in
from tests.engine.test_coursera_shapes import items_of

QUIZ = """type = "staffGraded"
attempt = "taken"
grade = 0.5
[[modules.lessons.items.questions]]
type = "MultipleChoice"
prompt = "How many <b>bits</b> are in a byte?"
options = ["eight", "ten"]
chosen = ["ten"]
correct = ["eight"]
feedback = "<p>Count your fingers, then stop.</p>"
[[modules.lessons.items.questions]]
type = "Checkbox"
prompt = "Which are waves?"
options = ["sound", "light", "bread"]
chosen = ["sound"]
correct = ["sound", "light"]
feedback = "<p>Light, too.</p>"
[[modules.lessons.items.questions]]
type = "Numeric"
prompt = "What is 6 · 7?"
answer = "42"
correct = ["42"]
[[modules.lessons.items.questions]]
type = "Hologram"
prompt = "Which form has it?"
"""
TAKEN = DESCRIPTION.replace('type = "staffGraded"\n', QUIZ)
WANTED = Wanted(quizzes=True)


async def shown(world: World, wanted: Wanted = WANTED) -> File:
    """The one file of the quiz."""
    async with provider_in(world, wanted=wanted) as provider:
        (course,) = [one for one in await provider.courses() if one.key == COURSE]
        items = list(items_of(await provider.outline(course)).values())
        found = await provider.files(course, items)
        for key, files in found.items():
            assert not isinstance(files, Exception), (key, files)
        quiz = found["item/ite03"]
        assert not isinstance(quiz, Exception)
        (file,) = quiz
    return file


def text(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


def operations(world: World) -> list[str | None]:
    posts = [entry for entry in world.platform.journal.entries if entry.method != "GET"]
    assert not [note for entry in world.platform.journal.entries for note in entry.notes]
    return [entry.operation for entry in posts]


async def test_a_quiz_that_was_taken_is_a_page_in_place_of_the_link(tmp_path: Path) -> None:
    async with small_platform(tmp_path, TAKEN) as world:
        file = await shown(world)
        assert operations(world) == ["QueryState", "AssignmentFeedback"]
    assert (file.key, file.kind, file.title, file.extension) == ("item/ite03/page", Kind.READING, "quiz", ".html")
    page = text(file)
    for one in (
        "50 %, 2 of 4 points", "Not passed", "How many <b>bits</b> are in a byte?", "☒ your answer, wrong",
        "Count your fingers", "☐ this was to be chosen, too", ">42<", "Which form has it?", "on the web page only",
        "from 2026-09-04 10:20 on", "Read first.",
    ):  # fmt: skip
        assert one in page
    assert page.index("Question 1") < page.index("Question 2") < page.index("Question 3")


async def test_quizzes_are_not_asked_for_unless_it_is_wished(tmp_path: Path) -> None:
    async with small_platform(tmp_path, TAKEN) as world:
        file = await shown(world, Wanted())
        assert operations(world) == []
    assert file.key == "item/ite03/link"


@pytest.mark.parametrize(
    ("attempt", "said"),
    [("untaken", "not taken this yet"), ("in progress", "An attempt is in progress"), (None, "NO_OPEN_DRAFT")],
)
async def test_of_what_is_not_handed_in_only_that_is_said(tmp_path: Path, attempt: str | None, said: str) -> None:
    description = TAKEN.replace('attempt = "taken"\n', f'attempt = "{attempt}"\n' if attempt else "")
    async with small_platform(tmp_path, description) as world:
        file = await shown(world)
        assert operations(world) == ["QueryState"]
    assert file.key == "item/ite03/link" and said in text(file) and "Which are waves?" not in text(file)


async def test_a_feedback_that_is_awaited_costs_a_third_request_for_the_grade(tmp_path: Path) -> None:
    description = TAKEN.replace("grade = 0.5\n", "grade = 0.5\nawaits_feedback = true\n")
    async with small_platform(tmp_path, description) as world:
        file = await shown(world)
        assert operations(world) == ["QueryState", "AssignmentFeedback", "AssignmentGradingStatus"]
    assert "gives no feedback to it (yet)" in text(file) and "50 %" in text(file) and ">42<" in text(file)


async def test_fields_that_the_platform_no_longer_has_are_left_out(tmp_path: Path) -> None:
    async with small_platform(tmp_path, TAKEN) as world:
        await world.fail(unknown_fields=["Submission_GradedNumericQuestion", "correctlyAnswered", "starterCode"])
        file = await shown(world)
        assert operations(world) == ["QueryState", "QueryState", "AssignmentFeedback", "AssignmentFeedback"]
    assert ">42<" in text(file) and "Count your fingers" in text(file)


async def test_a_platform_without_all_of_it_shows_the_link(tmp_path: Path) -> None:
    async with small_platform(tmp_path, TAKEN) as world:
        await world.fail(unknown_fields=["SubmissionState"])
        file = await shown(world)
        assert operations(world) == ["QueryState"]
        await world.fail(removed=("gateway",))
        other = await shown(world)
    for one in (file, other):
        assert one.key == "item/ite03/link" and "your answers cannot be shown here" in text(one)


@contextmanager
def another_document(operation: str, document: str) -> Iterator[None]:
    """A coursefs that sends another document."""

    class Wrong(documents.Document):
        def body(self, values: object) -> bytes:
            return json.dumps([{"operationName": operation, "variables": values, "query": document}]).encode()

    patch = pytest.MonkeyPatch()
    patch.setitem(documents.DOCUMENTS, documents.QUERY_STATE, Wrong("x", "", ()))
    yield
    patch.undo()


async def test_the_sample_platform_notes_what_would_begin_something(tmp_path: Path) -> None:
    """The proof must be able to fail: sent without coursefs, a mutation is noted; by coursefs, none can be sent."""
    start = "mutation Submission_StartAttempt { Submission_StartAttempt { __typename } }"
    async with small_platform(tmp_path, TAKEN, mutations=1) as world:
        content = [{"operationName": "Submission_StartAttempt", "variables": {}, "query": start}]
        reply = await world.api.post("/graphql-gateway?opname=Submission_StartAttempt", json=content)
        assert reply.status_code == 400
        (entry,) = world.platform.journal.entries
        assert entry.notes == ["write", "mutation"] and entry.operation is None
        world.platform.journal.clear()
        assert world.platform.journal.mutations == 1  # what was cleared counts
        with another_document("QueryState", start):
            file = await shown(world)
        assert operations(world) == [] and world.platform.journal.mutations == 1
    assert file.key == "item/ite03/link" and "no request that could change anything" in text(file)


async def test_the_gateway_wants_a_pair_of_equal_words_and_a_session(tmp_path: Path) -> None:
    async with small_platform(tmp_path, TAKEN) as world:
        content = documents.DOCUMENTS["QueryState"].body({"courseId": COURSE, "itemId": "ite03"})
        url = "/graphql-gateway?opname=QueryState"
        assert (await world.api.post(url, content=content)).status_code == 403
        word = "1756900000.abcdefghijabcdefghij"
        headers = {"X-CSRF3-Token": word, "Cookie": f"CSRF3-Token={word}"}
        reply = await world.anyone.post(url, content=content, headers=headers)
        assert (reply.status_code, reply.json()["errorCode"]) == (403, "Not Authorized")


async def test_one_random_refusal_and_one_error_of_the_server_are_survived(autojump_clock: object) -> None:
    state = {"allowedAction": "START_NEW_ATTEMPT", "attempts": {"lastSubmission": None}}
    answers = [
        httpx.Response(400, text="Confused deputy attack detected."),
        httpx.Response(503),
        httpx.Response(200, json={"data": {"SubmissionState": {"queryState": state}}}),
    ]
    async with Transport(http_transport=httpx.MockTransport(lambda _: answers.pop(0))) as transport:
        quiz = await CourseraClient(transport, "SECRET").quiz("c", "i")
    assert quiz.state == "untaken" and answers == []
