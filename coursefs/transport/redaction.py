"""Redaction: a platform's reply without anything personal in it, of the same shape and lengths (pure).

Letters become `x` or `X`, digits `0`, other characters of a text `_`: length and kind of a value stay visible, and
nothing can be read.  Names of fields stay where coursefs knows them, or where they look like a field's name beside a
known one; other keys, which may be ids or names of people, are redacted like values.  Values of a few fields that name
a kind or a status stay as they are, where they are a single word.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from html.parser import HTMLParser
from typing import Any

#: fields whose values are words of the platform, such as "supplement" or "course_not_started"
ENUMERATIONS = frozenset(
    """__typename typeName type kind status state error_code errorCode code contentType courseType block_type
    passableItemGroupType lockStatus reason""".split()
)
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z_]{0,39}(?:\.v\d{1,2})?")
_KEPT = frozenset(" \n\t.,:;/-_@+~?&=%#()[]{}<>|'\"")
_DEPTH = 60


def redact_text(text: str) -> str:
    """A text of the same length, in which only the punctuation is left."""
    return "".join(map(_character, text))


def _character(one: str) -> str:
    if one.isdigit():
        return "0"
    if one.isalpha():
        return "X" if one.isupper() else "x"
    return one if one in _KEPT else "_"


def redact_json(value: Any, known: Collection[str] = ()) -> Any:
    """JSON of the same shape; `known` are names of fields that may be shown."""
    personal = _texts(value)

    def name(key: str, siblings: Collection[str]) -> str:
        is_field = key in known or (_FIELD.fullmatch(key) is not None and any(one in known for one in siblings))
        return key if is_field and (key in known or key.casefold() not in personal) else redact_text(key)

    def walk(one: Any, field: str, depth: int) -> Any:
        if depth > _DEPTH:
            return "too deep"
        match one:
            case dict():
                found: dict[str, Any] = {}
                for key, inner in one.items():
                    shown = name(key, one.keys())
                    field = key if shown == key else ""  # a key that is redacted is no field of the platform
                    while shown in found:  # two ids of the same length
                        shown += "_"
                    found[shown] = walk(inner, field, depth + 1)
                return found
            case list():
                return [walk(inner, field, depth + 1) for inner in one]
            case str():
                return one if field in ENUMERATIONS and _WORD.fullmatch(one) else redact_text(one)
            case bool() | None:
                return one
            case int():
                return int("1" * min(len(str(abs(one))), 18)) * (-1 if one < 0 else 1)
            case float():
                return 1.5
        return redact_text(str(one))

    return walk(value, "", 0)


def _texts(value: Any) -> frozenset[str]:
    """Every short text that is a value somewhere, case-folded: a key that equals one may be the name of a person."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as inner:
                waiting += inner.values()
            case list() as some:
                waiting += some
            case str() as text if len(text) <= 80:
                found.add(text.casefold())
    return frozenset(found)


class _Redactor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        shown = "".join(f' {_attribute(name)}="{redact_text(value or "")}"' for name, value in attrs)
        self.pieces.append(f"<{_attribute(tag)}{shown}>")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(f"</{_attribute(tag)}>")

    def handle_data(self, data: str) -> None:
        self.pieces.append(redact_text(data).replace("<", "_"))

    def handle_entityref(self, name: str) -> None:
        self.pieces.append(f"&{redact_text(name)};")

    def handle_charref(self, name: str) -> None:
        self.pieces.append(f"&#{redact_text(name)};")

    def handle_comment(self, data: str) -> None:
        self.pieces.append(f"<!--{redact_text(data).replace('-', '_')}-->")

    def handle_decl(self, decl: str) -> None:
        self.pieces.append("<!doctype html>" if decl.lower().startswith("doctype html") else "<!doctype>")


def _attribute(name: str) -> str:
    return name if re.fullmatch(r"[a-z][a-z-]{0,30}", name) else redact_text(name)


def redact_html(text: str) -> str:
    """A web page of the same elements and attributes, without its words and values."""
    parser = _Redactor()
    parser.feed(text)
    parser.close()
    return "".join(parser.pieces)
