r"""Writes the opening brackets of a formula that has many of them as text (pure).

The converter looks for the end of each opening bracket and begins again when there is none, so its time doubles with
each that is not closed: `((((…` would take for ever. A bracket in a text looks the same, and nothing waits for its end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from coursefs.pages.tex import Malformed, is_blank

#: most opening brackets that the converter gets as they are; what it does at worst for 4,000 characters of formulas
#: takes some tens of milliseconds then
_MOST = 8
#: commands that bring an opening bracket along, and how many of them a formula may have
_BRINGING = frozenset({r"\pmod", r"\pod", r"\bra", r"\ket", r"\Bra", r"\Ket", r"\braket", r"\Braket", r"\set", r"\Set"})
_MOST_BROUGHT = 4
_TAKING = re.compile(r"\\([bB]igg?[mr]?|left|right|middle)")  # the next bracket belongs to it
_BIG = re.compile(r"\\[bB]igg?l")
_BARS = {r"\lvert": "|", r"\lVert": "‖"}
_CORNERS = frozenset("⌜⌞⎰")  # which Unicode does not call brackets


def harmless(formula: Sequence[str], symbols_of: Callable[[str], str]) -> list[str]:
    """The formula, with its opening brackets as text if they are many.

    `symbols_of`: what a command shows by itself. Raises `Malformed` where that is not possible.
    """
    brackets = [_bracket(lexeme, symbols_of) for lexeme in formula]
    brought = sum(lexeme in _BRINGING for lexeme in formula)
    if brought > _MOST_BROUGHT:
        raise Malformed("too many brackets")
    if brought + sum(bracket is not None for bracket in brackets) <= _MOST:
        return list(formula)
    result: list[str] = []
    taken = False  # the next bracket, by the command before it
    for lexeme, bracket in zip(formula, brackets, strict=True):
        if taken or bracket is None:
            result.append(lexeme)
        elif bracket:
            result += ("{", r"\text", "{", bracket, "}", "}")
        else:
            result.append(lexeme.removesuffix("l"))
        if not is_blank(lexeme):
            taken = _TAKING.fullmatch(lexeme) is not None or bracket == ""
    return result


def _bracket(lexeme: str, symbols_of: Callable[[str], str]) -> str | None:
    r"""How a text has the bracket; "" for a command that makes the next one such (`\bigl`); None for others."""
    if _BIG.fullmatch(lexeme):
        return ""
    if lexeme in _BARS:
        return _BARS[lexeme]
    symbol = symbols_of(lexeme) if len(lexeme) > 1 and lexeme[0] == "\\" else lexeme
    if lexeme == "{" or not _opens(symbol):
        return None
    return r"\{" if symbol == "{" else symbol


def _opens(symbol: str) -> bool:
    return len(symbol) == 1 and (unicodedata.category(symbol) == "Ps" or symbol in _CORNERS)
