"""Readings as browsers read them: parsed by an HTML5 parser that complains, and nothing in them that acts or loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from justhtml import Element, JustHTML, Node, Text

from coursefs.pages import beside_url, document, link_page, with_links
from coursefs.providers.coursera.cml import render
from tests.unit.test_cml import hostile_cml, recorded_cml

LINKS = {"A1": beside_url("item/A1"), "B2": beside_url("item/B2")}
NAMES = {"item/A1": "01 A.files/ear.png", "item/B2": "01 A.files/100% sure.pdf"}
PAGE_URL = "https://www.coursera.org/learn/some-course/supplement/a/b"
ACTIVE = frozenset("applet base embed form frame iframe input link object script source svg track video".split())


def page(cml: str) -> bytes:
    body = render(cml, LINKS, title="The Title", page_url=PAGE_URL)
    return with_links(document(title="The Title", body=body, url=PAGE_URL, course="A Course"), NAMES)


def elements(node: Node | Text) -> Iterator[Element]:
    if isinstance(node, Element):
        yield node
    for child in node.children or () if isinstance(node, Node) else ():
        yield from elements(child)


def faults(html: bytes) -> list[str]:
    """What a parser complains of, and whether it had to put an element elsewhere than it is written."""
    parsed = JustHTML(html, sanitize=False, collect_errors=True)
    written = re.findall(r"<([a-z][a-z0-9]*)", re.sub("<style>.*?</style>", "<style>", html.decode(), flags=re.DOTALL))
    moved = written != [element.name for element in elements(parsed.root)]
    return [str(error) for error in parsed.errors] + ["an element was moved, added or left out"] * moved


def check(html: bytes) -> None:
    """What holds of every page: valid, complete, nothing active, nothing remote."""
    assert faults(html) == []
    found = list(elements(JustHTML(html, sanitize=False).root))
    names = [element.name for element in found]
    assert names[:2] == ["html", "head"] and names.count("title") == names.count("h1") == names.count("body") == 1
    (root,) = (element for element in found if element.name == "html")
    assert "lang" in (root.attrs or {})
    assert not ACTIVE & set(names)
    for element in found:
        for name, value in (element.attrs or {}).items():
            assert not name.startswith("on"), (element.name, name)
            assert name not in {"style", "srcset", "ping", "background", "poster", "formaction"}
            if name == "src":
                assert value in {"01%20A.files/ear.png", "01%20A.files/100%25%20sure.pdf"}
            if name == "href":
                assert value is not None
                assert value.startswith(("https://", "http://", "mailto:", "01%20A.files/"))
            if name == "http-equiv":
                assert value == "Content-Security-Policy"


EVERY_TAG = """<co-content>
<heading level="1" variant="h2semibold">The Title</heading>
<heading level="2">a &amp; b</heading><heading>c</heading><heading level="6">d</heading>
<text variant="body1">a <strong>b</strong> <em>c</em> <u>d</u> <sup>e</sup> <sub>f</sub> <var>g</var>
<a href="https://x.org/?a=1&amp;b=2" title="t">h</a> <a href="/learn/x">i</a> &nbsp; &lt;script&gt;</text>
<text hasMath="true">$$\\frac{1}{2}$$ and $x$ and \\[y\\] and $$\\unheard{of}$$</text>
<list bulletType="numbers"><li><text>a</text><list bulletType="bullets"><li>b</li></list></li></list>
<code language="python">if a &lt; b:\n    pass</code><text>and <code>f()</code></text>
<table rows="2" columns="2"><tr><th><text>a</text></th><th/></tr>
<tr><td><list><li>b</li></list></td><td>c</td></tr></table>
<img assetId="A1" alt="an &quot;ear&quot;"/><img assetId="gone"/><img src="https://x.org/i.png" alt="far"/>
<asset id="B2" name="slides" extension="pdf" assetType="pdf"/>
<asset id="B2" name="tone" extension="mp3" assetType="audio"/>
<widget id="w"><text>in a widget</text></widget><figure><img assetId="A1"/><figcaption>said</figcaption></figure>
<unheard-of>kept</unheard-of><text></text></co-content>"""


def test_every_tag_of_the_language_is_valid_html() -> None:
    check(page(EVERY_TAG))
    assert page(EVERY_TAG) == page(EVERY_TAG)


@settings(max_examples=150)
@given(hostile_cml() | st.text())
def test_whatever_the_platform_sends_is_valid_html(cml: str) -> None:
    check(page(cml))


@given(st.text(), st.text(), st.text())
def test_link_pages_are_valid_html(title: str, reason: str, url: str) -> None:
    check(link_page(title=title, what="Quiz", reason=reason, url=f"https://x.org/{url}").encode("utf-8", "replace"))


def test_everything_recorded_is_valid_html(platform_replies: Path) -> None:
    found = list(recorded_cml(platform_replies / "coursera"))
    assert len(found) > 40
    for cml in found:
        check(page(cml))


@pytest.mark.parametrize("wrong", ["<p>a<ul></ul></p>", "<table><p>x</p></table>", "<b><p>x</b></p>", "<li>a</ul>"])
def test_what_is_wrong_would_be_found(wrong: str) -> None:
    assert faults(document(title="T", body=wrong, url=None).encode())
