"""Recorded, documented and broken replies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.providers.openedx import replies
from coursefs.providers.openedx.course_outline import chapters
from coursefs.providers.openedx.replies import Access, Encoding, Update, time_ns

_NAMES = ["id", "type", "children", "blocks", "root", "results", "course", "student_view_data"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id", "type", "children", "blocks"]), inner)
    ),
)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "openedx" / name).read_text())


def test_recorded_blocks(platform_replies: Path) -> None:
    said = read(platform_replies, "blocks_RG+MC01+2022_with_video.json")
    found, rows = replies.blocks(said), said["blocks"]
    assert len(found.blocks) == 23
    assert {key: one.name for key, one in found.blocks.items()} == {
        key: row["display_name"] for key, row in rows.items()
    }
    course = found.blocks[found.root]
    assert (course.type, course.name) == ("course", rows[said["root"]]["display_name"])
    assert list(course.children) == rows[said["root"]]["descendants"] and len(course.children) == 3
    (video,) = (block for block in found.blocks.values() if block.video)
    assert video.video is not None
    encoded = rows[video.key]["student_view_data"]["encoded_videos"]
    assert video.video.encodings == {"youtube": Encoding(encoded["youtube"]["url"])}
    transcript = rows[video.key]["student_view_data"]["transcripts"]["en"]
    assert video.video.transcripts["en"] == transcript and transcript.endswith("/transcript/download?lang=en")
    assert all(block.html == "" for block in found.blocks.values())


def test_recorded_root_alone(platform_replies: Path) -> None:
    found = replies.blocks(read(platform_replies, "mfe_pact/02_api_courses_v2_blocks.json")["response"]["body"])
    assert found.blocks[found.root].type == "course"


def test_recorded_enrolments(platform_replies: Path) -> None:
    said = read(platform_replies, "mobile_v3_course_enrollments_edx.json")
    found, rows = replies.enrolments(said), said["enrollments"]["results"]
    assert len(rows) > 1
    assert [(one.course_id, one.name, one.created_ns) for one in found] == [
        (row["course"]["id"], row["course"]["name"], time_ns(row["created"])) for row in rows
    ]
    assert all(one.is_active and one.starts_ns and one.created_ns for one in found)
    assert all(one.course_id.startswith("course-v1:") for one in found)


def test_recorded_dates(platform_replies: Path) -> None:
    said = read(platform_replies, "dates_HarvardX+ECD01.json")
    found, rows = replies.course_dates(said), said["course_date_blocks"]
    assert len(rows) > 2 and found[0].type == "course-start-date"
    assert [(one.type, one.title, one.when_ns, one.link) for one in found] == [
        (row["date_type"], row["title"], time_ns(row["date"]), row["link"]) for row in rows
    ]
    assert all(one.when_ns for one in found) and found[1].link
    pact = read(platform_replies, "mfe_pact/01_api_course_home_v1_dates_course_v1_edx_demox_demo_course.json")
    assert replies.course_dates(pact["response"]["body"])


def test_recorded_access(platform_replies: Path) -> None:
    pact = read(platform_replies, "mfe_pact/00_api_course_home_v1_course_metadata_course_v1_edx_demox_demo_course.json")
    starts_ns = time_ns(pact["response"]["body"]["start"])
    assert starts_ns is not None
    assert replies.access(pact["response"]["body"]) == Access(has_access=True, starts_ns=starts_ns)


def test_documented_videos(platform_replies: Path) -> None:
    kinds = read(platform_replies, "student_view_data_video.documented.json")

    def video(kind: str) -> replies.VideoData:
        block = {"id": "v", "type": "video", "student_view_data": kinds[kind]}
        found = replies.blocks({"root": "c", "blocks": {"v": block}}).blocks["v"].video
        assert found is not None
        return found

    encodings, rows = video("val_profiles").encodings, kinds["val_profiles"]["encoded_videos"]
    assert encodings.keys() == {"mobile_low", "desktop_mp4"}
    assert {name: one.size for name, one in encodings.items()} == {name: row["file_size"] for name, row in rows.items()}
    assert video("fallback_and_youtube").encodings["fallback"].size is None
    (source,) = kinds["fallback_and_youtube"]["all_sources"]
    assert video("fallback_and_youtube").sources == (source,)
    assert video("only_on_web").only_on_web and not video("only_on_web").encodings


@pytest.mark.parametrize("size", [0, -1, True, "5", 5.0, None, 1 << 63])
def test_a_size_that_is_none(size: object) -> None:
    encoded = {"desktop_mp4": {"url": "https://host/a.mp4", "file_size": size}}
    block = {"id": "v", "type": "video", "student_view_data": {"encoded_videos": encoded}}
    found = replies.blocks([block]).blocks["v"].video
    assert found is not None and found.encodings == {"desktop_mp4": Encoding("https://host/a.mp4", None)}


def test_recorded_handouts_and_documented_updates(platform_replies: Path) -> None:
    said = read(platform_replies, "handouts_demo_course_2014.json")
    assert replies.handouts(said) == said["handouts_html"].strip() != ""
    rows = read(platform_replies, "updates.documented.json")
    assert len(rows) == 2
    assert list(replies.updates(rows)) == [Update(row["date"], row["content"].strip()) for row in rows]


def test_an_enrolment_of_the_list_of_all() -> None:
    course = {"course_id": "O/C/R", "course_name": " Name ", "course_start": "2026-01-02T00:00:00Z", "course_end": None}
    rows = [
        {"created": "2026-01-01T00:00:00Z", "is_active": False, "course_details": course},
        {"course_details": {"course_id": "course-v1:O+C+R"}},
        {"course_details": {"course_id": ""}},
        7,
    ]
    old, new = replies.enrolments(rows)
    assert (old.course_id, old.name, old.is_active, old.ends_ns) == ("O/C/R", "Name", False, None)
    assert (new.course_id, new.name, new.is_active, new.created_ns) == ("course-v1:O+C+R", "", True, None)


def test_the_course_that_is_cut_out_of_a_page_is_not_lost() -> None:
    primary = {"course": {"id": "course-v1:O+P+1", "name": "P"}}
    body = {"primary": primary, "enrollments": {"results": [{"course": {"id": "course-v1:O+Q+1"}}], "count": 1}}
    assert [one.course_id for one in replies.enrolments(body)] == ["course-v1:O+P+1", "course-v1:O+Q+1"]


def test_updates_that_were_taken_back_are_not_there() -> None:
    rows = [{"date": "now", "content": "x", "status": "deleted"}, {"content": "y"}, None]
    assert replies.updates(rows) == (Update("", "y"),)
    assert replies.updates(None) == ()
    assert replies.handouts({"handouts_html": None}) == ""


def test_blocks_as_a_list() -> None:
    found = replies.blocks([{"id": "c", "type": "course", "children": ["a"]}, {"id": "a", "type": "chapter"}])
    assert found.root == "c" and set(found.blocks) == {"c", "a"}


def test_files_of_blocks() -> None:
    rows = [
        {"id": "p", "type": "pdf", "student_view_data": {"url": "https://x.example/a.pdf", "last_modified": "x"}},
        {"id": "a", "type": "audio", "student_view_data": {"playable_audio": {"ogg": "https://x.example/a.ogg"}}},
        {"id": "h", "type": "html", "student_view_data": {"enabled": True, "html": "<p>x</p>"}},
        {"id": "z", "type": "html", "student_view_data": {"html_data": "https://x.example/a.zip", "size": 576}},
    ]
    found = replies.blocks(rows).blocks
    assert found["p"].file_url == "https://x.example/a.pdf"
    assert found["a"].file_url == "https://x.example/a.ogg"
    assert found["h"].html == "<p>x</p>" and found["z"].html == ""


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("2024-01-11T09:39:37.467099Z", 1704965977467099000),
        ("1970-01-01T02:00:01+02:00", 10**9),
        ("1970-01-01T00:00:01", 10**9),
        ("1969-12-31T00:00:00Z", None),
        ("9999-12-31T00:00:00Z", None),
        ("None", None),
        (None, None),
        (5, None),
    ],
)
def test_times(value: object, ns: int | None) -> None:
    assert time_ns(value) == ns


def test_homes_and_the_languages_of_a_video() -> None:
    assert replies.home({"handouts_html": "<p>a", "welcome_message_html": None}) == replies.Home("<p>a", "")
    assert replies.spoken(["en", "pt_BR", 7, "not a language!"]) == frozenset(("en", "pt-BR"))
    assert replies.spoken({"detail": "x"}) is None


@pytest.mark.parametrize(
    ("words", "is_it"), [("bright", True), ("BRIGHT how", True), ("O+C", True), ("star", False), ("light lamps", True)]
)
def test_courses_that_fit_what_is_sought(words: str, is_it: bool) -> None:
    course = {"name": "How Bright?", "id": "course-v1:O+C+R", "org": "O", "short_description": "Of lamps and light"}
    assert replies.fits(course, words) is is_it


def test_an_enrolment_of_the_smaller_view_has_an_id_alone() -> None:
    (one,) = replies.enrolments({"next": None, "results": [{"is_active": True, "course_id": "course-v1:O+C+R"}]})
    assert (one.course_id, one.name) == ("course-v1:O+C+R", "")


CHAPTERS: dict[str, dict[str, Any]] = {
    "outline": {
        "sections": [
            {"id": "c1", "title": "One", "sequence_ids": ["s1", "s2", "s2", 7, "gone"]},
            {"id": "", "sequence_ids": None},
            {"id": "c1", "title": "again"},
        ],
        "sequences": {"s1": {"title": "A", "exam": {"status": "x"}, "due": "1970-01-02T00:00:00Z"}, "s2": None},
    }
}


def test_a_course_outline_that_is_not_in_order() -> None:
    assert chapters({"outline": {"sections": [], "sequences": []}}) == ()
    (found,) = chapters({"outline": {**CHAPTERS["outline"], "sections": CHAPTERS["outline"]["sections"][:2]}})
    assert [(one.key, one.title) for one in found.subsections] == [("s1", "A"), ("s2", "")]
    assert found.subsections[0].why_closed(0) == (
        "it is an exam (exam, due on 1970-01-02), which can be taken on its web page only"
    )
    assert found.subsections[1].why_closed(0) == ""
    assert chapters(CHAPTERS) == (found,)


@given(JSON)
def test_any_json_can_be_read(body: Any) -> None:
    blocks = replies.blocks(body)
    assert all(key == block.key for key, block in blocks.blocks.items())
    replies.enrolments(body)
    replies.course_dates(body)
    replies.updates(body)
    replies.handouts(body)
    replies.access(body)
    replies.user(body)
    replies.home(body)
    replies.spoken(body)
    chapters(body)
