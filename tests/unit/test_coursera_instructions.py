"""Instructions, prompts and resources: recorded replies, and their odd relatives."""

from __future__ import annotations

import json
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
PDF = "yeJ7Q8VAEeWPRQ4YsSEORQ"


def item(type_name: str, key: str = "item/a") -> Item:
    return Item(key, "The Task", "the-task", 3, type_name, f"{BASE}/learn/some-course/x/a/the-task", None)


def asset(asset_id: str, name: str) -> Asset:
    return Asset(asset_id, name, "generic", "", "https://cdn.example/x", None)


def load(folder: Path, name: str) -> Envelope:
    content: dict[str, Any] = json.loads((folder / "coursera/coursera-dl" / name).read_text())
    return Envelope(tuple(content["elements"]), content.get("linked") or {}, "")


def names(files: list[File]) -> list[tuple[str, Placement, str, str, Kind]]:
    return [(one.key, one.placement, one.title, one.extension, one.kind) for one in files]


def html(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


def test_recorded_programming_instructions(recorded: Path) -> None:
    told = instructions.programming(load(recorded, "json/supplement-programming-one-asset.json"))
    page, pdf = instruction_files(COURSE, item("gradedProgramming"), told, {PDF: asset(PDF, "statement-pca.pdf")})
    assert names([page, pdf]) == [
        ("item/a/page", Placement.MARKED, "programming assignment", ".html", Kind.READING),
        (f"item/a/asset/{PDF}", Placement.BESIDE, "statement-pca", ".pdf", Kind.ATTACHMENT),
    ]
    text = html(page)
    assert beside_url(pdf.key) in text
    # the parts by their order, which is not that of the reply
    assert text.index("Сколько компонент") < text.index("Вычислите коэффициент") < text.index("Какая компания")
    assert f"{BASE}/learn/some-course/x/a/the-task" in text


def test_recorded_programming_instructions_of_three_files(recorded: Path) -> None:
    told = instructions.programming(load(recorded, "json/supplement-programming-three-assets.json"))
    page, *files = instruction_files(COURSE, item("gradedProgramming"), told, {})
    assert files == []
    assert html(page).count('class="missing"') == 3
    assert "<h2>" in html(page) and "<li>" in html(page)


def test_recorded_exercises(recorded: Path) -> None:
    prefix = "json/supplement-programming-immediate-instructions-"
    told = instructions.exercise(load(recorded, f"{prefix}one-asset.json"))
    assert [passage.title for passage in told] == [""] and PDF in told[0].cml
    for name in ("empty-instructions", "no-instructions"):
        empty = instructions.exercise(load(recorded, f"{prefix}{name}.json"))
        (page,) = instruction_files(COURSE, item("programming"), empty, {})
        assert names([page]) == [("item/a/link", Placement.MARKED, "programming assignment", ".html", Kind.LINK)]


@pytest.mark.parametrize(
    ("name", "passages"),
    [
        ("json/supplement-programming-no-instructions.json", []),
        ("json/supplement-programming-empty-instructions.json", ["", "Parts"]),
    ],
)
def test_recorded_programming_without_instructions(recorded: Path, name: str, passages: list[str]) -> None:
    assert [one.title for one in instructions.programming(load(recorded, name))] == passages


@pytest.mark.parametrize(
    ("name", "passages"),
    [
        ("json/peer-assignment-instructions-all.json", [("", "intro"), ("Review criteria", "section")]),
        ("json/peer-assignment-instructions-no-title.json", [("", "intro"), ("", "section")]),
        ("json/peer-assignment-instructions-only-introduction.json", [("", "intro")]),
        ("json/peer-assignment-instructions-only-sections.json", [("Review criteria", "section")]),
        ("json/peer-assignment-no-instructions.json", []),
        (
            "define-comments/onDemandPeerAssignmentInstructions.v1-reply.json",
            [("", "Ваше первое"), ("Review criteria", "установите"), ("To be handed in", ""), ("", "№1"), ("", "№2")],
        ),
    ],
)
def test_recorded_peer_assignments(recorded: Path, name: str, passages: list[tuple[str, str]]) -> None:
    told = instructions.peer_assignment(load(recorded, name))
    assert [one.title for one in told] == [title for title, _ in passages]
    assert all(words in one.cml for one, (_, words) in zip(told, passages, strict=True))
    page, *_ = instruction_files(COURSE, item("phasedPeer"), told, {})
    assert page.title == "peer assignment"
    assert all(words in html(page) and title in html(page) for title, words in passages)


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


def test_recorded_references(recorded: Path) -> None:
    found = replies.references(load(recorded, "json/references-poll-reply.json"))
    expected = json.loads((recorded / "coursera/coursera-dl/json/references-poll-output.json").read_text())
    assert [(one.id, one.short_id, one.name, one.slug) for one in found] == [
        (one["id"], one["shortId"], one["name"], one["slug"]) for one in expected
    ]
    files = reference_files(COURSE, item("references", "references"), found, {})
    assert names(files) == [
        ("references/Tk_5NiCREeeSVwJCrBEADA/page", Placement.ATTACHED, "Tutorials", ".html", Kind.READING),
        ("references/Tk_5MSCREeeSVwJCrBEADA/page", Placement.ATTACHED, "Test Cases", ".html", Kind.READING),
    ]
    assert "supplement1" in html(files[0]) and "supplement2" in html(files[1])
    assert files[0].url == f"{BASE}/learn/some-course/resources/zVvo7"


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
