r"""MathML of a TeX formula, made by the library math-core; None where the TeX source is to be shown.

The library writes MathML Core, which browsers show by themselves, and refuses what it does not know. Its style
attributes become classes of our style sheet (`templates/style.css`), because a page allows no inline style. The result
is compared with the source (`coursefs.pages.formula_check`): a formula is right, or it is shown as TeX.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import html5
from xml.etree import ElementTree as ET

from math_core import LatexError, LatexToMathML

from coursefs.pages.formula_check import accounts_for, plain_symbols
from coursefs.pages.tex import Malformed, source_of, tokens
from coursefs.pages.tex_brackets import harmless
from coursefs.pages.tex_dialect import prepared
from coursefs.pages.tex_macros import expanded

_CONVERTER = LatexToMathML(fancy_error=False, allow_unreliable_rendering=True)
#: the library's declarations, as classes of our style sheet; None: only finer spacing
_CLASSES = {
    "text-align:left": "tex-left",
    "text-align:right": "tex-right",
    "justify-items:start": None,  # repeats text-align
    "justify-items:end": None,
    "padding-left:0": "tex-before-0",
    "padding-right:0": "tex-after-0",
    "padding-left:1em": "tex-before-1",
    "padding-top:0": "tex-tight",
    "padding-bottom:0": None,  # goes with padding-top:0
    "font-variant-caps:small-caps": "tex-small-caps",
    "math-shift:compact": None,
}
_LINE = re.compile(r"border-(top|bottom|left|right):0\.05em (solid|dashed) currentcolor")
_COLOUR = re.compile(r"color:(#[0-9A-Fa-f]{6})")
_SPACING = re.compile(r"(padding-(?:left|right|top)|margin-left):-?[\d.]+(em|rem|ex|pt|mm|cm|in|px)")
_BACK = re.compile(r"margin-left:-0\.(1|2)\d*em")  # \! and the wider negative spaces
_WIDTH = re.compile(r"width:([\d.]+(?:em|rem|ex|pt|mm|cm|in|px))")
_ENTITY = re.compile(r"&((?!lt;|gt;|amp;|quot;|apos;)[A-Za-z]+;)")
_LIBRARY_CLASSES = {
    "math-core-sans-serif-font": "tex-sans",
    "math-core-serif-font": "tex-serif",
    "menclose-updiagonalstrike": "",  # an empty element for the library's own style sheet
    "menclose-downdiagonalstrike": "",
}


def mathml(source: str, *, display: bool) -> str | None:
    """The `math` element of a formula; None if the TeX source is to be shown. Linear in the length of the source."""
    try:
        formula = harmless(prepared(expanded(tokens(source))), _symbols_of)
        tree = _converted(source_of(formula), display=display)
        if not accounts_for(formula, tree, _symbols_of):
            return None
        for element in tree.iter():
            _restyle(element)
        for table in tree.iter("mtable"):
            _close(table)
    except (Malformed, LatexError, ET.ParseError, UnicodeEncodeError):
        return None
    tree.attrib = {"alttext": source, "display": "block" if display else "inline"}
    return ET.tostring(tree, encoding="unicode", short_empty_elements=False)


def _converted(source: str, *, display: bool) -> ET.Element:
    markup = _CONVERTER.convert_with_local_state(source, displaystyle=display)
    # HTML's names of characters, which XML does not have
    return ET.fromstring(_ENTITY.sub(lambda named: html5.get(named[1], named[0]), markup))  # noqa: S314  # no DTD in it


@lru_cache(maxsize=1024)
def _symbols_of(command: str) -> str:
    r"""What a command shows by itself: `α` for `\alpha`, "" if it needs an argument or shows nothing."""
    try:
        return plain_symbols("".join(_converted(command, display=False).itertext()))
    except (LatexError, ET.ParseError, UnicodeEncodeError):
        return ""


def _restyle(element: ET.Element) -> None:
    """Put classes and a colour in place of an element's style; raises `Malformed` if a declaration is not known."""
    classes = [_LIBRARY_CLASSES.get(one) for one in element.attrib.pop("class", "").split()]
    for declaration in element.attrib.pop("style", "").replace(": ", ":").split(";"):
        if not declaration:
            continue
        if (colour := _COLOUR.fullmatch(declaration)) is not None:
            element.set("mathcolor", colour[1])
        elif (line := _LINE.fullmatch(declaration)) is not None:
            classes.append(f"tex-{line[2]}-{line[1]}")
        elif declaration in _CLASSES:
            classes.append(_CLASSES[declaration] or "")
        elif (back := _BACK.fullmatch(declaration)) is not None:
            classes.append(f"tex-back-{back[1]}")
        elif element.tag == "mspace" and (width := _WIDTH.fullmatch(declaration)) is not None:
            element.set("width", width[1])
        elif not _SPACING.fullmatch(declaration):
            raise Malformed(f"a style that a page has not: {declaration}")
    if None in classes:
        raise Malformed("a class that a page has not")
    if named := " ".join(one for one in classes if one):
        element.set("class", named)


def _close(table: ET.Element) -> None:
    r"""Put a line that ends a table (`\\ \hline \end{array}`) below its last row, instead of above an empty one."""
    if len(table) < 2:
        return
    *_, before, last = table
    line = last[0].get("class", "") if len(last) else ""
    ends = [one.replace("-top", "-bottom") for one in line.split() if one.endswith("-top")]
    if len(last) != 1 or len(last[0]) or last[0].text or not ends:
        return
    table.remove(last)
    for cell in before:
        cell.set("class", " ".join((*cell.get("class", "").split(), *ends)))
