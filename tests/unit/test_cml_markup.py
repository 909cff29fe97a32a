"""The reader of markup: any string has a tree, and no word is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.providers.coursera.markup import Element, parse


def _outline(element: Element) -> str:
    """The tree on one line: text(a b(c))."""
    inside = " ".join(child if isinstance(child, str) else _outline(child) for child in element.children)
    return f"{element.tag}({inside})"


@pytest.mark.parametrize(
    ("markup", "outline"),
    [
        ("", "()"),
        ("words alone", "(words alone)"),
        ("<text>a<em>b</em></text>", "(text(a em(b)))"),
        ("<TEXT>a</Text>", "(text(a))"),
        ("<text/><text />x", "(text() text() x)"),
        ("<text>a<br>b<img assetId='1'>c</text>", "(text(a br() b img() c))"),
        ("<co-content><text>intro</text></li></list></co-content>", "(co-content(text(intro)))"),
        ("<text>a</text></co-content></body></html><text>b</text>", "(text(a) text(b))"),
        ("<text>a<text>b</text>c</text>", "(text(a text(b) c))"),
        ("<text>a<em>b</text>c", "(text(a em(b)) c)"),
        ("<text>never closed", "(text(never closed))"),
        ("1 < 2 & 3 > 2 &amp; &lt;b&gt; &nbsp;.", "(1 < 2 & 3 > 2 & <b> \xa0.)"),
        ("Use <script> in text</text>", "(Use  script( in text))"),
        ("<text>x <b", "(text(x <b))"),
        ("<!-- no --><?xml version='1.0'?><!DOCTYPE x>a<!-- never closed", "(a never closed)"),
        ("<![CDATA[<b>&amp;]]>c<![CDATA[open", "(<b>&amp;copen)"),
        ('<a title="1 > 2">x</a>', "(a(x))"),
        ("a&#0;\x07\u200bb&#27;", "(a\ufffdb)"),
    ],
)
def test_trees(markup: str, outline: str) -> None:
    assert _outline(parse(markup)) == outline


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ('<list bulletType="bullets">', {"bullettype": "bullets"}),
        ("<img ASSETID='a\"b'/>", {"assetid": 'a"b'}),
        ("<a href=https://x.org/y>", {"href": "https://x.org/y"}),
        ('<a href = "u" \n title="a &amp; b" flag>', {"href": "u", "title": "a & b"}),
        ('<a href="first" href="second">', {"href": "first"}),
    ],
)
def test_attributes(tag: str, attributes: dict[str, str]) -> None:
    (element,) = parse(tag).children
    assert isinstance(element, Element)
    assert dict(element.attributes) == attributes


def test_elements_beyond_any_sense_lose_their_tags_and_not_their_words() -> None:
    tree = parse("<em>" * 5000 + "deep" + "</em>" * 5000 + "after")
    assert tree.children[1:] == ["after"]
    assert tree.text() == "deepafter"


@given(st.text("<>/!-&;='\"[]ab \n") | st.text())
def test_any_string_has_a_tree(markup: str) -> None:
    assert parse(markup) == parse(markup)


@given(
    st.lists(st.sampled_from(["<text>", "</text>", "<em>", "</list>", "<br>", "<x/>"]) | st.text("abc ", min_size=1))
)
def test_no_word_is_lost_whatever_the_tags_do(pieces: list[str]) -> None:
    words = "".join(piece for piece in pieces if "<" not in piece)
    assert parse("".join(pieces)).text().replace("\n", "") == words
