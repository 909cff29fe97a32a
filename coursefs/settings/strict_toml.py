"""Strict TOML reading: unknown keys and wrong values are errors with a line number (pure)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from coursefs.errors import UsageError

#: converts the value in the file to the value to use, or raises `UsageError` that says what was expected
Check: TypeAlias = Callable[[object], Any]


class WrongKey(Exception):
    """An error in one key of a document; `line_of` finds its line."""

    def __init__(self, key: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


def table(value: object, where: tuple[str, ...]) -> dict[str, Any]:
    """The value, which must be a table. Raises `WrongKey`."""
    if not isinstance(value, dict):
        raise WrongKey(where, f"{'.'.join(where)} is a table, not a single value")
    return value


def checked(value: object, where: tuple[str, ...], checks: Mapping[str, Check]) -> dict[str, Any]:
    """A table with only these keys, and each value checked. Raises `WrongKey`."""
    entries = table(value, where)
    result = {}
    for key, entry in entries.items():
        here = (*where, key)
        if key not in checks:
            near = difflib.get_close_matches(key, checks, n=1)
            raise WrongKey(here, f"unknown key {'.'.join(here)}" + (f" (did you mean {near[0]}?)" if near else ""))
        try:
            result[key] = checks[key](entry)
        except UsageError as error:
            raise WrongKey(here, f"{'.'.join(here)}: {error}") from None
    return result


def line_of(text: str, key: tuple[str, ...]) -> int:
    """The line, counted from 1, of the entry that defines this key.

    Each prefix of the text that ends with a whole entry is a valid document, so the entry begins after the longest such
    prefix without the key. (tomllib gives no lines; this works for every way of writing a key.)
    """
    lines = text.split("\n")  # not splitlines, which knows more line ends than TOML
    begin = 1
    for count in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # within an entry of several lines
        for part in key:
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            break
        begin = count + 1
    return begin


def syntax_error(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """The line and the reason of a tomllib error."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
    if match is None:
        return 1, str(error)
    return int(match[2]) if match[2] else text.rstrip().count("\n") + 1, match[1]
