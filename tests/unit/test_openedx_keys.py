"""Ids of courses, blocks and files, old and new."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.providers.kit.files import FileName
from coursefs.providers.openedx.assets import asset
from coursefs.providers.openedx.keys import (
    CourseId,
    asset_path,
    block_id,
    block_type,
    block_url,
    course_id,
    course_meant,
    course_slug,
    jump_target,
    key_of,
    unquoted_slashes,
)

LMS = "https://lms.example.com"
COURSE = "course-v1:Org+C1+2026"
SEQUENTIAL = "block-v1:Org+C1+2026+type@sequential+block@s"


@pytest.mark.parametrize(
    ("key", "parts", "slug"),
    [
        ("course-v1:ZHAWx+SCF1+1T2024", CourseId("ZHAWx", "SCF1", "1T2024"), "ZHAWx+SCF1+1T2024"),
        ("MITx/6.002x/2012_Fall", CourseId("MITx", "6.002x", "2012_Fall"), "MITx+6.002x+2012_Fall"),
        ("course-v1:서울대+물리+1", CourseId("서울대", "물리", "1"), "서울대+물리+1"),
        ("library-v1:Org+L", None, "library-v1:Org+L"),
        ("course-v1:Org+C1", None, "course-v1:Org+C1"),
        ("a/b", None, "a+b"),
    ],
)
def test_course_ids_of_both_generations(key: str, parts: CourseId | None, slug: str) -> None:
    assert course_id(key) == parts
    assert course_slug(key) == slug


@pytest.mark.parametrize(
    ("value", "key"),
    [("block-v1:a+b+c+type@x+block@y", "block-v1:a+b+c+type@x+block@y"), (" i4x://O/C/video/a ", "i4x://O/C/video/a"),
     ("a b", ""), ("a\nb", ""), ("", ""), (None, ""), ({}, ""), ("x" * 401, ""), ("a\u202eb", "")],
)  # fmt: skip
def test_what_can_be_no_key_is_none(value: object, key: str) -> None:
    assert key_of({"id": value}, "id") == key


@pytest.mark.parametrize(
    ("usage", "name"),
    [("block-v1:O+C+R+type@video+block@0123abc", "0123abc"), ("i4x://O/C/video/Welcome", "Welcome"), ("odd", "odd")],
)
def test_the_name_of_a_block(usage: str, name: str) -> None:
    assert block_id(usage) == name


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (COURSE, COURSE),
        ("Org+C1+2026", COURSE),
        ("Org/C1/2012", "Org/C1/2012"),
        (f"{LMS}/courses/{COURSE}/course/", COURSE),
        (f"https://apps.example.com/learning/course/{quote(COURSE, safe='')}/home?x=1", COURSE),
        (f"{LMS}/courses/Org/C1/2012/info", "Org/C1/2012"),
        (f"{LMS}/courses/Org%2FC1%2F2012", "Org/C1/2012"),
        (f"{LMS}/courses/Org/C1", ""),
        (f"{LMS}/dashboard", ""),
        ("https://[", ""),
        ("graphics", ""),
        ("", ""),
    ],
)
def test_the_course_that_a_user_means(words: str, key: str) -> None:
    assert course_meant(words) == key


@pytest.mark.parametrize(
    ("link", "usage", "kind"),
    [
        (f"{LMS}/courses/{COURSE}/jump_to/{SEQUENTIAL}", SEQUENTIAL, "sequential"),
        (f"{LMS}/courses/{COURSE}/jump_to/{quote(SEQUENTIAL)}?x=1#y", SEQUENTIAL, "sequential"),
        (f"{LMS}/courses/O/C/R/jump_to/i4x://O/C/problem/p", "i4x://O/C/problem/p", "problem"),
        (f"{LMS}/courses/{COURSE}/jump_to/", "", ""),
        (f"{LMS}/courses/{COURSE}/progress", "", ""),
        ("https://[/jump_to/x", "", ""),
        ("", "", ""),
    ],
)
def test_where_a_link_leads(link: str, usage: str, kind: str) -> None:
    assert jump_target(link) == usage
    assert block_type(usage) == kind


def test_old_keys_have_other_slashes_in_pages() -> None:
    assert unquoted_slashes("i4x:;_;_Org;_C1;_html;_a;;b") == "i4x://Org/C1/html/a;b"
    assert unquoted_slashes("block-v1:O+C+R+type@html+block@a") == "block-v1:O+C+R+type@html+block@a"


def test_addresses_keep_the_characters_that_the_routes_want() -> None:
    url = block_url(LMS, COURSE, "block-v1:Org+C1+2026+type@vertical+block@a b")
    assert url == f"{LMS}/courses/{COURSE}/jump_to/block-v1:Org+C1+2026+type@vertical+block@a%20b"


@pytest.mark.parametrize(
    ("course", "path"),
    [(COURSE, "/asset-v1:Org+C1+2026+type@asset+block@a_b.pdf"), ("O/C/R", "/c4x/O/C/asset/a_b.pdf"), ("odd", "")],
)
def test_where_a_static_file_lies(course: str, path: str) -> None:
    assert asset_path(course, "a/b.pdf") == path


@pytest.mark.parametrize(
    ("url", "raw", "path", "name"),
    [
        ("/asset-v1:Org+C1+2026+type@asset+block@Learning_Goals.pdf", False,
         "/asset-v1:Org+C1+2026+type@asset+block@Learning_Goals.pdf", FileName("Learning Goals", ".pdf")),
        (f"{LMS}/assets/courseware/v1/0123456789abcdef0123456789abcdef/asset-v1:O+C+R+type@asset+block@a.PNG", False,
         "/asset-v1:O+C+R+type@asset+block@a.PNG", FileName("a", ".png")),
        ("/assets/courseware/0123456789abcdef/asset-v1:O+C+R+type@asset+block@a.zip?x=1#y", False,
         "/asset-v1:O+C+R+type@asset+block@a.zip", FileName("a", ".zip")),
        (" /c4x/Org/C1/asset/f.pdf ", False, "/c4x/Org/C1/asset/f.pdf", FileName("f", ".pdf")),
        ("/static/Star%20chart.pdf", True, "/asset-v1:Org+C1+2026+type@asset+block@Star chart.pdf",
         FileName("Star chart", ".pdf")),
        ("/asset-v1:O+C+R+type@asset+block@%EB%AC%BC%EB%A6%AC.pdf", False, "/asset-v1:O+C+R+type@asset+block@물리.pdf",
         FileName("물리", ".pdf")),
    ],
)  # fmt: skip
def test_links_to_files_of_the_course(url: str, raw: bool, path: str, name: FileName) -> None:
    found = asset(url, base_url=LMS, course_key=COURSE, raw=raw)
    assert found is not None
    assert (found.path, found.name) == (path, name)


@pytest.mark.parametrize(
    "url",
    ["", "#top", "/static/theme.png", "/courses/x", "https://elsewhere.example/asset-v1:O+C+R+type@asset+block@a.pdf",
     "http://lms.example.com/asset-v1:O+C+R+type@asset+block@a.pdf", "/asset-v1:O+C+R+type@asset+block@widget.html",
     "/asset-v1:O+C+R+type@asset+block@a.js", "/asset-v1:O+C+R+type@asset+block@a%0a.pdf", "https://[", "javascript:1"],
)  # fmt: skip
def test_what_is_no_file_of_the_course(url: str) -> None:
    assert asset(url, base_url=LMS, course_key=COURSE, raw=False) is None


@given(st.text(), st.text(), st.booleans())
def test_any_link_of_any_course_can_be_looked_at(url: str, course: str, raw: bool) -> None:
    found = asset(url, base_url=LMS, course_key=course, raw=raw)
    assert found is None or found.path.startswith(("/asset-v1:", "/c4x/"))
