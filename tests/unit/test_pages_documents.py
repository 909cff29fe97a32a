"""The frame of a page: valid, self-contained, the same every time."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from coursefs.pages import document, link_page

_URL = "https://www.coursera.org/learn/sound/supplement/ab1/how-hearing-works?a=1&b=2"


def _parsed(text: str) -> html.HtmlElement:
    """The tree, if a parser finds nothing to complain of but elements that HTML 4 did not have."""
    parser = etree.HTMLParser()
    tree = etree.fromstring(text.encode(), parser)
    assert [error.message for error in parser.error_log if "Tag " not in error.message] == []
    return tree


def test_a_document_is_complete() -> None:
    text = document(title="How hearing works", body="<p>Hello</p>", url=_URL, language="en-GB", course="Sound & Music")
    tree = _parsed(text)
    assert text.startswith("<!doctype html>\n")
    assert tree.get("lang") == "en-GB"
    assert tree.xpath("//meta[@charset='utf-8']")
    assert tree.xpath("//meta[@name='viewport']")
    assert tree.xpath("//title/text()") == ["How hearing works · Sound & Music"]
    assert tree.xpath("//h1/text()") == ["How hearing works"]
    assert tree.xpath("//article/p/text()") == ["Hello"]
    assert tree.xpath("//footer/a/@href") == [_URL]
    assert tree.xpath("//footer/a/@rel") == ["noopener noreferrer"]
    assert tree.xpath("//footer/a/text()") == ["This page on coursera.org"]


def test_a_document_without_a_web_page_has_no_footer() -> None:
    tree = _parsed(document(title="T", body="<p>Hello</p>", url=None))
    assert not tree.xpath("//footer")
    assert not tree.xpath("//a")
    assert tree.get("lang") == ""


def test_the_policy_allows_the_style_of_the_page_and_files_beside_it_alone() -> None:
    tree = _parsed(document(title="T", body="", url=None))
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (style,) = tree.xpath("//style/text()")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'self' file:",
        "media-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_style_loads_nothing() -> None:
    (style,) = _parsed(document(title="T", body="", url=None)).xpath("//style/text()")
    assert not re.search(r"url\(|@import|@font-face|<", style)
    assert "prefers-color-scheme: dark" in style


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//host/x", "", "http://["]
)
def test_only_web_addresses_are_linked(url: str) -> None:
    for text in (document(title="T", body="", url=url), link_page(title="T", what="Quiz", reason="R.", url=url)):
        assert not _parsed(text).xpath("//a")


@pytest.mark.parametrize("language", ['en" onload="x', "", "e", "en_GB", "x" * 9])
def test_a_language_that_is_none_is_left_out(language: str) -> None:
    assert _parsed(document(title="T", body="", url=None, language=language)).get("lang") == ""


def test_a_title_that_is_empty_once_cleaned_still_has_a_heading() -> None:
    assert _parsed(document(title=" \u200b\x07 ", body="", url=None)).xpath("//h1/text()") == ["Untitled"]


def test_a_link_page_says_what_why_and_where() -> None:
    tree = _parsed(
        link_page(
            title="Module 1 Quiz", what="Quiz", reason="Locked: needs a paid enrolment.", url=_URL, course="Sound"
        )
    )
    assert tree.xpath("//h1/text()") == ["Module 1 Quiz"]
    assert [text.strip() for text in tree.xpath("//article//text()") if text.strip()] == [
        "Quiz",
        "Locked: needs a paid enrolment.",
        "Open on coursera.org",
    ]
    assert tree.xpath("//article//a/@href") == [_URL]
    assert not tree.xpath("//footer")


def test_a_link_page_without_an_address_still_says_why() -> None:
    tree = _parsed(link_page(title="", what="Discussion", reason="No page.", url=None))
    assert tree.xpath("//h1/text()") == ["Discussion"]
    assert not tree.xpath("//a")


@given(title=st.text(), what=st.text(), reason=st.text(), course=st.none() | st.text(), url=st.none() | st.text())
def test_no_words_become_markup(title: str, what: str, reason: str, course: str | None, url: str | None) -> None:
    text = link_page(title=title, what=what, reason=reason, url=url, course=course)
    tree = _parsed(text)
    assert {element.tag for element in tree.iter()} <= set(
        "html head meta title style body main header p h1 article div a".split()
    )
    assert text == link_page(title=title, what=what, reason=reason, url=url, course=course)


def test_every_link_opens_in_a_tab_of_its_own_and_nothing_else_is_touched() -> None:
    body = '<p title="<a href=x>">2 < 3 <a href="https://x.org/?a>b" rel="noopener">l</a> <abbr>&lt;a b</abbr></p>'
    page = document(title="T", body=body, url="https://x.org/")
    assert body.replace('<a href="', '<a target="_blank" href="') in page
    assert '<p title="<a href=x>">' in page
    assert page.count('target="_blank"') == 2
