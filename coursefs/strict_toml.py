"""Reading TOML strictly: every key known, every value checked, every complaint with its line (pure)."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from coursefs.errors import UsageError

#: gives the value to use in place of the one in the file, or raises `UsageError` with what was expected
Check: TypeAlias = Callable[[object], Any]


class WrongKey(Exception):
    """What is wrong with one key of a document; `line_of` says where it is."""

    def __init__(self, key: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


def table(value: object, where: tuple[str, ...]) -> dict[str, Any]:
    """The value, which must be a table.  Raises `WrongKey`."""
    if not isinstance(value, dict):
        raise WrongKey(where, f"{'.'.join(where)} is a table, not a single value")
    return value


def checked(value: object, where: tuple[str, ...], checks: Mapping[str, Check]) -> dict[str, Any]:
    """A table that may have these keys and no others, each value checked.  Raises `WrongKey`."""
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
    """The line, counted from 1, on which the entry begins that brings this key into the document.

    A prefix of the text that ends with a whole entry is a document of its own; so the entry begins after the last
    such prefix without the key.  (tomllib tells no lines; this is right for every way of writing a key.)
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
    """Line and reason of what tomllib says of a broken document."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
    if match is None:
        return 1, str(error)
    return int(match[2]) if match[2] else text.rstrip().count("\n") + 1, match[1]
