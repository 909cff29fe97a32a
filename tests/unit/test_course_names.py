"""What names a course, what is suggested when nothing does, and what to type for each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.library.course_names import Candidate, ambiguous, named, names_to_type, unknown
from coursefs.model import Course

SOUND = Course("c1", "sound-and-hearing", "Sound and Hearing", "https://x.example/learn/sound-and-hearing")
DESIGN = Course("c2", "sound-design", "Sound Design")
GRAPHICS = Course("c3", "graphics", "Größen der Graphik")
SHORT = Course("c4", "sound-short", "Sound")
EVERY = [SOUND, DESIGN, GRAPHICS]


def candidates(*courses: Course) -> list[Candidate[str]]:
    return [Candidate(course.key, course, course.title) for course in courses]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Sound and Hearing", ["c1"]),
        ("sound AND  hearing", ["c1"]),
        ("Sound a", ["c1"]),
        ("sound d", ["c2"]),
        ("sound", ["c1", "c2"]),
        ("GRÖ", ["c3"]),
        ("gro\N{COMBINING DIAERESIS}", ["c3"]),
        ("hearing", []),
        ("sound-and", []),
        ("c1", ["c1"]),
        ("https://x.example/learn/sound-and-hearing/home", ["c1"]),
        ("https://x.example/learn/sound", []),
        ("", []),
        (" ", []),
    ],
)
def test_what_a_text_names(text: str, keys: list[str]) -> None:
    assert [one.of for one in named(candidates(*EVERY), text)] == keys


def test_a_whole_title_is_not_the_beginning_of_another() -> None:
    assert [one.of for one in named(candidates(SOUND, SHORT), "sound")] == ["c4"]


def test_without_prefixes_only_whole_names_count() -> None:
    assert named(candidates(*EVERY), "Sound a", prefixes=False) == []
    assert [one.of for one in named(candidates(*EVERY), "sound and hearing", prefixes=False)] == ["c1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sonud and Hearing", "no course is called Sonud and Hearing; did you mean Sound and Hearing? see: list"),
        ("sound-desing", "no course is called sound-desing; did you mean sound-design? see: list"),
        ("hearing", "no course is called hearing; did you mean Sound and Hearing? see: list"),
        ("chemistry", "no course is called chemistry; see: list"),
        ("https://x.example/learn/hearing", "no course is called https://x.example/learn/hearing; see: list"),
    ],
)
def test_what_may_have_been_meant(text: str, said: str) -> None:
    assert str(unknown(candidates(*EVERY), text, "list")) == said


def test_a_beginning_of_many_titles_says_what_to_type() -> None:
    found = named(candidates(*EVERY), "sound")
    assert str(ambiguous(found, "sound", "list")) == (
        "sound names more than one course; name it by its id:"
        " Sound and Hearing (sound-and-hearing), Sound Design (sound-design); see: list"
    )
    many = candidates(*(Course(str(n), "same", f"Sound {n}") for n in range(9)))
    assert "Sound 0 (0), Sound 1 (1), Sound 2 (2) and 6 more; see" in str(ambiguous(many, "sound", "list"))


def test_what_to_type_is_the_slug_or_the_id_where_slugs_are_equal() -> None:
    twin = Course("c9", "graphics", "Graphics II")
    assert names_to_type(candidates(SOUND, GRAPHICS, twin)) == ["sound-and-hearing", "c3", "c9"]
    other = Course("c8", "x", "graphics")
    assert names_to_type(candidates(GRAPHICS, other)) == ["c3", "x"], "a folder may be called as a slug"


TITLES = st.lists(st.text(st.sampled_from("ab Ä"), min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=6)


@given(TITLES)
def test_what_is_to_be_typed_names_that_course_alone(titles: list[str]) -> None:
    courses = [Course(f"k{number}", f"s{number % 2}", title) for number, title in enumerate(titles)]
    every = candidates(*courses)
    for one, name in zip(every, names_to_type(every), strict=True):
        assert named(every, name) == [one]
