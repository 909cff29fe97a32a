"""The page of a unit: HTML as authors write it, and the pages of a real server."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from coursefs.model import Course, File, Item, Kind, Page, Remote, Wanted
from coursefs.pages import beside_url
from coursefs.providers.openedx import replies
from coursefs.providers.openedx.assets import Links, asset
from coursefs.providers.openedx.outline import parts
from coursefs.providers.openedx.unit_files import unit_files
from coursefs.providers.openedx.unit_page import fragments, usage_keys

LMS = "https://lms.example.invalid"
COURSE = Course("course-v1:RealX+R101+2026", "r101", "Real")


def block(key: str, html: str, kind: str = "html") -> str:
    return f'<div class="vert"><div class="xblock" data-block-type="{kind}" data-usage-id="{key}">{html}</div></div>'


def unit(*blocks: str) -> str:
    inner = "".join(blocks)
    return (
        '<main><div class="xblock" data-block-type="vertical" data-usage-id="u"><h2>Unit</h2>'
        f'<div class="vert-mod">{inner}</div><script>x</script></div></main><footer>About us</footer>'
    )


def said(html: str) -> dict[str, str]:
    links = Links(LMS, partial(asset, base_url=LMS, course_key=COURSE.key, raw=False), lambda one: beside_url(one.id))
    return {key: " ".join(re.sub("<[^>]*>", " ", text).split()) for key, text in fragments(html, links).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>one</p>", "one"),
        ("<div><p>one</p>", "one"),
        ("<div><div><section><p>one</p>", "one"),
        ("<p>one</p></div><p>two</p>", "one two"),
        ("<p>one</p></div></div><p>two</p> three", "one two three"),
        ("one</div>two", "one two"),
        ("<table><tr><td>one", "one"),
        ("<ul><li>one<li>two</div>", "one two"),
        ("<b>one", "one"),
    ],
)
def test_markup_that_is_not_closed_or_closed_too_often_loses_no_text(text: str, expected: str) -> None:
    html = unit(block("a", "<p>before</p>"), block("b", text), block("c", "<p>after</p>"))
    assert said(html) == {"a": "before", "b": expected, "c": "after"}
    last = unit(block("a", "<p>before</p>"), block("b", text))
    assert said(last) == {"a": "before", "b": expected}
    alone = unit(block("b", text))
    assert said(alone) == {"b": expected}


def test_a_block_that_holds_others_says_nothing_itself() -> None:
    html = unit(f'<div data-block-type="itembank" data-usage-id="bank">Choose {block("a", "one")}</div>')
    assert said(html) == {"a": "one"}
    assert usage_keys(html) == {"u", "bank", "a"}


def test_a_video_says_nothing_but_its_handout() -> None:
    handout = "/assets/courseware/v1/0123456789abcdef/asset-v1:RealX+R101+2026+type@asset+block/notes.pdf"
    html = unit(block("v", f'<h3>Film</h3><a href="#">Speed</a><a href="{handout}">Download Handout</a>', "video"))
    assert said(html) == {"v": "Download Handout"}


# -- what a real server has sent, and inventions of the same shape


def real_files(folder: Path, page: str, blocks: str = "blocks_v2_r101.json") -> list[File]:
    """The files of the unit whose page has this name."""
    (asked,) = [
        entry["request"]
        for entry in json.loads((folder / "headers.json").read_text(encoding="utf-8"))
        if entry["file"] == f"xblock_{page.removesuffix('_with_asset_cdn')}.html"
    ]
    known = replies.blocks(json.loads((folder / blocks).read_text(encoding="utf-8")))
    one = known.blocks[asked.removeprefix("GET /xblock/").partition("?")[0]]
    item = Item(f"item/{one.key}", one.name, "unit", 1, "unit")
    html = (folder / f"xblock_{page}.html").read_text(encoding="utf-8")
    return unit_files(COURSE, item, parts(known, one), html=html, base_url=LMS, wanted=Wanted())


def text_of(files: list[File]) -> str:
    pages = [file.body.html for file in files if isinstance(file.body, Page)]
    body = re.sub(r"<head>.*?</head>", " ", " ".join(pages), flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", body).split())


@pytest.mark.parametrize(
    ("page", "there", "not_there"),
    [
        ("item_bank", ["Marker-bank-0"], ["web page only"]),
        ("randomize", ["Marker-rand"], ["web page only"]),
        ("legacy_library", ["Marker-libp-1", "Marker-lib-2"], ["web page only"]),
        ("open_assessment", ["This is an open response assessment", "web page only"], ["Loading", "{{"]),
        ("word_cloud", ["This is a word cloud", "web page only"], ["1 of 5", "Your words were"]),
        ("poll", ["This is a poll", "web page only"], ["{{", "submissions"]),
        ("survey", ["This is a survey", "web page only"], ["{{", "submissions"]),
        ("drag_and_drop", ["a drag and drop exercise"], ["Loading"]),
        ("multiple_choice", ["○ Red ○ Blue"], []),
        ("checkboxes", ["☐ One ☐ Two"], []),
        ("numerical", ["Marker-nu"], ["Loading", "\\(\\)"]),
        ("raw_editor", ["Marker-raw", "unclosed bold"], []),
        ("download_allowed_with_handout", ["Download Handout"], []),
        ("mixed_unit", ["Marker-mix-1", "Mixed video", "Marker-mixp", "Marker-mix-2"], []),
    ],
)
def test_pages_of_a_real_server(real: Path, page: str, there: list[str], not_there: list[str]) -> None:
    text = text_of(real_files(real, page))
    for words in there:
        assert words in text
    for words in not_there:
        assert words not in text


def test_a_label_stands_beside_its_box(real: Path) -> None:
    (page,) = (file.body for file in real_files(real, "multiple_choice") if isinstance(file.body, Page))
    assert re.search(r"○\s*(?:<span>\s*)+Red", page.html), "in one line"


def test_the_handout_of_a_video_is_a_file(real: Path) -> None:
    files = real_files(real, "download_allowed_with_handout")
    handout = next(file for file in files if file.kind is Kind.ATTACHMENT)
    assert (handout.title, handout.extension) == ("video handout", ".pdf")
    assert isinstance(handout.body, Remote) and handout.body.locator["path"].endswith("@video_handout.pdf")


@pytest.mark.parametrize("page", ["youtube", "hls_only"])
def test_a_video_without_a_file_has_its_transcript_beside_its_link(real: Path, page: str) -> None:
    kinds = [file.kind for file in real_files(real, page)]
    assert kinds == [Kind.LINK, Kind.SUBTITLE]


def test_what_payers_alone_see_says_upgrade(real: Path) -> None:
    text = text_of(real_files(real, "course_gated_grades", "blocks_v2_gated_grades.json"))
    assert "Upgrade to Unlock" in text and "Marker-FBE" in text


def test_every_file_that_real_texts_link_to_is_found(real: Path) -> None:
    """Of the links into the course's own files, those that are no page, script or style sheet become files."""
    for page in ("all_assets", "all_assets_with_asset_cdn"):
        html = (real / f"xblock_{page}.html").read_text(encoding="utf-8")
        linked = set(re.findall(r"type@asset\+block[@/]([^\"'?#<>&]+)", html))
        active = {
            one for one in linked if one.lower().endswith((".html", ".htm", ".js", ".css", ".svg", ".xml", ".swf"))
        }
        found = [file for file in real_files(real, page) if isinstance(file.body, Remote)]
        assert len(linked) > 20
        assert len(found) >= len(linked - active), page
