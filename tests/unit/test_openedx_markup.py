"""Texts of courses as pages have them."""

from __future__ import annotations

import re
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.model import Course, File, Item, Kind, Page, Placement
from coursefs.providers.openedx.assets import Assets
from coursefs.providers.openedx.markup import clean_html
from coursefs.providers.openedx.replies import Update
from coursefs.providers.openedx.text_pages import handout_files, update_files
from coursefs.providers.openedx.unit_page import fragments

LMS = "https://lms.example.com"
COURSE = Course("course-v1:O+C+R", "O+C+R", "A Course", f"{LMS}/courses/course-v1:O+C+R/course/")
ITEM = Item("item/u", "A Unit", "a-unit", 1, "unit", f"{LMS}/u")
PDF = "/asset-v1:O+C+R+type@asset+block@Learning_Goals.pdf"
PICTURE = "/assets/courseware/v1/0123456789abcdef0123456789abcdef/asset-v1:O+C+R+type@asset+block@a.png"


def assets(*, raw: bool = False) -> Assets:
    return Assets(COURSE, ITEM, LMS, raw=raw)


def cleaned(html: str, *, problem: bool = False) -> str:
    return clean_html(html, assets().links, problem=problem)


@pytest.mark.parametrize(
    ("html", "body"),
    [
        ("<p>a</p><script>alert(1)</script> tail", "<p>a</p> tail"),
        ("<style>p { }</style>", ""),
        ("<p>&nbsp;</p><br>", ""),
        ("<h1>a</h1><h3>b</h3><h6>c</h6>", "<h2>a</h2><h4>b</h4><h6>c</h6>"),
        ('<a href="javascript:alert(1)">a</a>', "<span>a</span>"),
        ('<a href="#top">a</a>', "<span>a</span>"),
        ('<a href="/courses/x" onclick="x()" title="t">a</a>',
         f'<a href="{LMS}/courses/x" title="t" rel="noopener noreferrer">a</a>'),
        ('<img src="https://elsewhere.example/x.png" alt="A moon">',
         '<a href="https://elsewhere.example/x.png" rel="noopener noreferrer">A moon</a>'),
        ('<p><img src="data:image/png;base64,xxxx" alt="A moon"> b</p>', "<p>A moon b</p>"),
        ('<iframe src="https://www.youtube.com/embed/x" title="A film">old browser</iframe>',
         '<a href="https://www.youtube.com/embed/x" rel="noopener noreferrer">A film</a>'),
        ('<object data="x:y"><p>instead</p></object>', "<span><p>instead</p></span>"),
        ('<video controls><source src="https://x.example/a.mp4"></video>',
         '<a href="https://x.example/a.mp4" rel="noopener noreferrer">https://x.example/a.mp4</a>'),
        ("<p>a<!-- secret -->b</p>", "<p>ab</p>"),
        ('<p>Name: <input type="text"> <input type="hidden" value="csrf"> <textarea>x</textarea></p>',
         "<p>Name:  ____    ____ </p>"),
        ("<p><select><option>one</option><option> two </option></select></p>", "<p> [one / two] </p>"),
        ('<table><tr><td colspan="2" rowspan="x">a</td></tr></table>',
         '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>'),
        ("<p>물리 ®</p>", "<p>물리 ®</p>"),
        ('<?xml version="1.0" encoding="utf-8"?><p>a</p>', "<p>a</p>"),
    ],
)  # fmt: skip
def test_what_becomes_of_markup(html: str, body: str) -> None:
    assert cleaned(html) == body


@pytest.mark.parametrize(
    ("html", "display"),
    [
        (r"<p>so \(x^2\) is</p>", "inline"),
        (r"<p>[mathjaxinline]x^2[/mathjaxinline]</p>", "inline"),
        (r"\[ x^2 \]", "block"),
        ("<p>[mathjax]x^2[/mathjax]</p>", "block"),
        ('<script type="math/tex">x^2</script>', "inline"),
        ('<script type="math/tex; mode=display">x^2</script>', "block"),
    ],
)
def test_formulas_are_set(html: str, display: str) -> None:
    body = cleaned(html)
    assert f'display="{display}"' in body and 'alttext="x^2"' in body and "<msup>" in body
    assert "mathjax" not in body and "\\" not in body


@pytest.mark.parametrize(
    "html", [r"<pre>\(x\)</pre>", r"<p><code>a \[x\]</code></p>", "<p>$5 and $6</p>", r"<p>\(never closed</p>"]
)
def test_what_is_no_formula(html: str) -> None:
    assert cleaned(html) == html


def test_formulas_with_signs_that_markup_has_too() -> None:
    body = cleaned(r"<p>\(a &lt; b\)</p><pre>\(x\)</pre><p>\(y\)</p>")
    assert body.count("<math") == 2 and 'alttext="a &lt; b"' in body and r"<pre>\(x\)</pre>" in body


def test_choices_become_signs() -> None:
    html = '<fieldset><label><input type="radio"> a</label><label><input type="checkbox"> b</label></fieldset>'
    assert cleaned(html) == "<p>\u25cb  a</p><p>\u2610  b</p>"


def test_what_a_problem_says_of_answers_is_left_out() -> None:
    html = '<p>Q</p><span class="status unanswered">unanswered</span><div class="action">Submit</div>'
    assert cleaned(html, problem=True) == "<p>Q</p>"
    assert "unanswered" in cleaned(html)


def test_files_of_the_course_lie_beside_the_page() -> None:
    found = assets()
    html = f'<p><a href="{PDF}">goals</a> <img src="{PICTURE}"> <a href="{PDF}#page=2">again</a></p><embed src="{PDF}">'
    body = clean_html(html, found.links)
    pdf, picture = found.files()
    assert (pdf.placement, pdf.kind, pdf.title, pdf.extension) == (
        Placement.ATTACHED,
        Kind.ATTACHMENT,
        "Learning Goals",
        ".pdf",
    )
    assert (picture.placement, picture.kind, picture.mime_type) == (Placement.BESIDE, Kind.IMAGE, "image/png")
    assert len(re.findall(r'href="coursefs-beside:[^"]*Learning_Goals.pdf"', body)) == 3
    assert ">Learning Goals.pdf</a>" in body
    assert body.count('src="coursefs-beside:') == 1
    assert "asset-v1" not in picture.key.rpartition("/")[0]


def test_files_in_what_is_dropped_are_not_files_of_the_unit() -> None:
    found = assets()
    assert clean_html(f'<noscript><img src="{PICTURE}"></noscript><p>a</p>', found.links) == "<p>a</p>"
    assert found.files() == []


def test_a_text_may_not_name_a_place_beside_the_page_itself() -> None:
    body = cleaned('<a href="coursefs-beside:item%2Fother">x</a><img src="coursefs-beside:y" alt="z">')
    assert "coursefs-beside" not in body


def test_depth_does_not_matter() -> None:
    assert "deep" in cleaned("<div>" * 1000 + "<p>deep</p>")


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<a href=",
                "<script>",
                "</script>",
                "<img src=x",
                ">",
                "'",
                '"',
                "<select>",
                "<option>",
                "<svg onload=x>",
                "text",
                "<!--",
                "<math>",
            ]
        )
    ).map("".join)
)
def test_nothing_that_acts_is_left_of_any_text(html: str) -> None:  # fmt: skip
    body = cleaned(html, problem=True)
    assert not re.search(r"<(script|iframe|object|embed|form|input|style|svg|link|meta)\b", body, re.IGNORECASE)
    assert not re.search(r"<[^>]*\s(on\w+|style|srcset)\s*=", body, re.IGNORECASE)
    assert cleaned(html, problem=True) == body


def block(kind: str, key: str, content: str) -> str:
    return f'<div class="xblock" data-block-type="{kind}" data-usage-id="{key}">{content}</div>'


def test_a_page_gives_the_text_of_each_block() -> None:
    problem = '<div class="problem"><p>Q &amp; A</p><button>Submit</button></div>'
    frame = f'<div class="problems-wrapper" data-content="{escape(problem)}"><p>Loading…</p></div>'
    inner = block("html", "i4x:;_;_O;_C;_html;_a", "<p>old</p><script>'</div>'</script>") + block("problem", "p", frame)
    unit = block("vertical", "u", inner + block("html", "h", "<style>x</style>"))
    page = f"<html><body><input value=csrf>{unit}</body></html>"
    found = fragments(page, assets().links)
    assert found == {
        "i4x://O/C/html/a": "<div><p>old</p></div>",
        "p": "<div><p>Q &amp; A</p></div>",
        "h": "",
    }


def test_a_page_without_blocks() -> None:
    assert fragments("", assets().links) == {}
    assert fragments("<p>Complete the prerequisite</p>", assets().links) == {}


def html_of(file: File) -> str:
    assert isinstance(file.body, Page)
    return file.body.html


def test_handouts_are_a_page_with_their_files() -> None:
    page, pdf = handout_files(COURSE, ITEM, '<ol><li><a href="/static/a_b.pdf">x</a></li></ol>', LMS)
    assert (page.kind, page.placement, page.extension) == (Kind.READING, Placement.MAIN, ".html")
    assert "coursefs-beside:" in html_of(page)
    assert (pdf.title, pdf.placement) == ("a b", Placement.ATTACHED)
    assert handout_files(COURSE, ITEM, "\n <ol></ol>\n", LMS) == []


def test_updates_are_one_page() -> None:
    updates = [Update("October 4, 2014", "Reminder."), Update("<b>", ""), Update("<i>Day</i>", "<p>Welcome</p>")]
    (page,) = update_files(COURSE, ITEM, updates, LMS)
    html = html_of(page)
    assert html.index("<h2>October 4, 2014</h2>") < html.index("<h2>&lt;i&gt;Day&lt;/i&gt;</h2>")
    assert html.count("<h2>") == 2
    assert update_files(COURSE, ITEM, [], LMS) == []
