"""Readers of fields in a platform's JSON that never fail (pure).

For a field that is missing or of another type they return an empty text, list or object, or None.  So a change of the
platform's API costs the changed field alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_IDENTIFIER = re.compile(r"[!-.0-~]{1,200}")  # printable ASCII without the slash


def rows(source: Json, name: str) -> tuple[Json, ...]:
    """The objects of a list; other values in it are left out."""
    value = source.get(name)
    return tuple(row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()


def record(source: Json, name: str) -> Json:
    """An object; an empty one when the field holds none."""
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def text(source: Json, name: str) -> str:
    """A text, stripped.  A number becomes text; a lone surrogate, which no file or URL can hold, becomes `?`."""
    return _text(source.get(name))


def identifier(source: Json, name: str) -> str:
    """An id: printable ASCII without a slash, at most 200 characters; "" when there is none."""
    return as_identifier(_text(source.get(name)))


def identifiers(source: Json, name: str) -> tuple[str, ...]:
    """The valid ids of a list, each once, in order."""
    value = source.get(name)
    found = (as_identifier(_text(entry)) for entry in value) if isinstance(value, list) else ()
    return tuple(dict.fromkeys(entry for entry in found if entry))


def integer(source: Json, name: str) -> int | None:
    """A whole number; None when the field holds none."""
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def as_identifier(value: str) -> str:
    """The value if it is a valid id, else ""."""
    return value if _IDENTIFIER.fullmatch(value) else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value)
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else ""
