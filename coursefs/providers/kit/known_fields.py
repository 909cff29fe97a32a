"""Known fields: the list of the fields in a platform's replies, and the search for new ones in a reply.

Each provider has a list, `known_fields.txt`: a line for each name, with the types of its recorded values.
`scripts/make-known-fields` writes it from recorded replies.  A new name, or a value of another type, is no error: the
parsers ignore it.  It is collected for `coursefs report`, because it may be a new kind of content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from coursefs.errors import BadReply
from coursefs.transport import Reply, Surprises, parse_json

KnownFields = Mapping[str, frozenset[str]]

#: the most bytes and values of a reply that is examined, more than twice those of the largest recorded one: another one
#: would be parsed twice, and hold up the event loop for as long
_MOST_BYTES, _MOST_VALUES = 2**20, 50_000
#: how many surprises of one reply are noted
_MOST = 10
#: a key of a map by id, language or date, not the name of a field
_ID = re.compile(
    r".*[^A-Za-z0-9_.-].*|.*\d{3}.*|[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*|.{41,}|\d.*|[A-Za-z0-9_-]{20,}"
    r"|(?=(?:[^A-Z]*[A-Z]){2})[A-Za-z0-9]{5}"  # Coursera's items and modules: DAaFw
)


@cache
def known_fields(provider: str) -> KnownFields:
    """The list of a provider; an empty one when the provider has none."""
    try:
        lines = (files("coursefs.providers") / provider / "known_fields.txt").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, ModuleNotFoundError, NotADirectoryError):
        return {}
    pairs = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {name: frozenset(types.split()) for name, types in pairs}


def unknown(content: Any, known: KnownFields) -> list[str]:
    """A line for each name in a reply that is not listed, and for each value of another type (pure)."""
    found: dict[str, None] = {}
    for name, value in fields(content):
        if len(found) >= _MOST:
            break
        kind = type_of(value)
        if name not in known:
            found.setdefault(f"the field {name} ({kind}) is not known")
        elif kind not in known[name] and kind != "null" and "any" not in known[name]:
            found.setdefault(f"the field {name} is {kind}, not {' or '.join(sorted(known[name] - {'null'}))}")
    return list(found)


def fields(content: Any) -> Iterator[tuple[str, Any]]:
    """Every field of a reply with its value.  The keys of maps by id are not fields."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            is_map = sum(_ID.fullmatch(key) is not None for key in one) * 2 > len(one)
            for key, value in one.items():
                if not is_map and _ID.fullmatch(key) is None:
                    yield key, value
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def type_of(value: Any) -> str:
    """The type of a JSON value, as the lists name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "object"


#: statuses that the providers handle: of the sign-in, of one thing, of too many requests
_FORESEEN = frozenset({200, 204, 304, 401, 403, 404, 429})


def look(surprises: Surprises, provider: str, route: str, reply: Reply) -> None:
    """Note what is new in a reply: its status, its media type, names and types of its fields.

    `route` is coursefs's name of the request.  Only the first replies of each route are examined.
    """
    if not surprises.wants(provider, route):
        return
    known = known_fields(provider)
    try:
        if len(reply.body) > _MOST_BYTES:
            raise BadReply("the reply is larger than any known one")
        content = parse_json(reply.body, most_values=_MOST_VALUES)
    except BadReply as error:
        content, told = None, [str(error)]
    else:
        told = unknown(content, known) if known else []
    if reply.status not in _FORESEEN:
        told = [f"the status {reply.status}"]
    elif reply.status == 200 and content is None and not told:
        told = ["a web page in place of JSON" if reply.body.lstrip()[:1] == b"<" else "no JSON"]
    for what in told:
        surprises.note(
            provider,
            route,
            what,
            status=reply.status,
            content_type=reply.headers.get("content-type", ""),
            body=reply.body,
            content=content,
            known=known.keys(),
        )
