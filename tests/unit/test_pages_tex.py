"""TeX before it is converted: tokens, macros, dialects, and what could cost time or the stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursefs.pages.mathml import _symbols_of, mathml
from coursefs.pages.tex import Malformed, source_of, tokens
from coursefs.pages.tex_brackets import harmless
from coursefs.pages.tex_dialect import prepared
from coursefs.pages.tex_macros import expanded


@given(st.text("\\{}[]ab $&_^") | st.text())
def test_tokens_are_all_of_the_source(source: str) -> None:
    try:
        assert "".join(tokens(source)) == source
    except Malformed:
        assert "%" in source or "{" in source or "}" in source or "\\" in source


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\newcommand{\R}{\mathbb{R}} x \in \R^n", r" x \in \mathbb{R}^n"),
        (r"\newcommand\R{R}\R", "R"),
        (r"\newcommand{\norm}[1]{|#1|}\norm{x}\norm y", "|x||y|"),
        (r"\newcommand{\pair}[2][a]{(#1,#2)}\pair{b}\pair[c]{d}", "(a,b)(c,d)"),
        (r"\def\sum#1#2{#2#1}\sum{a}b", "ba"),
        (r"\let\e=\varepsilon \e x", r" \varepsilon x"),
        (r"\DeclareMathOperator*{\argmax}{arg\,max}\argmax_x", r"\operatorname*{arg\,max}_x"),
        (r"\providecommand{\a}{1}\providecommand{\a}{2}\a", "1"),
        (r"\renewcommand{\a}{1}\renewcommand{\a}{2}\a", "2"),
        (r"\def\a{\alpha}\a x", r"\alpha x"),
        (r"\def\a{\b}\def\b{c}\a", "c"),
    ],
)
def test_macros_are_expanded(source: str, expected: str) -> None:
    assert source_of(expanded(tokens(source))).strip() == expected.strip()


@pytest.mark.parametrize(
    "source",
    [
        r"\def\a{\a}\a",
        r"\def\a{\a x}\a",
        r"\def\a#1{\a{#1#1}}\a{x}",
        r"\def\a#1;{#1}\a b;",
        r"\newcommand{\a}[1]{#2}\a x",
        r"\newcommand{\a}[x]{b}",
        r"\newcommand{\begin}{b}",
        r"\newcommand{\a}",
        r"\newcommand{a}{b}",
        r"\def\a{\def\b{c}}",
        r"\newcommand{\a}[1]{#1}\a",
        r"\let\a",
        "".join(rf"\def\a{a}{{\a{b}\a{b}}}" for a, b in zip("bcdefghijklmnopq", "cdefghijklmnopqr", strict=True))
        + r"\ab",
    ],
)
def test_macros_without_a_meaning_or_an_end(source: str) -> None:
    with pytest.raises(Malformed):
        expanded(tokens(source))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"a \\ b", r"\begin{gathered}a \\ b\end{gathered}"),
        (r"a & b", r"\begin{aligned}a & b\end{aligned}"),
        (r"a \\", "a "),
        (r"{a \\ b}", r"{a \\ b}"),
        (r"\begin{align*}a\\*[2ex]b\\\end{align*}", r"\begin{aligned}a\\b\end{aligned}"),
        (r"\begin{cases}a\\[x]b\end{cases}", r"\begin{cases}a\\[x]b\end{cases}"),
        (r"\begin{alignat}{2}a\end{alignat}", r"\begin{aligned}a\end{aligned}"),
        (r"\begin{matrix*}[r]a\end{matrix*}", r"\begin{matrix*}[r]a\end{matrix*}"),
        (r"\begin{equation}a\label{b}\end{equation}", "{a}"),
        (
            r"\begin{eqnarray}a&=&b\end{eqnarray}",
            r"\begin{array}{rcl}\displaystyle a&\displaystyle=&\displaystyle b\end{array}",
        ),
        (r"a\tag{1}\tag*{b}", r"a\qquad\text{(1)}\qquad\text{b}"),
        (r"\text{if $x$ is 5\% of}", r"{\text{if }{x}\text{ is 5\%{} of}}"),
        (r"\mathop{\rm arg\,max}\limits_x", r"\operatorname*{arg\,max}_x"),
        (r"\mathop{\sum\sum}", r"\mathop{\sum\sum}"),
        (r"\substack{a\\b}", r"\begin{subarray}{c}a\\b\end{subarray}"),
        (r"\left<a\right>", r"\left\langle a\right\rangle"),
        (r"\pmatrix{a&b\cr c&d\cr}", r"\begin{pmatrix}a&b\\ c&d\end{pmatrix}"),
    ],
)
def test_other_spellings_are_understood(source: str, expected: str) -> None:
    assert source_of(prepared(tokens(source))) == expected


def test_many_brackets_are_written_as_text() -> None:
    few = tokens(r"(a) [b] \{c\} \bigl(d\bigr)")
    assert harmless(few, _symbols_of) == few
    many = source_of(harmless(tokens(r"(a)\{b\}\bigl[c\bigr]\left(d\right)\langle e \rangle" * 3), _symbols_of))
    assert many.startswith(
        r"{\text{(}}a){\text{\{}}b\}\big[c\bigr]\left(d\right){\text{⟨}} e \rangle"  # what none waits for stays
    )
    source = "(x+1)" * 20
    shown = mathml(source, display=True)
    assert shown is not None and shown.count("(</") == shown.count(")</") == 20


_OPENING = (
    "(",
    "[",
    r"\{",
    r"\langle ",
    r"\lvert ",
    r"\lVert ",
    r"\lfloor ",
    r"\lceil ",
    r"\lbrack ",
    r"\bigl(",
    "⟦",
    "⌜",
)
HOSTILE = [
    *("{" * 4000, "{" * 2000 + "}" * 2000, "x^{" * 1000 + "}" * 1000, r"\left(" * 600, r"\begin{matrix}" * 280),
    *(
        command * (3900 // len(command)) + " x"
        for command in (r"\sqrt", r"\frac", r"\hat ", r"\mathbf", r"\sqrt[", "a'")
    ),
    *(r"\color{red}" * 350 + "x", r"\overset{a}" * 350 + "x", r"\substack{" * 400, r"\text{$" * 500, "'" * 4000),
    *("&" * 4000, r"\\" * 2000, r"\\[" * 1300, "% " * 2000, r"\pmod{" * 600, r"\pmod)" * 600, "$" * 4000, "#1" * 2000),
    *(bracket * (3900 // len(bracket)) for bracket in _OPENING),
    *(r"(\frac a)" * 400, "x_)(" * 900, "{(}" * 1300, r"(\text{)}" * 400, r"(\left)a\right)" * 250, r"f(\hat)" * 500),
    r"\def\a#1{#1#1#1#1#1#1#1#1#1}" + r"\a{" * 50 + "x" + "}" * 50,
]


def test_no_formula_takes_long_or_ends_the_process() -> None:
    """In a process of its own: neither a stack that is full nor the time of a library can be caught."""
    program = """
import sys, threading, time
from coursefs.pages.mathml import mathml
sys.path.insert(0, sys.argv[1])
from test_pages_tex import HOSTILE
slow = []
def all():
    for source in HOSTILE:
        begun = time.thread_time()
        mathml(source, display=True)
        slow.append((time.thread_time() - begun, source[:20]))
threading.stack_size(2 << 20)
thread = threading.Thread(target=all)
thread.start()
thread.join()
print(max(slow)[0] < 2 and len(slow) == len(HOSTILE), max(slow))
"""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", program, here], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith("True"), done.stdout
