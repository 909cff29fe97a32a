"""Instructions, prompts and resources: recorded replies, and their odd relatives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.pages import beside_url
from coursefs.providers.coursera import instructions, replies
from coursefs.providers.coursera.instructions import Passage
from coursefs.providers.coursera.naptime import Envelope
from coursefs.providers.coursera.replies import Asset, CourseAsset, Reference
from coursefs.providers.coursera.text_files import instruction_files, reference_files

BASE = "https://www.coursera.org"
COURSE = Course(key="Ab3", slug="some-course", title="Some Course", url=f"{BASE}/learn/some-course")


def item(type_name: str, key: str = "item/a") -> Item:
    return Item(key, "The Task", "the-task", 3, type_name, f"{BASE}/learn/some-course/x/a/the-task", None)


def asset(asset_id: str, name: str) -> Asset:
    return Asset(asset_id, name, "generic", "", "https://cdn.example/x", None)


def load(folder: Path, name: str) -> Envelope:
    content: dict[str, Any] = json.loads((folder / "coursera/coursera-dl" / name).read_text())
    return Envelope(tuple(content["elements"]), content.get("linked") or {}, "")


def asset_ids(cml: str) -> list[str]:
    return re.findall(r'<asset\b[^>]*?\bid="([^"]+)"', cml)


def names(files: list[File]) -> list[tuple[str, Placement, str, str, Kind]]:
    return [(one.key, one.placement, one.title, one.extension, one.kind) for one in files]


def html(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


def test_recorded_programming_instructions(platform_replies: Path) -> None:
    said = load(platform_replies, "json/supplement-programming-one-asset.json")
    told = instructions.programming(said)
    schema = said.elements[0]["submissionLearnerSchema"]["definition"]
    (pdf_id,) = asset_ids(schema["assignmentInstructions"]["definition"]["value"])
    page, pdf = instruction_files(COURSE, item("gradedProgramming"), told, {pdf_id: asset(pdf_id, "a-statement.pdf")})
    assert names([page, pdf]) == [
        ("item/a/page", Placement.MARKED, "programming assignment", ".html", Kind.READING),
        (f"item/a/asset/{pdf_id}", Placement.BESIDE, "a-statement", ".pdf", Kind.ATTACHMENT),
    ]
    text = html(page)
    assert beside_url(pdf.key) in text
    # the parts by their order, which is not that of the reply
    parts = list(schema["parts"].values())
    titles = [one["title"] for one in sorted(parts, key=lambda one: one["order"])]
    assert len(titles) == 3 and titles != [one["title"] for one in parts]
    assert text.index(titles[0]) < text.index(titles[1]) < text.index(titles[2])
    assert f"{BASE}/learn/some-course/x/a/the-task" in text


def test_recorded_programming_instructions_of_three_files(platform_replies: Path) -> None:
    told = instructions.programming(load(platform_replies, "json/supplement-programming-three-assets.json"))
    page, *files = instruction_files(COURSE, item("gradedProgramming"), told, {})
    assert files == []
    assert html(page).count('class="missing"') == 3
    assert "<h2>" in html(page) and "<li>" in html(page)


def test_recorded_exercises(platform_replies: Path) -> None:
    prefix = "json/supplement-programming-immediate-instructions-"
    told = instructions.exercise(load(platform_replies, f"{prefix}one-asset.json"))
    assert [passage.title for passage in told] == [""] and len(asset_ids(told[0].cml)) == 1
    for name in ("empty-instructions", "no-instructions"):
        empty = instructions.exercise(load(platform_replies, f"{prefix}{name}.json"))
        (page,) = instruction_files(COURSE, item("programming"), empty, {})
        assert names([page]) == [("item/a/link", Placement.MARKED, "programming assignment", ".html", Kind.LINK)]


@pytest.mark.parametrize(
    ("name", "passages"),
    [
        ("json/supplement-programming-no-instructions.json", []),
        ("json/supplement-programming-empty-instructions.json", ["", "Parts"]),
    ],
)
def test_recorded_programming_without_instructions(platform_replies: Path, name: str, passages: list[str]) -> None:
    assert [one.title for one in instructions.programming(load(platform_replies, name))] == passages


@pytest.mark.parametrize(
    ("name", "passages"),
    [
        ("json/peer-assignment-instructions-all.json", ["intro", "section"]),
        ("json/peer-assignment-instructions-no-title.json", ["intro", "section"]),
        ("json/peer-assignment-instructions-only-introduction.json", ["intro"]),
        ("json/peer-assignment-instructions-only-sections.json", ["section"]),
        ("json/peer-assignment-no-instructions.json", []),
        (
            "define-comments/onDemandPeerAssignmentInstructions.v1-reply.json",
            ["intro", "section", "heading", "prompt", "prompt"],
        ),
    ],
)
def test_recorded_peer_assignments(platform_replies: Path, name: str, passages: list[str]) -> None:
    said = load(platform_replies, name)
    told = instructions.peer_assignment(said)
    expected = {kind: list(texts) for kind, texts in peer_texts(said).items()}
    assert [(one.title, one.cml) for one in told] == [expected[kind].pop(0) for kind in passages]
    assert all(len(rest) == 0 for kind, rest in expected.items() if kind != "heading")
    page, *_ = instruction_files(COURSE, item("phasedPeer"), told, {})
    assert page.title == "peer assignment"
    for one in told:
        assert one.title in html(page)
        assert all(words in html(page) for words in re.findall(r"<text>([^<&]+)</text>", one.cml)[:1])


def peer_texts(said: Envelope) -> dict[str, list[tuple[str, str]]]:
    """Title and text of all that a peer assignment says, in the order of the reply."""
    told = next((one.get("instructions") for one in said.elements), None) or {}
    linked = (said.linked.get("onDemandPeerSubmissionSchemas.v1") or [{}])[0]
    parts = (linked.get("submissionSchema") or {}).get("parts") or []
    introduction = [told["introduction"]] if told.get("introduction") else []
    return {
        "intro": [("", one["definition"]["value"]) for one in introduction],
        "section": [
            (one.get("title") or "", one["content"]["definition"]["value"]) for one in told.get("sections") or []
        ],
        "heading": [("To be handed in", "")],
        "prompt": [("", one["prompt"]["definition"]["value"]) for one in parts],
    }


WHY = "<co-content><text>Why?</text></co-content>"
QUESTION = {"typeName": "cml", "definition": {"dtdId": "discussion/1", "value": WHY}}


@pytest.mark.parametrize("spelling", ["onDemandDiscussionPromptQuestions.v1", "ondemandDiscussionPromptQuestions.v1"])
@pytest.mark.parametrize(
    ("content", "passages"),
    [
        ({"question": QUESTION}, [Passage("", WHY)]),
        ({"question": "Why not?", "details": QUESTION},
         [Passage("Why not?", ""), Passage("", WHY)]),
        ({"question": None}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_discussion_prompts(spelling: str, content: dict[str, Any], passages: list[Passage]) -> None:
    reply = Envelope(({},), {spelling: [{"content": content}], "courses.v1": []}, "")
    assert list(instructions.discussion(reply)) == passages


def test_titles_of_passages_are_cleaned() -> None:
    (page,) = instruction_files(COURSE, item("discussionPrompt"), (Passage("<b>Why\u202e?</b>", ""),), {})
    assert "<h2>&lt;b&gt;Why?&lt;/b&gt;</h2>" in html(page)


def test_instructions_do_not_repeat_the_title() -> None:
    told = (Passage("", '<co-content><heading level="1">The Task </heading><text>Do it.</text></co-content>'),)
    (page,) = instruction_files(COURSE, item("phasedPeer"), told, {})
    assert html(page).count("The Task</h") == 1


def test_recorded_references(platform_replies: Path) -> None:
    found = replies.references(load(platform_replies, "json/references-poll-reply.json"))
    folder = platform_replies / "coursera/coursera-dl/json"
    expected = json.loads((folder / "references-poll-output.json").read_text())
    assert len(expected) == 2
    assert [(one.id, one.short_id, one.name, one.slug) for one in found] == [
        (one["id"], one["shortId"], one["name"], one["slug"]) for one in expected
    ]
    files = reference_files(COURSE, item("references", "references"), found, {})
    assert names(files) == [
        (f"references/{one['id']}/page", Placement.ATTACHED, one["name"], ".html", Kind.READING) for one in expected
    ]
    for file, reference, row in zip(files, found, expected, strict=True):
        (text,) = reference.parts
        assert re.findall(r"<text>([^<&]+)</text>", text.cml)[0] in html(file)
        assert file.url == f"{BASE}/learn/some-course/resources/{row['shortId']}"


def test_resources_of_every_kind() -> None:
    def entry(number: int, *parts: CourseAsset, name: str = "Entry") -> Reference:
        return Reference(f"r{number}", f"s{number}", f"{name} {number}" if name else "", f"entry-{number}", parts)

    found = [
        entry(1, CourseAsset("a", "cml", cml='<co-content><img assetId="p"/></co-content>')),
        entry(2, CourseAsset("b", "asset", asset_id="d")),
        entry(3, CourseAsset("c", "url", name="The book", url="https://book.example/")),
        entry(4),
        entry(5, CourseAsset("e", "cml", cml='<co-content><img assetId="p"/></co-content>'), name=""),
    ]
    files = reference_files(
        COURSE, item("references", "references"), found, {"p": asset("p", "plan.png"), "d": asset("d", "All.pdf")}
    )
    assert [(one.placement.value, one.title, one.extension) for one in files] == [
        ("attached", "Entry 1", ".html"),
        ("beside", "plan", ".png"),
        ("attached", "Entry 2", ".pdf"),
        ("attached", "The book", ".html"),
        ("attached", "Entry 4", ".html"),
        ("attached", "entry-5", ".html"),
        ("beside", "plan", ".png"),
    ]
    assert len({one.key for one in files}) == len(files)
    assert beside_url(files[1].key) in html(files[0])
    assert files[4].kind is Kind.LINK and f"{BASE}/learn/some-course/resources/s4" in html(files[4])


def test_odd_references_are_left_out_or_bare() -> None:
    content = {"org.coursera.ondemand.reference.AssetReferenceContent": {"assetId": "x"}}
    rows = ({"id": "a", "content": content}, {"name": "nothing"}, {"shortId": "s", "content": "odd"}, {"id": "a"})
    found = replies.references(Envelope(rows, {"openCourseAssets.v1": [{"id": "y", "typeName": "cml"}]}, ""))
    assert [(one.id, one.parts) for one in found] == [("a", ()), ("s", ())]


@pytest.mark.parametrize(
    ("element", "shown"),
    [
        ({"offlineInstructions": {"typeName": "cml", "definition": {"value": "<text>A</text>"}}}, ["<text>A</text>"]),
        ({"offlineInstructions": {"cmlValue": "<text>A</text>"}, "description": ""}, ["<text>A</text>"]),
        ({"description": "Plain & simple"}, ["<text>Plain &amp; simple</text>"]),
        (
            {"inLabInstructionsParts": [{"title": "T", "content": {"html": "<p>B</p>"}}, "C", None, 7, {"x": 1}]},
            ["<p>B</p>", "<text>C</text>"],
        ),
        ({"inLabInstructionsParts": {"instructions": "D"}}, ["<text>D</text>"]),
        ({"description": "E", "offlineInstructions": "E"}, ["<text>E</text>"]),
        ({"offlineInstructions": None, "inLabInstructionsParts": []}, []),
        ({}, []),
    ],
)
def test_the_instructions_of_a_lab_in_any_form(element: dict[str, Any], shown: list[str]) -> None:
    assert [passage.cml for passage in instructions.lab(Envelope((element,), {}, ""))] == shown
