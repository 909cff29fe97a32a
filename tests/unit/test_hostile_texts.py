"""Whatever a platform sends as a text: no exception, and time that grows with its size alone."""

from __future__ import annotations

import html
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coursefs.errors import CoursefsError
from coursefs.pages.cleaning import unescaped
from coursefs.pages.formulas import with_formulas
from tests.unit.hostile_texts import READERS, TEXTS

#: seconds of CPU time for a text of 200,000 characters: less needs no second look, and nothing may take more
_BUDGET, _MOST = 4.0, 20.0
_SIZE = 200_000
#: how much longer a text of twice the size may take: quadratic code takes four times as long on any machine
_GROWTH = 3.0


def _costs(reader: str, size: int, *name: str, timeout: float = 120) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.unit.hostile_texts", reader, str(size), *name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    return {name: float(seconds) for seconds, _, name in lines}


@pytest.mark.parametrize("reader", READERS)
def test_every_hostile_text_takes_linear_time(reader: str) -> None:
    costs = _costs(reader, _SIZE)
    assert costs.keys() == TEXTS.keys()
    slow = {name: cost for name, cost in costs.items() if cost > _BUDGET}
    halves = {name: _costs(reader, _SIZE // 2, name)[name] for name in slow}
    assert {
        name: (cost, halves[name]) for name, cost in slow.items() if cost > min(_MOST, _GROWTH * halves[name])
    } == {}


@pytest.mark.parametrize(
    ("reader", "name", "size"),
    [
        ("cml", "long name closed", 120_000),
        ("openedx text", "opens paren", 3_000_000),
        ("cml", "opens bracket flagged", 1_000_000),
        ("cml", "nested a", 140_000),
        ("openedx text", "nested a", 140_000),
        ("openedx text", "textareas", 40_000 * 21),
        ("openedx unit", "usage ids", 500_000),
        ("cml", "big entity", 5_000),
        ("openedx text", "big entity", 5_000),
        ("cml", "a link around lines", 120_000),
    ],
)
def test_what_once_stopped_everything_takes_a_moment(reader: str, name: str, size: int) -> None:
    assert _costs(reader, size, name)[name] < 5.0


TOKENS = (
    """< > </ /> <! <!-- --> <![CDATA[ ]]> <? & &# &#x ; " ' = <a <b> </b> <p> <li> <list> <table> <tr> <td> <th> <h1>
    <heading level="9"> <heading level="²"> <code language="x"> <code> <pre> <img <asset id="a"/> <img assetId="a"/>
    <select> <option> <label> <input type="radio"> <video src="//["> <iframe src="/static/a.pdf"> <script
    <script type="math/tex"> <textarea> <svg> <math> <a href="javascript:x"> <a href="http://["> hasMath="true" <br>
    \\( \\) \\[ \\] $ $$ \\$ [mathjax] [/mathjax] <div data-usage-id="x"> class="problems-wrapper" data-content="<b>"
    &#99999999999999999999; &#xD800; &#0; \ud800 \x00 \ufeff \u202e \ufdd0 href src id colspan="0" colspan="99"
    coursefs-beside: <coursefs-out> {} \\frac \\begin{matrix} ^ _ ²"""
).split()
texts = st.lists(st.sampled_from(TOKENS) | st.text(max_size=3) | st.just(" ") | st.just("\n"), max_size=40).map("".join)


@pytest.mark.parametrize("reader", READERS)
@given(text=texts)
@settings(max_examples=100, deadline=None)
def test_no_text_raises(reader: str, text: str) -> None:
    try:
        READERS[reader](text)
    except CoursefsError as error:
        pytest.fail(f"a text is not a reply: {error}")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", TEXTS)
def test_no_hostile_text_raises(reader: str, name: str) -> None:
    for size in (0, 1, 300):
        READERS[reader](TEXTS[name](size))


@given(st.lists(st.sampled_from(["&#", "&#x", "0", "9", "65", ";", "&amp;", "&nbsp", "x"]), max_size=30).map("".join))
def test_references_mean_what_they_always_meant(text: str) -> None:
    assert unescaped(text) == html.unescape(text)


def test_a_number_of_thousands_of_digits_is_no_character() -> None:
    assert unescaped(f"a&#{'9' * 5000};b&#{'0' * 5000}65;") == "a\N{REPLACEMENT CHARACTER}bA"


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        (r"\(a\) and \[b\]", 2),
        (r"\( \(a\)", 1),  # the first delimiter takes what is there, as before
        (r"\[a\) b\]", 1),
        (r"\(\)", 0),
        (r"\(\)\)", 1),
        (r"\(" + "x" * 4000 + r"\)", 1),
        (r"\(" + "x" * 4001 + r"\)", 0),
        (r"\[a" + r"\(b\)", 1),
        (r"$$a$$ $b$ \$c$ $5 and $6", 2),
    ],
)
def test_delimiters_mean_what_they_always_meant(text: str, formulas: int) -> None:
    found = with_formulas(text, flagged=True)
    assert found.count("<math ") + found.count('class="math"') == formulas
