"""Instructions, prompts and the Resources tab: texts that are asked for, and what comes in their place."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio.testing

from coursefs.errors import BadReply, CoursefsError, NotSignedIn
from coursefs.model import Item, Page
from coursefs.providers.coursera import cml
from tests.engine.test_coursera_provider import (
    BASE,
    COURSE,
    LOCKED,
    NOT_THERE,
    SIGNED_OUT,
    WEB_PAGE,
    Answer,
    assets_reply,
    good,
    item,
    lectures,
    names,
    signed_in,
)


def told(resource: str) -> httpx.Response:
    """A reply with one text in it, in the shape of this resource."""
    text = {
        "typeName": "cml",
        "definition": {"value": '<co-content><text>Do it.</text><img assetId="p"/></co-content>'},
    }
    return {
        "programming": good([{"submissionLearnerSchema": {"definition": {"assignmentInstructions": text}}}]),
        "exercise": good([{"assignmentInstructions": text}]),
        "peer": good([{"instructions": {"introduction": text}}]),
        "discussion": good([{}], {"onDemandDiscussionPromptQuestions.v1": [{"content": {"question": text}}]}),
    }[resource]


INSTRUCTED = [
    ("gradedProgramming", "onDemandProgrammingLearnerAssignments.v1/C1~a", "programming"),
    ("ungradedProgramming", "onDemandProgrammingLearnerAssignments.v1/C1~a", "programming"),
    ("programming", "onDemandProgrammingImmediateInstructions.v1/C1~a", "exercise"),
    ("phasedPeer", "onDemandPeerAssignmentInstructions.v1/", "peer"),
    ("discussionPrompt", "onDemandDiscussionPrompts.v1/7~C1~a", "discussion"),
]


@pytest.mark.parametrize(("type_name", "path", "shape"), INSTRUCTED)
async def test_instructions_are_a_page_with_their_pictures_beside_it(type_name: str, path: str, shape: str) -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "adminUserPermissions.v1": good([{"id": 7}]),
        path: told(shape),
        "assets.v1": assets_reply,
    }
    async with signed_in(answers) as (provider, platform):
        for _ in range(2):
            files = await provider.files(COURSE, [item("a", type_name)])
            assert names(files["item/a"]) == ["a/page", "a/asset/p"]
    needs_learner = type_name in {"phasedPeer", "discussionPrompt"}
    assert platform.paths == {path: 2, "assets.v1": 2} | ({"adminUserPermissions.v1": 1} if needs_learner else {})
    assert {request.method for request in platform.requests} == {"GET"}
    if type_name == "phasedPeer":
        asked = next(one for one in platform.requests if one.url.path.endswith(path)).url.params
        assert (asked["userId"], asked["courseId"], asked["itemId"]) == ("7", "C1", "a")


@pytest.mark.parametrize(("type_name", "path", "shape"), INSTRUCTED)
@pytest.mark.parametrize("answer", [WEB_PAGE, LOCKED, NOT_THERE, good([])])
async def test_without_instructions_there_is_a_link_page(
    type_name: str, path: str, shape: str, answer: httpx.Response
) -> None:
    answers: dict[str, Answer | list[Answer]] = {"adminUserPermissions.v1": good([{"id": 7}]), path: answer}
    async with signed_in(answers) as (provider, _):
        files = (await provider.files(COURSE, [item("a", type_name)]))["item/a"]
    assert names(files) == ["a/link"]


@pytest.mark.parametrize(("type_name", "path", "shape"), INSTRUCTED)
async def test_instructions_that_are_kept_back_end_no_session(type_name: str, path: str, shape: str) -> None:
    answers: dict[str, Answer | list[Answer]] = {"adminUserPermissions.v1": good([{"id": 7}]), path: SIGNED_OUT}
    async with signed_in(answers | lectures("b")) as (provider, _):
        files = await provider.files(COURSE, [item("a", type_name), item("b")])
    assert names(files["item/a"]) == ["a/link"] and "b/video" in names(files["item/b"])


async def test_instructions_that_may_come_next_time_are_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    path = "onDemandProgrammingLearnerAssignments.v1/C1~a"
    async with signed_in({path: httpx.Response(503)}) as (provider, _):
        files = (await provider.files(COURSE, [item("a", "gradedProgramming")]))["item/a"]
    assert isinstance(files, BadReply)


@pytest.mark.parametrize(
    "type_name", ["quiz", "exam", "staffGraded", "ungradedAssignment", "notebook", "ungradedWidget",
                  "ungradedLti", "gradedLti", "coach", "gradedPeer", "placeholder", "listeningBooth"]
)  # fmt: skip
async def test_what_lives_on_its_web_page_is_never_asked_for(type_name: str) -> None:
    async with signed_in({}) as (provider, platform):
        files = await provider.files(COURSE, [item("a", type_name)])
    assert names(files["item/a"]) == ["a/link"]
    assert platform.requests == []


RESOURCES = Item("references", "Resources", "resources", None, "references", f"{BASE}/learn/some-course")


async def test_the_resources_tab_costs_one_request_and_one_for_all_its_files() -> None:
    content = {"org.coursera.ondemand.reference.AssetReferenceContent": {"assetId": "t"}}
    text = {"id": "t", "typeName": "cml", "definition": {"value": '<co-content><img assetId="p"/></co-content>'}}
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandReferences.v1/": good(
            [{"id": "r", "name": "Tables", "content": content}], {"openCourseAssets.v1": [text]}
        ),
        "assets.v1": assets_reply,
    }
    async with signed_in(answers) as (provider, platform):
        files = await provider.files(COURSE, [RESOURCES])
    assert [one.key for one in files["references"]] == ["references/r/page", "references/r/asset/p"]  # type: ignore[union-attr]
    assert platform.paths == {"onDemandReferences.v1/": 1, "assets.v1": 1}
    assert platform.requests[0].url.params["q"] == "courseListed"


@pytest.mark.parametrize("answer", [good([]), NOT_THERE, WEB_PAGE, LOCKED])
async def test_a_course_without_resources_shows_none(answer: httpx.Response) -> None:
    async with signed_in({"onDemandReferences.v1/": answer}) as (provider, _):
        assert (await provider.files(COURSE, [RESOURCES]))["references"] == []


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (good([{"id": "r"}]), True),
        (good([]), False),
        (NOT_THERE, False),
        (LOCKED, False),
        (WEB_PAGE, False),
        (httpx.Response(500), True),
        (good([{"id": "r"}], paging={"next": "1"}), True),
    ],
)
async def test_resources_are_an_item_where_there_may_be_any(
    answer: httpx.Response, shown: bool, autojump_clock: trio.testing.MockClock
) -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandCourseMaterials.v2/": good([{"id": "C1", "moduleIds": ["M"]}]),
        "onDemandReferences.v1/": answer,
        "courses.v1": answer,
    }
    async with signed_in(answers) as (provider, _):
        outline = await provider.outline(COURSE)
    assert outline is not None and [one.key for one in outline.items] == ["references"] * shown


@pytest.mark.parametrize("answer", [SIGNED_OUT, LOCKED, WEB_PAGE])
async def test_what_is_beside_a_tree_does_not_keep_it_back(answer: httpx.Response) -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandCourseMaterials.v2/": good([{"id": "C1", "moduleIds": ["M"]}]),
        "onDemandReferences.v1/": answer,
        "courses.v1": answer,
        "adminUserPermissions.v1": answer,
    }
    async with signed_in(answers) as (provider, _):
        outline = await provider.outline(COURSE)
    assert outline is not None and [one.key for one in outline.sections] == ["module/M"]


async def test_a_tab_that_is_kept_back_is_no_ended_sign_in() -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandReferences.v1/": SIGNED_OUT,
        "adminUserPermissions.v1": good([{"id": 7}]),
    }
    async with signed_in(answers) as (provider, _):
        assert (await provider.files(COURSE, [RESOURCES]))["references"] == []
    async with signed_in(answers | {"adminUserPermissions.v1": SIGNED_OUT}) as (provider, _):
        with pytest.raises(NotSignedIn):
            await provider.files(COURSE, [RESOURCES])


async def test_resources_that_may_come_next_time_are_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    async with signed_in({"onDemandReferences.v1/": httpx.Response(500)}) as (provider, _):
        assert isinstance((await provider.files(COURSE, [RESOURCES]))["references"], BadReply)


def _reading(value: str) -> httpx.Response:
    text = {"id": "r", "typeName": "cml", "definition": {"value": value}}
    link = {"id": "r", "typeName": "url", "definition": {"url": "https://elsewhere.example/", "name": "Elsewhere"}}
    return good([{}], {"openCourseAssets.v1": [text, link]})


@pytest.mark.logs
async def test_a_text_that_is_too_much_costs_its_own_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "onDemandSupplements.v1/C1~huge": _reading("<p>x</p>" * 500_001),
        "onDemandSupplements.v1/C1~digits": _reading(f"<p>A &#{'9' * 5000}; B</p>"),
        "onDemandSupplements.v1/C1~fails": _reading("<p>Broken</p>"),
        "onDemandSupplements.v1/C1~large": _reading("<p>Words.</p>" * 10_000),
        "onDemandProgrammingLearnerAssignments.v1/C1~task": good(
            [{"submissionLearnerSchema": {"definition": {"assignmentInstructions": {
                "typeName": "cml", "definition": {"value": "<p>x</p>" * 500_001}}}}}]
        ),
        "assets.v1": assets_reply,
    }  # fmt: skip
    render = cml.render

    def sometimes(value: str, *arguments: Any, **more: Any) -> str:
        if "Broken" in value:
            raise ZeroDivisionError
        return render(value, *arguments, **more)

    monkeypatch.setattr(cml, "render", sometimes)
    items = [item(one, "supplement") for one in ("huge", "digits", "fails", "large")]
    async with signed_in(answers) as (provider, _):
        found = await provider.files(COURSE, [*items, item("task", "gradedProgramming")])
    bodies = {}
    for key, files in found.items():
        assert not isinstance(files, CoursefsError), files
        bodies[key] = {
            file.key.removeprefix(key): file.body.html.partition("<article")[2]
            for file in files
            if isinstance(file.body, Page)
        }
    assert "A \N{REPLACEMENT CHARACTER} B" in bodies["item/digits"]["/page"]
    assert bodies["item/large"]["/page"].count("Words.") == 10_000
    for key, reason in (("huge", "too long"), ("fails", "ZeroDivisionError"), ("task", "too long")):
        assert reason in bodies[f"item/{key}"]["/link"] and f'href="{BASE}/x"' in bodies[f"item/{key}"]["/link"]
        assert "/page" not in bodies[f"item/{key}"]
    assert any(one.startswith("/link/") for one in bodies["item/huge"])  # what else belongs to it is there
