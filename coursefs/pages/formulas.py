r"""Formulas in the text of readings: TeX between delimiters becomes MathML, which browsers show without scripts.

Coursera's delimiters are `$$…$$` and `$…$` within a line and `\[…\]` on a line of its own; elements with formulas
have `hasMath="true"`. Only `$$` is recognized without that, because a single `$` is often a price.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

_LENGTH = 4000  # characters; longer formulas stay as they are
_ALWAYS = re.compile(rf"(?<!\\)\$\$(?P<double>(?:\\\$|[^$]){{1,{_LENGTH}}}?)\$\$")
_FLAGGED = re.compile(
    _ALWAYS.pattern
    + r"|(?P<opening>\\\[|\\\()"
    + rf"|(?<![\\$])\$(?![\s$])(?P<single>(?:\\\$|[^$\n]){{1,{_LENGTH}}}?)(?<![\s\\])\$(?![\d$])"
)
_CLOSING = {r"\[": r"\]", r"\(": r"\)"}


class Formula(NamedTuple):
    """A formula in a text: its position with delimiters, and the source between them."""

    start: int
    end: int
    opening: str
    source: str


def delimited(text: str, pattern: re.Pattern[str], closing: Mapping[str, str]) -> Iterator[Formula]:
    """The formulas of a text, in linear time.

    A match of `pattern` is a whole formula, or its group `opening` is a delimiter that ends with `closing[delimiter]`.
    The end is searched for here: a regular expression would search to the end of the text again for each unclosed
    delimiter.
    """
    position = 0
    ends: dict[str, int] = {}  # closing delimiter -> its next position, or len(text)
    while (match := pattern.search(text, position)) is not None:
        opening = match["opening"]
        if opening is None:
            source = next(group for group in match.groups() if group is not None)
            yield Formula(match.start(), match.end(), "$", source)
            position = match.end()
            continue
        begin, delimiter = match.end(), closing[opening]
        end = ends.get(delimiter, -1)
        if end <= begin:
            end = text.find(delimiter, begin + 1)
            ends[delimiter] = end = len(text) if end < 0 else end
        position = begin
        if end < len(text) and end - begin <= _LENGTH:
            position = end + len(delimiter)
            yield Formula(match.start(), position, opening, text[begin:end])


def formulas(text: str, *, flagged: bool) -> Iterator[Formula]:
    """The formulas of a plain text; `flagged`: the platform says that it contains some."""
    if flagged:
        yield from delimited(text, _FLAGGED, _CLOSING)
        return
    for match in _ALWAYS.finditer(text):
        yield Formula(match.start(), match.end(), "$", match[1])


def with_formulas(text: str, *, flagged: bool) -> str:
    """The HTML of a plain text: formulas as MathML, all else escaped. `flagged` as for `formulas`."""
    pieces: list[str] = []
    position = 0
    for formula in formulas(text, flagged=flagged):
        written = text[formula.start : formula.end]
        pieces += (escape(text[position : formula.start], quote=False), _html(formula, written))
        position = formula.end
    return "".join((*pieces, escape(text[position:], quote=False)))


def _html(formula: Formula, written: str) -> str:
    from coursefs.pages.mathml import mathml  # late: most mounts render no formula, and do without the library's 2 MB

    shown = mathml(formula.source.strip(), display=formula.opening == r"\[")
    return f'<code class="math">{escape(written, quote=False)}</code>' if shown is None else shown
