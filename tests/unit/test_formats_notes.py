"""Notes: front matter that a second parser (PyYAML) reads, and the text below it."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coursefs.formats.notes import NoteFacts, front_matter, reading_note
from coursefs.pages import document

FACTS = NoteFacts("Welcome: a *start*", "Sound and Hearing", "Getting Started", "https://x.example/a", 600.4)


def read(text: str) -> dict[str, object]:
    before, properties, _ = text.split("---\n", 2)
    assert before == ""
    found = yaml.safe_load(properties)
    return found if isinstance(found, dict) else {}


def test_a_reading() -> None:
    page = document(title="Welcome", body="<h2>Part</h2><p>text</p>", url="https://x.example", course="Sound")
    assert reading_note(page, FACTS) == (
        "---\n"
        'course: "Sound and Hearing"\n'
        'module: "Getting Started"\n'
        'lecture: "Welcome: a *start*"\n'
        'url: "https://x.example/a"\n'
        "duration: 600\n"
        "---\n"
        "\n"
        "# Welcome: a \\*start\\*\n"
        "\n"
        "## Part\n"
        "\n"
        "text\n"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert read(front_matter(NoteFacts("A"))) == {"lecture": "A"}
    assert front_matter(NoteFacts("", url="javascript:alert(1)")) == "---\n---\n"


@pytest.mark.parametrize(
    "title",
    ["no", "4:08", "null", "1e3", "a: b # c", '"quoted"', "- x", "&a *b", "---", "{a}", "back\\slash", "%TAG !", "@x"],
)
def test_a_title_is_a_text_whatever_yaml_makes_of_such(title: str) -> None:
    assert read(front_matter(NoteFacts(title)))["lecture"] == title


@given(st.text(), st.text(), st.text(), st.none() | st.text(), st.none() | st.floats(0, 1e7))
def test_any_facts_are_front_matter(
    lecture: str, course: str, module: str, url: str | None, seconds: float | None
) -> None:
    address = None if url is None else f"https://x.example/{url}"
    text = front_matter(NoteFacts(lecture, course, module, address, seconds))
    found = read(text)
    assert len(text.splitlines()) == 2 + len(found)
    assert set(found) <= {"course", "module", "lecture", "url", "duration"}
    assert found.get("duration") == (None if seconds is None else round(seconds))
    if course.isprintable() and course.isascii() and len(course) < 200:
        assert found.get("course", "") == " ".join(course.split())
    assert all(isinstance(value, str) or math.isfinite(float(str(value))) for value in found.values())
