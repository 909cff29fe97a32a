"""The protocol of the API (Naptime): envelope, projection, paging, and kinds of requests. Pure.

As in Coursera's open-source framework Naptime, `/api/res.v1/{id}` is a get, `?q=` a finder, `?ids=` a multi-get, and a
request without these a get-all. A kind that a resource does not support gets 405.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Element = Mapping[str, object]

DEFAULT_LIMIT = 100
_FIELD = re.compile(r"([\w.]+)(?:\(([\w.,]*)\))?(?:,|$)")


class Refusal(Exception):
    """A reply other than 200, with the body that the platform sends."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


def routing_error(what: str) -> Refusal:
    """405: the resource does not support this kind of request."""
    return Refusal(405, {"msg": f"Routing error: {what} not implemented"})


def invalid(what: str) -> Refusal:
    """400: a parameter is missing or malformed."""
    return Refusal(400, {"errorCode": "request.validation", "message": what, "details": None})


def not_found() -> Refusal:
    """404: there is no element with this id."""
    return Refusal(404, {"message": "", "statusCode": 404})


def not_authorized() -> Refusal:
    """There is no session."""
    return Refusal(403, {"errorCode": "Not Authorized", "message": None, "details": None})


def item_locked() -> Refusal:
    """The session is valid, but this item is locked."""
    return Refusal(403, {"errorCode": "auth.perms", "message": "Item is locked", "details": None})


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request."""

    parameters: Mapping[str, str]

    def required(self, name: str) -> str:
        """The value of a required parameter. Raises `Refusal` (400)."""
        value = self.parameters.get(name, "")
        if not value:
            raise invalid(f"{name} is missing")
        return value

    @property
    def includes(self) -> frozenset[str]:
        """The relations to join."""
        return frozenset(name for name in self.parameters.get("includes", "").split(",") if name)


@dataclass(frozen=True, slots=True)
class Answer:
    """Complete elements and joined elements; the envelope removes what was not requested."""

    elements: Sequence[Element]
    linked: Mapping[str, Sequence[Element]] | None = None  # by resource; None: no join was requested
    paging: Mapping[str, object] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """The kinds of requests that a resource supports, and whether they need a session."""

    get: Callable[[str, Query], Answer] | None = None
    multi_get: Callable[[frozenset[str], Query], Answer] | None = None
    get_all: Callable[[Query], Answer] | None = None
    finders: Mapping[str, Callable[[Query], Answer]] = field(default_factory=dict)
    public: bool = False
    private: frozenset[str] = frozenset()  # finders of a public resource that need a session
    bare: Callable[[str, Query], Element] | None = None  # older than the envelope: the reply is one object

    def is_public(self, query: Query) -> bool:
        """Whether this request needs no session."""
        return self.public and query.parameters.get("q") not in self.private

    def answer(self, key: str | None, query: Query) -> Answer:
        """Answer a request. Raises `Refusal`."""
        if key is not None:
            if self.get is None:
                raise routing_error("'get'")
            return self.get(key, query)
        if "q" in query.parameters:
            finder = self.finders.get(query.parameters["q"])
            if finder is None:
                raise routing_error(f"'{query.parameters['q']}'")
            return finder(query)
        if "ids" in query.parameters:
            if self.multi_get is None:
                raise routing_error("'multi-get'")
            return self.multi_get(split_ids(query.required("ids")), query)
        if self.get_all is None:
            raise routing_error("'get-all'")
        return self.get_all(query)


def envelope(
    resource: str, answer: Answer, query: Query, defaults: Mapping[str, frozenset[str]]
) -> Mapping[str, object]:
    """The reply: for each element its id, the default fields of its resource, and existing fields of `fields=`."""
    own, of_linked = parse_fields(query.parameters.get("fields", ""))

    def projected(name: str, elements: Sequence[Element], asked: frozenset[str]) -> list[Element]:
        wanted = asked | defaults.get(name, frozenset()) | {"id"}
        return [{key: value for key, value in element.items() if key in wanted} for element in elements]

    reply: dict[str, object] = {
        "elements": projected(resource, answer.elements, own),
        "paging": answer.paging,
    }
    if answer.linked is not None:
        reply["linked"] = {
            name: projected(name, elements, of_linked.get(name, frozenset()))
            for name, elements in answer.linked.items()
        }
    return reply


def parse_fields(text: str) -> tuple[frozenset[str], Mapping[str, frozenset[str]]]:
    """Parse `a,b,res.v1(c,d)` into fields of elements and of linked resources; blanks count for nothing.

    Raises `Refusal` (400).
    """
    text = "".join(text.split())
    own: set[str] = set()
    linked: dict[str, frozenset[str]] = {}
    position = 0
    while position < len(text):
        match = _FIELD.match(text, position)
        if match is None:
            raise invalid("fields cannot be read")
        name, inner = match.groups()
        if inner is None:
            own.add(name)
        else:
            linked[name] = linked.get(name, frozenset()) | frozenset(filter(None, inner.split(",")))
        position = match.end()
    return frozenset(own), linked


def page(elements: Sequence[Element], query: Query, *, largest: int = DEFAULT_LIMIT) -> Answer:
    """One page of a list: `limit` (default 100, at most `largest`) elements from `start`.

    `paging.next` is opaque: a client that computes it instead of returning it is refused. Raises `Refusal` (400).
    """
    limit = query.parameters.get("limit", str(DEFAULT_LIMIT))
    if not limit.isdecimal() or int(limit) < 1:
        raise invalid("limit is not a number of elements")
    start = _offset(query.parameters.get("start", "0"))
    end = start + min(int(limit), largest)
    paging: dict[str, object] = {"total": len(elements)}
    if end < len(elements):
        paging["next"] = base64.urlsafe_b64encode(f"from {end}".encode()).decode().rstrip("=")
    return Answer(elements[start:end], paging=paging)


def _offset(start: str) -> int:
    if start == "0":
        return 0
    try:
        word, number = base64.urlsafe_b64decode(start + "=" * (-len(start) % 4)).decode("ascii").split(" ")
        if word == "from" and number.isdecimal():
            return int(number)
    except (binascii.Error, ValueError):
        pass  # refused below, as every `start` that was not issued here
    raise invalid("start is not one of paging.next")


def split_ids(text: str) -> frozenset[str]:
    r"""The ids of a multi-get, without duplicates; a comma within an id is written `\,`."""
    return frozenset(part.replace("\\,", ",") for part in re.split(r"(?<!\\),", text) if part)


def split_compound(key: str) -> tuple[str, ...]:
    """The parts of a compound id `{a}~{b}`; a `~` inside a part is written `!~`."""
    return tuple(part.replace("!~", "~") for part in re.split(r"(?<!!)~", key))


def encode(reply: Mapping[str, object]) -> bytes:
    """The bytes of a reply."""
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def weak_etag(body: bytes) -> str:
    """The ETag of a reply: a hash of its JSON."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'


def unordered(elements: Sequence[Element]) -> list[Element]:
    """The elements in a meaningless but stable order, which no client may rely on.

    With two or more elements it is never the given order.
    """
    scattered = sorted(elements, key=lambda element: hashlib.sha256(str(element["id"]).encode()).digest())
    return scattered[::-1] if scattered == list(elements) else scattered
