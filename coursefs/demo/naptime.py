"""The protocol of the API: one envelope, projection, paging, and which kind of request a URL is.  Pure.

As in the platform's own open framework: `/api/res.v1/{id}` is a get, `?q=` a finder, `?ids=` a multi-get and nothing
of these a get-all.  What a resource does not have is answered 405.
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
    """An answer other than 200, with its body as the platform writes it."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


def routing_error(what: str) -> Refusal:
    """The resource is there, but cannot be asked in this way."""
    return Refusal(405, {"msg": f"Routing error: {what} not implemented"})


def invalid(what: str) -> Refusal:
    """A parameter is missing or cannot be read."""
    return Refusal(400, {"errorCode": "request.validation", "message": what, "details": None})


def not_found() -> Refusal:
    """There is nothing of this id."""
    return Refusal(404, {"message": "", "statusCode": 404})


def not_authorized() -> Refusal:
    """There is no session."""
    return Refusal(403, {"errorCode": "Not Authorized", "message": None, "details": None})


def item_locked() -> Refusal:
    """The session is fine, this item is locked."""
    return Refusal(403, {"errorCode": "auth.perms", "message": "Item is locked", "details": None})


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a request."""

    parameters: Mapping[str, str]

    def required(self, name: str) -> str:
        """A parameter that must be there; else 400."""
        value = self.parameters.get(name, "")
        if not value:
            raise invalid(f"{name} is missing")
        return value

    @property
    def includes(self) -> frozenset[str]:
        """The relations to be joined."""
        return frozenset(name for name in self.parameters.get("includes", "").split(",") if name)


@dataclass(frozen=True, slots=True)
class Answer:
    """Elements and what is joined to them, complete: the envelope leaves out what was not asked for."""

    elements: Sequence[Element]
    linked: Mapping[str, Sequence[Element]] | None = None  # by resource; None: nothing was to be joined
    paging: Mapping[str, object] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a resource can be asked, and whether that needs a session."""

    get: Callable[[str, Query], Answer] | None = None
    multi_get: Callable[[frozenset[str], Query], Answer] | None = None
    get_all: Callable[[Query], Answer] | None = None
    finders: Mapping[str, Callable[[Query], Answer]] = field(default_factory=dict)
    public: bool = False
    private: frozenset[str] = frozenset()  # the finders of a public resource that need a session all the same
    bare: Callable[[str, Query], Element] | None = None  # older than the envelope: everything below one name

    def is_public(self, query: Query) -> bool:
        """Whether this can be asked without a session."""
        return self.public and query.parameters.get("q") not in self.private

    def answer(self, key: str | None, query: Query) -> Answer:
        """Ask it.  Raises `Refusal`."""
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
    """The reply: of every element its id, its resource's default fields and what `fields=` names, if there is such."""
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
    """`a,b,res.v1(c,d)` as the fields of the elements and those of linked resources.  Raises `Refusal` (400)."""
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
    """One page of a list: `limit` (default 100, never more than `largest`) elements from `start`.

    `paging.next` is opaque: whoever counts instead of handing it back is refused.  Raises `Refusal` (400).
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
        pass  # refused below, as every start that is no answer of ours
    raise invalid("start is not one of paging.next")


def split_ids(text: str) -> frozenset[str]:
    """The ids of a multi-get, a set; a comma inside an id is written `\\,`."""
    return frozenset(part.replace("\\,", ",") for part in re.split(r"(?<!\\),", text) if part)


def split_compound(key: str) -> tuple[str, ...]:
    """The parts of a compound id `{a}~{b}`; a `~` inside a part is written `!~`."""
    return tuple(part.replace("!~", "~") for part in re.split(r"(?<!!)~", key))


def encode(reply: Mapping[str, object]) -> bytes:
    """A reply as it goes over the wire."""
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def weak_etag(body: bytes) -> str:
    """The ETag of a reply: a hash over its JSON."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'


def unordered(elements: Sequence[Element]) -> list[Element]:
    """The elements in an order that means nothing, but is always the same: nobody may rely on any.

    It never is the given order, where there are two or more.
    """
    scattered = sorted(elements, key=lambda element: hashlib.sha256(str(element["id"]).encode()).digest())
    return scattered[::-1] if scattered == list(elements) else scattered
