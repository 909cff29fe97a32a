"""Mathematics in readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from coursefs.pages.cleaning import safe
from coursefs.pages.formulas import with_formulas

_X = '<math alttext="x" display="inline"><mi>x</mi></math>'
_BLOCK = '<math alttext="x" display="block"><mi>x</mi></math>'


@pytest.mark.parametrize(
    ("text", "flagged", "expected"),
    [
        ("let $$x$$ be", False, f"let {_X} be"),
        ("let $$x$$ be", True, f"let {_X} be"),
        ("let $x$ be", True, f"let {_X} be"),
        ("let $x$ be", False, "let $x$ be"),
        (r"let \(x\) be", True, f"let {_X} be"),
        (r"let \[x\] be", True, f"let {_BLOCK} be"),
        (r"let \[x\] be", False, r"let \[x\] be"),
        ("$5 or $6 <b>", True, "$5 or $6 &lt;b&gt;"),
        (r"\$x\$ and \$$x$$", True, None),
        ("$$x$$$$x$$", True, _X + _X),
        ("$$never closed", True, "$$never closed"),
        ("$$$$", True, "$$$$"),
        (r"$$\frac{1}{$$", True, r'<code class="math">$$\frac{1}{$$</code>'),
        (r"$$\unheardof{x<y}$$", True, r'<code class="math">$$\unheardof{x&lt;y}$$</code>'),
        ("$$" + "{" * 3000 + "$$", True, '<code class="math">$$' + "{" * 3000 + "$$</code>"),
    ],
)
def test_formulas(text: str, flagged: bool, expected: str | None) -> None:
    rendered = with_formulas(text, flagged=flagged)
    if expected is None:
        assert html.fromstring(f"<p>{rendered}</p>").text_content().startswith(r"\$x\$ and ")
    else:
        assert rendered == expected


def test_a_formula_comes_through_the_cleaning_as_it_is() -> None:
    source = r"P(w|\theta) = \frac{1}{m} \sum_{i=1}^m \sqrt{x_i^2} \begin{bmatrix} a & b \\ c & d \end{bmatrix}"
    rendered = safe(with_formulas(f"$${source}$$", flagged=True))
    for tag in ("<mfrac>", "<msqrt>", "<mtable ", "<msubsup>", "<mo>∑</mo>", "<mi>θ</mi>"):
        assert tag in rendered
    assert html.fromstring(rendered).get("alttext") == source


@pytest.mark.parametrize("source", [r"\href{javascript:alert(1)}{x}", r"\style{color:red}{x}", r"\class{evil}{x}"])
def test_commands_that_would_act_do_not(source: str) -> None:
    rendered = safe(with_formulas(f"$${source}$$", flagged=True))
    for element in html.fromstring(rendered).iter():
        assert not set(element.keys()) & {"href", "style"}
        assert element.get("class") in {None, "math"}


@given(st.text("\\{}[]()$^_&ab<\"' frac") | st.text(), st.booleans())
def test_no_text_is_too_odd(text: str, flagged: bool) -> None:
    assert with_formulas(text, flagged=flagged) == with_formulas(text, flagged=flagged)
