r"""The tokens of a TeX formula, and its groups.

A token (its text is a lexeme) is a control sequence (`\alpha`, `\,`), a run of white space, or one character. The
tokens of a source, joined, are the source again. A formula with an unescaped `%` has none: what follows the sign is a
comment for TeX, and in a text whose line ends were changed that would be the rest of the formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\s+|.", re.DOTALL)
#: Deepest nesting of groups, environments and `\left`, and most commands with no character between them: each may be a
#: level of recursion for the library that converts them, and no exception guards its stack. So much, in a formula of
#: 4,000 characters, fits into 2 MiB of stack; a process has 8. The Greek alphabets together have 40 commands in a row.
_DEPTH = 60
_NO_CHARACTER = frozenset("{}[]^_*")
_OPENING = frozenset({"{", r"\begin", r"\left"})
_CLOSING = frozenset({"}", r"\end", r"\right"})


class Malformed(ValueError):
    """A formula that has no meaning in TeX, or one that is not worth finding out."""


def tokens(source: str) -> list[str]:
    """The tokens of a formula; raises `Malformed` for a comment or for too deep a nesting."""
    found = _TOKEN.findall(source)
    if "%" in found:
        raise Malformed("a comment")
    require_flat(found)
    return found


def require_flat(formula: Sequence[str]) -> None:
    """Raise `Malformed` if groups are unbalanced or nested too deep, or too many commands follow each other."""
    depth = run = 0
    for lexeme in formula:
        depth += (lexeme in _OPENING) - (lexeme in _CLOSING)
        if len(lexeme) > 1 and lexeme[0] == "\\":
            run += 1
        elif lexeme not in _NO_CHARACTER and not is_blank(lexeme):
            run = 0
        if not 0 <= depth <= _DEPTH or run > _DEPTH:
            raise Malformed("nested too deep")
    if depth:
        raise Malformed("unbalanced")


def source_of(formula: Sequence[str]) -> str:
    """The source of tokens; a space is put where a letter would else become a part of the control word before it."""
    pieces: list[str] = []
    word = False
    for lexeme in formula:
        if word and lexeme[:1].isalpha():
            pieces.append(" ")
        pieces.append(lexeme)
        word = lexeme[0] == "\\" and lexeme[1:].isalpha() if lexeme else word
    return "".join(pieces)


def is_blank(lexeme: str) -> bool:
    """Whether a token is white space."""
    return not lexeme or lexeme.isspace()


def skip_blank(formula: Sequence[str], start: int) -> int:
    """The position of the first token from `start` that is not white space."""
    while start < len(formula) and is_blank(formula[start]):
        start += 1
    return start


def argument(formula: Sequence[str], start: int) -> tuple[list[str], int]:
    """The next argument from `start`, without its braces, and the position after it; a single token is one, too."""
    start = skip_blank(formula, start)
    if start >= len(formula) or formula[start] == "}":
        raise Malformed("an argument is missing")
    if formula[start] != "{":
        return [formula[start]], start + 1
    end = _end(formula, start, "{", "}")
    return list(formula[start + 1 : end]), end + 1


def optional(formula: Sequence[str], start: int) -> tuple[list[str] | None, int]:
    """The optional argument in brackets that begins at `start`, and the position after it; None where there is none."""
    begin = skip_blank(formula, start)
    if begin >= len(formula) or formula[begin] != "[":
        return None, start
    end = _end(formula, begin, "[", "]")
    return list(formula[begin + 1 : end]), end + 1


def name(formula: Sequence[str], start: int) -> tuple[str, int]:
    """The next argument as text: the name of an environment, a colour."""
    content, end = argument(formula, start)
    return "".join(content).strip(), end


def _end(formula: Sequence[str], start: int, opening: str, closing: str) -> int:
    depth = braces = 0
    for position in range(start, len(formula)):
        lexeme = formula[position]
        if opening != "{":
            braces += (lexeme == "{") - (lexeme == "}")
            if braces < 0:
                break
            if braces:
                continue
        depth += (lexeme == opening) - (lexeme == closing)
        if not depth:
            return position
    raise Malformed(f"{opening} is never closed")


def split_on(formula: Sequence[str], separators: frozenset[str]) -> Iterator[list[str]]:
    """The parts of a formula between separators."""
    part: list[str] = []
    for lexeme in formula:
        if lexeme in separators:
            yield part
            part = []
        else:
            part.append(lexeme)
    yield part
