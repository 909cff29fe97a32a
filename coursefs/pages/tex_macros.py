r"""Expansion of the macros that a formula defines for itself.

`\newcommand{\norm}[1]{\lVert #1 \rVert} \norm{x}` becomes `\lVert x \rVert`. Definitions count for the formula that
they are in. The work is bounded: a macro that expands to itself, or one that doubles its argument again and again, is
an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coursefs.pages.tex import Malformed, argument, is_blank, optional, require_flat, skip_blank

_DEFINING = frozenset({r"\newcommand", r"\renewcommand", r"\providecommand", r"\DeclareMathOperator"})
_ALL = _DEFINING | {r"\def", r"\let"}
#: most tokens that all expansions of a formula may put in
_MOST = 4000
#: what cannot be a macro's name: it is read before macros are expanded
_STRUCTURE = frozenset({r"\begin", r"\end", r"\left", r"\right", "\\\\", *_ALL})


@dataclass(frozen=True, slots=True)
class _Macro:
    body: tuple[str, ...]
    parameters: int = 0
    default: tuple[str, ...] | None = None  # of the first parameter, which is then optional


def expanded(formula: list[str]) -> list[str]:
    """The formula without definitions and with the bodies of its macros; raises `Malformed`."""
    if _ALL.isdisjoint(formula):
        return formula
    macros: dict[str, _Macro] = {}
    waiting = formula[::-1]  # the next token is the last: a body is pushed back to be expanded, too
    result: list[str] = []
    left = _MOST
    while waiting:
        lexeme = waiting.pop()
        if lexeme in _ALL:
            rest = waiting[::-1]
            used = _define(lexeme, rest, macros)
            del waiting[len(waiting) - used :]
        elif lexeme in macros:
            rest = waiting[: -left - 1 : -1]
            body, used = _applied(macros[lexeme], rest)
            del waiting[len(waiting) - used :]
            left -= len(body) + 1
            if left < 0:
                raise Malformed("a macro without an end")
            waiting += body[::-1]
        else:
            result.append(lexeme)
    require_flat(result)
    return result


def _define(kind: str, rest: Sequence[str], macros: dict[str, _Macro]) -> int:
    """Note the definition that `rest` begins with; returns how many tokens it takes."""
    if kind == r"\def":
        return _primitive(rest, macros)
    if kind == r"\let":
        return _alias(rest, macros)
    start = skip_blank(rest, 0)
    starred = start < len(rest) and rest[start] == "*"
    names, position = argument(rest, start + starred)
    called = _command(names)
    if kind == r"\DeclareMathOperator":
        body, position = argument(rest, position)
        macros[called] = _Macro((r"\operatorname", *("*" * starred), "{", *body, "}"))
        return position
    count, position = optional(rest, position)
    default, position = optional(rest, position)
    body, position = argument(rest, position)
    if kind == r"\providecommand" and called in macros:
        return position
    macros[called] = _macro(body, _number(count), None if default is None else tuple(default))
    return position


def _primitive(rest: Sequence[str], macros: dict[str, _Macro]) -> int:
    start = skip_blank(rest, 0)
    called = _command(rest[start : start + 1])
    position, parameters = start + 1, 0
    while position < len(rest) and rest[position] != "{":
        if is_blank(rest[position]):
            position += 1
            continue
        parameters += 1
        if list(rest[position : position + 2]) != ["#", str(parameters)]:
            raise Malformed("a macro with delimited parameters")
        position += 2
    body, position = argument(rest, position)
    macros[called] = _macro(body, parameters, None)
    return position


def _alias(rest: Sequence[str], macros: dict[str, _Macro]) -> int:
    start = skip_blank(rest, 0)
    called = _command(rest[start : start + 1])
    position = skip_blank(rest, start + 1)
    if position < len(rest) and rest[position] == "=":
        position = skip_blank(rest, position + 1)
    if position >= len(rest) or rest[position] in _ALL or rest[position] in {"{", "}"}:
        raise Malformed("nothing to be an alias of")
    macros[called] = macros.get(rest[position], _Macro((rest[position],)))
    return position + 1


def _command(names: Sequence[str]) -> str:
    name = [one for one in names if not is_blank(one)]
    if len(name) != 1 or name[0][0] != "\\" or name[0] in _STRUCTURE:
        raise Malformed("no name for a macro")
    return name[0]


def _number(count: list[str] | None) -> int:
    text = "".join(count or "0").strip()
    if len(text) != 1 or text not in "0123456789":
        raise Malformed("no number of parameters")
    return int(text)


def _macro(body: Sequence[str], parameters: int, default: tuple[str, ...] | None) -> _Macro:
    if not _ALL.isdisjoint(body):
        raise Malformed("a definition within a definition")
    for position, lexeme in enumerate(body):
        if lexeme == "#" and (position + 1 == len(body) or body[position + 1] not in "123456789"[:parameters]):
            raise Malformed("a parameter that there is not")
    return _Macro(tuple(body), parameters, default)


def _applied(macro: _Macro, rest: Sequence[str]) -> tuple[list[str], int]:
    """The body with the arguments that `rest` begins with, and how many tokens of it they are."""
    given: list[Sequence[str]] = []
    position = 0
    if macro.parameters and macro.default is not None:
        first, position = optional(rest, 0)
        given.append(macro.default if first is None else first)
    while len(given) < macro.parameters:
        one, position = argument(rest, position)
        given.append(one)
    result: list[str] = []
    parts = iter(macro.body)
    for lexeme in parts:
        if lexeme == "#":
            result += given[int(next(parts)) - 1]
        else:
            result.append(lexeme)
        if len(result) > _MOST:
            raise Malformed("a macro without an end")
    return result, position
