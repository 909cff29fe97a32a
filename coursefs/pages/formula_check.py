r"""Compares MathML with the TeX that it was made from (pure).

A converter may drop a row, show an option as text, or lose a symbol, and say nothing. So each symbol of the source is
looked for in the MathML, in the cell of the table where it stands, and rows, cells, scripts, fractions and roots are
counted. Symbols are compared as plain characters: `𝐱`, `ℝ` and `−` are `x`, `R` and `-`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from coursefs.pages.tex import Malformed, argument, is_blank, name, optional, skip_blank

#: a cell: the number of its table, its row, its column; () outside of all tables
_Cell = tuple[int, ...]

_ALIKE = str.maketrans(
    {"−": "-", "‐": "-", "–": "--", "—": "---", "∗": "*", "⋆": "*", "‘": "`", "’": "'", "“": "``", "”": "''", '"': "''"}
    | {"′": "'", "‵": "`", "∣": "|", "∥": "‖", "∕": "/", "∶": ":", "⟂": "⊥", "˚": "", "\N{INVISIBLE SEPARATOR}": ""}
    | dict.fromkeys("\N{FUNCTION APPLICATION}\N{INVISIBLE TIMES}\N{INVISIBLE PLUS}", "")
)
#: characters that mean something to TeX: they are shown only where they are written as a command
_SPECIAL = frozenset("\\&#$_%")
#: commands with a first argument, or optional one, that is not shown
_HIDDEN_ARGUMENT = frozenset({r"\hspace", r"\color", r"\textcolor"})
_BRACKETS = frozenset({r"\sqrt"})
_ARROW = re.compile(r"\\x[A-Za-z]+")
_FENCES = frozenset({r"\left", r"\right", r"\middle"})
_BIG = re.compile(r"\\[bB]igg?[lrm]?")
_WITH_COLUMNS = frozenset({"array", "subarray"})
_ADDED = {r"\pmod": "mod"}  # letters of a command that needs an argument
#: environments that are a table; the library may know more, but what they contain was never looked at
_TABLES = frozenset(
    "aligned array cases dcases rcases drcases gathered matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix subarray".split()
)
#: commands that refer to a place outside of the formula
_OUTSIDE = frozenset({r"\ref", r"\eqref"})
_FRACTIONS = frozenset({r"\frac", r"\dfrac", r"\tfrac", r"\cfrac", r"\binom", r"\dbinom", r"\tbinom", r"\over"})
_FRACTIONS |= {r"\atop", r"\choose", r"\genfrac"}
_SCRIPTS = {"msub": 1, "msup": 1, "munder": 1, "mover": 1, "msubsup": 2, "munderover": 2, "mmultiscripts": 1}


def plain_symbols(text: str) -> str:
    """A text as plain characters without accents and white space, to compare symbols by."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_ALIKE)).translate(_ALIKE)
    return "".join(
        one for one in decomposed if not unicodedata.combining(one) and not one.isspace() and one != "\ufe00"
    )


def accounts_for(formula: Sequence[str], tree: ET.Element, symbols_of: Callable[[str], str]) -> bool:
    """Whether the MathML shows all of the formula, and nothing that is not in it.

    `symbols_of`: what a command shows by itself, as plain symbols. Raises `Malformed` for a formula that cannot be
    compared.
    """
    told = _Source(formula, symbols_of).all()
    shown = _shown(tree)
    if not shown.symbols and not all(map(is_blank, formula)):
        return False  # an empty place says less than the source
    if told.rows != shown.rows:
        return False
    for cell in told.cells() | shown.cells():
        expected, found = told.symbols.get(cell, Counter()), shown.symbols.get(cell, Counter())
        if expected - found:
            return False
        if any(_is_content(one) for one in found - expected):
            return False
    return all(shown.structure[kind] >= count for kind, count in told.structure.items())


def _is_content(symbol: str) -> bool:
    """Whether a symbol says something by itself, unlike an accent, a fence, or an operator that a command brings."""
    return symbol in _SPECIAL or unicodedata.category(symbol) in {"Lu", "Ll", "Lt", "Lo", "Nd"}


@dataclass(slots=True)
class _Content:
    """What a formula shows: symbols of each cell, cells of each table's rows, and how many of a structure."""

    symbols: dict[_Cell, Counter[str]] = field(default_factory=dict)
    rows: list[list[int]] = field(default_factory=list)
    structure: Counter[str] = field(default_factory=Counter)

    def cells(self) -> set[_Cell]:
        return set(self.symbols)

    def add(self, cell: _Cell, symbols: str) -> None:
        if symbols:
            self.symbols.setdefault(cell, Counter()).update(symbols)


class _Source:
    """The content of a formula, by one pass over its tokens."""

    def __init__(self, formula: Sequence[str], symbols_of: Callable[[str], str]) -> None:
        self._formula = formula
        self._symbols_of = symbols_of
        self._content = _Content()
        self._open: list[_Cell] = []  # one for each group or environment: the cell inside it, () for a group outside
        self._kinds: list[str] = []
        self._hidden: set[int] = set()  # positions of brackets that are not shown

    def all(self) -> _Content:
        position = 0
        while position < len(self._formula):
            position = self._one(position)
        if self._open:
            raise Malformed("a group is not closed")
        return self._content

    @property
    def _cell(self) -> _Cell:
        return self._open[-1] if self._open else ()

    def _one(self, position: int) -> int:
        lexeme = self._formula[position]
        after = position + 1
        if is_blank(lexeme) or position in self._hidden:
            return after
        match lexeme:
            case "{":
                self._enter("{", self._cell)
            case "}":
                self._leave("{")
            case r"\begin":
                return self._begin(after)
            case r"\end":
                _, after = name(self._formula, after)
                self._leave("table")
            case "&" | "\\\\":
                self._next(lexeme)
            case "^" | "_":
                self._content.structure["script"] += 1
            case _ if lexeme[0] == "\\" and len(lexeme) > 1:
                return self._command(lexeme, after)
            case "~" | "#" | "$" | "\\":
                if lexeme != "~":
                    raise Malformed("a special character")
            case _:
                self._content.add(self._cell, plain_symbols(lexeme))
        return after

    def _enter(self, kind: str, cell: _Cell) -> None:
        self._kinds.append(kind)
        self._open.append(cell)

    def _leave(self, kind: str) -> None:
        if not self._kinds or self._kinds.pop() != kind:
            raise Malformed("a group is not closed")
        self._open.pop()

    def _begin(self, position: int) -> int:
        called, after = name(self._formula, position)
        if called not in _TABLES:
            raise Malformed("an environment that is no table")
        if called in _WITH_COLUMNS:
            _, after = argument(self._formula, after)
        self._enter("table", (len(self._content.rows), 0, 0))
        self._content.rows.append([1])
        return after

    def _next(self, lexeme: str) -> None:
        """The next cell or row; outside of a table there is none."""
        if not self._kinds or self._kinds[-1] != "table":
            raise Malformed("a row or a column outside of a table")
        table, row, column = self._open[-1]
        if lexeme == "&":
            self._content.rows[table][row] += 1
            self._open[-1] = (table, row, column + 1)
        else:
            self._content.rows[table].append(1)
            self._open[-1] = (table, row + 1, 0)

    def _command(self, lexeme: str, after: int) -> int:
        if lexeme in _OUTSIDE:
            raise Malformed("a reference")
        if lexeme in _HIDDEN_ARGUMENT:
            _, after = argument(self._formula, after)
            return after
        if lexeme in _FENCES or _BIG.fullmatch(lexeme):
            after = skip_blank(self._formula, after)
            return after + (self._formula[after : after + 1] == ["."])
        if lexeme == r"\operatorname" and self._formula[after : after + 1] == ["*"]:
            return after + 1
        if lexeme in _BRACKETS or _ARROW.fullmatch(lexeme):
            content, end = optional(self._formula, after)
            if content is not None:
                self._hidden |= {skip_blank(self._formula, after), end - 1}
        if lexeme == r"\sqrt":
            self._content.structure["root"] += 1
        elif lexeme in _FRACTIONS:
            self._content.structure["fraction"] += 1
        self._content.add(self._cell, _ADDED.get(lexeme) or self._symbols_of(lexeme))
        return after


def _shown(tree: ET.Element) -> _Content:
    """The content of MathML."""
    content = _Content()
    waiting: list[tuple[ET.Element, _Cell]] = [(tree, ())]
    while waiting:
        element, cell = waiting.pop()
        content.add(cell, plain_symbols(element.text or ""))
        match element.tag:
            case "msqrt" | "mroot":
                content.structure["root"] += 1
            case "mfrac":
                content.structure["fraction"] += 1
            case tag if tag in _SCRIPTS:
                content.structure["script"] += _SCRIPTS[tag]
        if element.tag == "mtable":
            number = len(content.rows)
            content.rows.append([len(row) for row in element])
            inside: list[tuple[ET.Element, _Cell]] = [
                (part, (number, at_row, at_column))
                for at_row, row in enumerate(element)
                for at_column, part in enumerate(row)
            ]
        else:
            inside = [(part, cell) for part in element]
            for part in element:
                content.add(cell, plain_symbols(part.tail or ""))
        waiting += inside[::-1]
    return content
