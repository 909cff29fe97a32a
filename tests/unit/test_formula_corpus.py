"""Formulas as courses write them: each comes out right, or as its TeX source.

`formulas/corpus.txt` has one formula in a line; `! ` marks those that are shown as TeX. Each of the others was looked
at in a browser. The rules here are other ones than those of the program, so that they can contradict it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from html.entities import html5
from pathlib import Path
from xml.etree import ElementTree as ET

import lxml.html
import pytest

from coursefs.pages import mathml as module
from coursefs.pages.cleaning import safe
from coursefs.pages.documents import _STYLE
from coursefs.pages.formula_check import accounts_for
from coursefs.pages.formulas import with_formulas
from coursefs.pages.mathml import mathml
from coursefs.pages.tex import source_of, tokens
from coursefs.pages.tex_dialect import prepared
from coursefs.pages.tex_macros import expanded

_LINES = (Path(__file__).parent / "formulas" / "corpus.txt").read_text(encoding="utf-8").splitlines()
_FORMULAS = [line for line in _LINES if not re.fullmatch(r"# [a-zA-Z ]+", line)]
SHOWN = [line for line in _FORMULAS if not line.startswith("! ")]
AS_TEX = [line.removeprefix("! ") for line in _FORMULAS if line.startswith("! ")]

_ENVIRONMENT = re.compile(r"\\begin\{(\w+)\*?\}")
_ROW = re.compile(r"\\\\|\\cr\b|\\newline\b")
#: commands whose name is that of another character in HTML
_OTHERWISE = {
    **{"phi": "ϕ", "epsilon": "ϵ", "bullet": "∙", "square": "□", "Box": "◻", "perp": "⟂", "empty": "∅"},
    **{"circ": "∘", "vee": "∨", "dagger": "†", "star": "⋆", "ast": "∗", "colon": ":", "ll": "≪", "gg": "≫"},
    **{"S": "§", "P": "¶", "hbar": "ℏ", "ldots": "…", "lt": "<", "gt": ">", "triangle": "△", "setminus": "∖"},
    **{"cdot": "⋅", "barwedge": "⊼", "blacksquare": "■", "diamondsuit": "♢", "heartsuit": "♡"},
    **{"sup": "sup", "deg": "deg", "lg": "lg"},
    **{"Pr": "Pr", "arg": "arg", "wr": "≀", "models": "⊨", "subset": "⊂", "supset": "⊃", "amalg": "⨿"},
}
#: commands that only share a name with a character
_NO_SYMBOL = set("acute bar breve check dot grave half hat it macr not over tilde utilde".split())


def _page(source: str) -> lxml.html.HtmlElement:
    shown = safe(with_formulas("\\[" + source + "\\]", flagged=True))
    return lxml.html.fromstring(f"<div>{shown}</div>")


def _wrong(rule: Callable[[str], str | None], sources: Iterable[str] = SHOWN) -> dict[str, str]:
    """The formulas that break a rule, each with what is wrong."""
    found = ((source, rule(source)) for source in sources)
    return {source: wrong for source, wrong in found if wrong}


def test_there_are_enough_of_them() -> None:
    assert len(SHOWN) >= 300
    assert len(AS_TEX) >= 50
    assert len(set(_FORMULAS)) == len(_FORMULAS)


@pytest.mark.parametrize("display", [True, False])
def test_a_formula_that_is_not_understood_is_shown_as_it_is(display: bool) -> None:
    assert [source for source in AS_TEX if mathml(source, display=display) is not None] == []
    assert [source for source in SHOWN if mathml(source, display=display) is None] == []


def test_nothing_of_the_source_is_shown() -> None:
    signs = {"\\": r"\\(backslash|setminus)\b", "&": r"\\&", "#": r"\\#", "$": r"\\\$"}
    functions = "limsuplim infarcsinarccosarctansinhcoshtanhdeg"

    def rule(source: str) -> str | None:
        page = _page(source)
        (math,) = page.iter("math")
        text = math.text_content()
        if page.text_content().strip() != text.strip() or math.get("alttext") != source:
            return "something beside it"
        for sign, commands in signs.items():
            if text.count(sign) > len(re.findall(commands, source)):
                return f"a literal {sign}"
        for word in re.findall(r"\\([A-Za-z]{4,})", source):
            if word in text and word not in re.sub(rf"\\{word}(?![A-Za-z])", "", source) + functions:
                return f"the name of a command: {word}"
        return None

    assert _wrong(rule) == {}


def test_there_are_as_many_rows_and_columns_as_in_the_source() -> None:
    def rule(source: str) -> str | None:
        content = re.sub(r"\\newcommand.*?\}\}|\\substack\{.*?\}|\\(begin|end)\{.*?\}", " ", source)
        rows = [row for row in _ROW.split(content) if row.replace(r"\hline", "").strip()]
        empty = len(re.findall(r"\\\\ \\\\", content))
        columns = max(row.replace(r"\&", "").count("&") + 1 for row in rows or [""])
        tables = [table for table in _page(source).iter("mtable") if table.get("scriptlevel") != "1"]
        if len(rows) <= 1 and columns == 1:
            return None if all(len(table) == 1 for table in tables) else "more than one row"
        (table,) = tables
        if len(table) != len(rows) + empty:
            return f"{len(table)} rows"
        return None if max(len(row) for row in table) == columns else "other columns"

    assert _wrong(rule, (one for one in SHOWN if len(_ENVIRONMENT.findall(one)) <= 1)) == {}


def test_symbols_are_those_that_their_names_say() -> None:
    looked_up = set()

    def rule(source: str) -> str | None:
        text = _decomposed(_page(source).text_content())
        for name in re.findall(r"\\([A-Za-z]+)", re.sub(r"\\(?:re|provide)?newcommand.*?\}\}|\\not\\\w+", "", source)):
            expected = _OTHERWISE.get(name) or html5.get(f"{name};")
            if not expected or name in _NO_SYMBOL:
                continue
            looked_up.add(name)
            if _decomposed(expected) not in text and _decomposed(expected[0]) not in text:
                return f"{name} without {expected}"
        return None

    assert _wrong(rule) == {}
    assert len(looked_up) > 120


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text).replace("\ufe00", "")


def test_all_styles_are_those_of_the_style_sheet() -> None:
    def rule(source: str) -> str | None:
        for element in _page(source).iter():
            for name in element.get("class", "").split():
                if f".{name} " not in _STYLE:
                    return f"class {name}"
        return None if " style=" not in (mathml(source, display=True) or "") else "a style"

    assert _wrong(rule) == {}


def test_whatever_is_lost_is_noticed() -> None:
    """Each symbol, row and cell is taken away in turn: then the formula would be shown as TeX."""

    def rule(source: str) -> str | None:
        formula = prepared(expanded(tokens(source)))
        tree = module._converted(source_of(formula), display=True)
        for parent in list(tree.iter()):
            for index, element in enumerate(list(parent)):
                text = (element.text or "").strip("\N{INVISIBLE SEPARATOR}\N{FUNCTION APPLICATION}\xa0 ")
                if element.tag not in {"mtr", "mtd"} and not (element.tag in {"mi", "mn"} and text):
                    continue
                parent.remove(element)
                noticed = not accounts_for(formula, tree, module._symbols_of)
                parent.insert(index, element)
                if not noticed:
                    return f"without <{element.tag}>{text}"
        return None if accounts_for(formula, tree, module._symbols_of) else "all"

    assert _wrong(rule) == {}


_RIGHT = [
    ("ab", "<math><mi>a</mi><mi>b</mi></math>"),
    ("x^2", "<math><msup><mi>x</mi><mn>2</mn></msup></math>"),
    (r"\frac{a}{b}", "<math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>"),
    (r"\sqrt{x}", "<math><msqrt><mi>x</mi></msqrt></math>"),
    (r"\alpha", "<math><mi>α</mi></math>"),
    (
        r"\begin{matrix}a&b\\c\end{matrix}",
        "<math><mtable><mtr><mtd>a</mtd><mtd>b</mtd></mtr><mtr><mtd>c</mtd></mtr></mtable></math>",
    ),
]


def _accounted(source: str, markup: str) -> bool:
    return accounts_for(tokens(source), ET.fromstring(markup), module._symbols_of)


@pytest.mark.parametrize(("source", "markup"), _RIGHT)
def test_what_is_right(source: str, markup: str) -> None:
    assert _accounted(source, markup)
    for more in ("<mi>z</mi>", "<mn>1</mn>", "<mo>&amp;</mo>", "<mi>\\foo</mi>"):
        assert not _accounted(source, markup.replace("</math>", f"{more}</math>"))
    assert not _accounted(source, "<math></math>")


@pytest.mark.parametrize(
    ("source", "markup"),
    [
        ("x^2", "<math><mi>x</mi><mn>2</mn></math>"),
        (r"\frac{a}{b}", "<math><mi>a</mi><mi>b</mi></math>"),
        (r"\sqrt{x}", "<math><mi>x</mi></math>"),
        (_RIGHT[-1][0], _RIGHT[-1][1].replace("<mtd>a</mtd><mtd>b</mtd>", "<mtd>b</mtd><mtd>a</mtd>")),
        (_RIGHT[-1][0], _RIGHT[-1][1].replace("</mtr><mtr>", "")),
        (_RIGHT[-1][0], _RIGHT[-1][1].replace("</mtd><mtd>b", "b")),
    ],
)
def test_what_is_wrong(source: str, markup: str) -> None:
    assert not _accounted(source, markup)
