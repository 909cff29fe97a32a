r"""Rewrites a formula into the TeX that the converter understands.

Courses are written for MathJax and for LaTeX, which know more spellings: `eqnarray`, `\mbox`, `\substack`, `\\[1em]`,
rows outside of any environment. Each rewriting says the same in other words, or leaves out what a page does not show,
such as the name of an equation or its automatic number. What has no entry here stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from coursefs.pages.tex import Malformed, argument, is_blank, name, optional, skip_blank, split_on

ROW = "\\\\"
_ROWS = frozenset({ROW, r"\cr", r"\newline"})
#: environments by what they become; "" is a group: an equation is numbered or not, and nothing else
_ENVIRONMENTS = {
    **dict.fromkeys(("align", "alignat", "alignedat", "flalign", "split", "eqalign"), "aligned"),
    **dict.fromkeys(("gather", "multline", "displaylines"), "gathered"),
    **dict.fromkeys(("equation", "displaymath", "math", "subequations"), ""),
    "smallmatrix": "matrix",
    "eqnarray": "array",
}
_WITH_COLUMNS = frozenset({"alignat", "alignedat"})  # their number comes first
_SAME = {r"\mbox": r"\text", r"\hbox": r"\text", r"\textnormal": r"\text"}
_TEXTS = frozenset(
    {r"\text", r"\textbf", r"\textit", r"\textrm", r"\textsf", r"\texttt", r"\textup", r"\textmd", r"\emph", *_SAME}
)
_NOT_SHOWN = frozenset({r"\nonumber", r"\notag"})
_NOT_SHOWN_WITH_ARGUMENT = frozenset({r"\label", r"\require"})
#: commands of plain TeX whose argument is a table
_TABLES = {r"\cases": "cases", r"\matrix": "matrix", r"\pmatrix": "pmatrix", r"\eqalign": "aligned"}
_TABLES |= {r"\displaylines": "gathered"}
_ROMAN = frozenset({r"\mathrm", r"\text", r"\rm"})
_ANGLES = {"<": r"\langle", ">": r"\rangle"}
#: the extra space after a row, and how many tokens are looked at for it
_HEIGHT = re.compile(r"\s*\[\s*-?[\d.]+\s*(em|ex|pt|px|mm|cm|in|mu|bp|pc|\\[a-z]+)\s*\]")
_LONGEST = 20


def prepared(formula: Sequence[str]) -> list[str]:
    """The formula in the converter's TeX; raises `Malformed`."""
    return _wrapped(_Rewriter(formula).all())


class _Rewriter:
    """One pass over a formula."""

    def __init__(self, formula: Sequence[str]) -> None:
        self._formula = formula
        self._position = 0
        self._done: list[str] = []
        self._open: list[str] = []  # names of the environments, as in the source

    def all(self) -> list[str]:
        formula = self._formula
        while self._position < len(formula):
            lexeme = formula[self._position]
            self._position += 1
            if lexeme in _ROWS:
                self._row()
            elif (rewrite := _REWRITES.get(lexeme)) is not None:
                rewrite(self, lexeme)
            elif lexeme == "&" and self._open and self._open[-1] == "eqnarray":
                self._done += (lexeme, r"\displaystyle")
            elif lexeme not in _NOT_SHOWN:
                self._done.append(lexeme)
        return self._done

    def _argument(self) -> list[str]:
        content, self._position = argument(self._formula, self._position)
        return content

    def _name(self) -> str:
        """The name of an environment; a star only says that its equations have no numbers."""
        called, self._position = name(self._formula, self._position)
        plain = called.removesuffix("*")
        return plain if plain in _ENVIRONMENTS else called

    def _star(self) -> bool:
        starred = list(self._formula[self._position : self._position + 1]) == ["*"]
        self._position += starred
        return starred

    def _row(self) -> None:
        self._star()
        height = _HEIGHT.match("".join(self._formula[self._position : self._position + _LONGEST]))
        if height is not None:
            self._position = self._formula.index("]", self._position) + 1
        self._done.append(ROW)
        if self._open and self._open[-1] == "eqnarray":
            self._done.append(r"\displaystyle")

    def _begin(self, lexeme: str) -> None:
        called = self._name()
        self._open.append(called)
        if called in _WITH_COLUMNS:
            self._argument()
        place, after = optional(self._formula, self._position)
        if place is not None and "".join(place).strip() in {"t", "c", "b"}:
            self._position = after
        target = _ENVIRONMENTS.get(called, called)
        self._done += (lexeme, "{", *target, "}") if target else ("{",)
        if called == "eqnarray":
            self._done += ("{", "r", "c", "l", "}", r"\displaystyle")

    def _end(self, lexeme: str) -> None:
        called = self._name()
        if not self._open or self._open.pop() != called:
            raise Malformed("an environment is not closed")
        _drop_last_row(self._done)
        target = _ENVIRONMENTS.get(called, called)
        self._done += (lexeme, "{", *target, "}") if target else ("}",)

    def _text(self, lexeme: str) -> None:
        r"""A text; formulas in it (`\text{if $x$}`) come to stand beside its parts."""
        parts = list(split_on(self._argument(), frozenset({"$", r"\(", r"\)"})))
        command = _SAME.get(lexeme, lexeme)
        if len(parts) == 1:
            self._done += (command, "{", *_spaced(parts[0]), "}")
            return
        if len(parts) % 2 == 0:
            raise Malformed("a formula in a text is not closed")
        self._done.append("{")
        for number, part in enumerate(parts):
            if number % 2:
                self._done += ("{", *_Rewriter(part).all(), "}")
            elif part:
                self._done += (command, "{", *_spaced(part), "}")
        self._done.append("}")

    def _tag(self, _token: str) -> None:
        starred = self._star()
        shown = self._argument()
        self._done += (r"\qquad", r"\text", "{", *(shown if starred else ("(", *shown, ")")), "}")

    def _skip(self, _token: str) -> None:
        self._argument()

    def _table(self, lexeme: str) -> None:
        content = _Rewriter(self._argument()).all()
        _drop_last_row(content)
        target = _TABLES[lexeme]
        self._done += (r"\begin", "{", *target, "}", *content, r"\end", "{", *target, "}")

    def _substack(self, _token: str) -> None:
        content = _Rewriter(self._argument()).all()
        _drop_last_row(content)
        self._done += (*_BEGIN_SUBSTACK, *content, *_END_SUBSTACK)

    def _group(self, _token: str) -> None:
        self._done += ("{", *_Rewriter(self._argument()).all(), "}")

    def _operator(self, lexeme: str) -> None:
        r"""`\mathop{\mathrm{arg\,max}}\limits_x`, as people wrote before there was `\operatorname*`."""
        content = [one for one in self._argument() if not is_blank(one)]
        if content and content[0] in _ROMAN:
            inner, after = argument(content, 1) if content[0] != r"\rm" else (content[1:], len(content))
            if after == len(content):
                self._done += (r"\operatorname", "*", "{", *inner, "}")
                after = skip_blank(self._formula, self._position)
                self._position = after + (list(self._formula[after : after + 1]) == [r"\limits"])
                return
        self._done += (lexeme, "{", *_Rewriter(content).all(), "}")

    def _space(self, lexeme: str) -> None:
        self._star()
        self._done += (lexeme, "{", *self._argument(), "}")

    def _fence(self, lexeme: str) -> None:
        self._done.append(lexeme)
        self._position = skip_blank(self._formula, self._position)
        delimiter = self._formula[self._position : self._position + 1]
        if delimiter and delimiter[0] in _ANGLES:
            self._position += 1
            self._done.append(_ANGLES[delimiter[0]])


_BEGIN_SUBSTACK = (r"\begin", "{", *"subarray", "}", "{", "c", "}")
_END_SUBSTACK = (r"\end", "{", *"subarray", "}")

_REWRITES: dict[str, Callable[[_Rewriter, str], None]] = {
    r"\begin": _Rewriter._begin,
    r"\end": _Rewriter._end,
    r"\tag": _Rewriter._tag,
    r"\substack": _Rewriter._substack,
    r"\ensuremath": _Rewriter._group,
    r"\mathop": _Rewriter._operator,
    r"\hspace": _Rewriter._space,
    r"\left": _Rewriter._fence,
    r"\right": _Rewriter._fence,
    **dict.fromkeys(_TABLES, _Rewriter._table),
    **dict.fromkeys(_TEXTS, _Rewriter._text),
    **dict.fromkeys(_NOT_SHOWN_WITH_ARGUMENT, _Rewriter._skip),
}


def _spaced(text: Sequence[str]) -> Iterator[str]:
    r"""A text whose spaces after `\%` and the like stay: only a control word takes the space after it."""
    for position, lexeme in enumerate(text):
        yield lexeme
        if len(lexeme) == 2 and lexeme[0] == "\\" and not lexeme[1].isalpha() and position + 1 < len(text):
            yield from ("{", "}") if is_blank(text[position + 1]) else ()


def _drop_last_row(done: list[str]) -> None:
    """Take away a row that ends with nothing after it: it would be shown as an empty one."""
    end = len(done)
    while end and (is_blank(done[end - 1]) or done[end - 1] == r"\displaystyle"):
        end -= 1
    if end and done[end - 1] == ROW:
        del done[end - 1 :]


def _wrapped(formula: list[str]) -> list[str]:
    """The formula with an environment around rows and columns that have none."""
    _drop_last_row(formula)
    depth = 0
    found: set[str] = set()
    for lexeme in formula:
        depth += (lexeme in {"{", r"\begin", r"\left"}) - (lexeme in {"}", r"\end", r"\right"})
        if not depth and lexeme in {"&", ROW}:
            found.add(lexeme)
    if not found:
        return formula
    around = "aligned" if "&" in found else "gathered"
    return [r"\begin", "{", *around, "}", *formula, r"\end", "{", *around, "}"]
