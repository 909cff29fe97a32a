"""What the hostile server does wrong with the replies of an API: the list of its own course, and what the demo says."""

from __future__ import annotations

import gzip
import http.client
import json
import random
from collections.abc import Callable
from contextlib import suppress

from torture_runs import hostile_values
from torture_runs.server import Exchange, Request, tree
from torture_runs.server_table import fault, is_file, is_url

_JSON = {"Content-Type": "application/json"}
_PASSED_ON = (
    "cookie",
    "accept",
    "x-csrf3-token",
    "authorization",
    "content-type",
    "if-none-match",
    "range",
    "if-range",
)


def is_reply(request: Request) -> bool:
    """Whether it asks for something but bytes."""
    return not is_file(request) and not is_url(request)


def original(exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
    """The right answer: status, headers and body."""
    request = exchange.request
    if request.path == "/tree.json":
        return 200, dict(_JSON), json.dumps(tree()).encode()
    if not exchange.state.demo:
        return 404, {}, b""
    connection = http.client.HTTPConnection(exchange.state.demo, timeout=60)
    headers = {name: value for name, value in request.headers.items() if name in _PASSED_ON}
    connection.request(request.method, request.target, headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    dropped = ("content-length", "connection", "transfer-encoding", "content-encoding", "etag")
    kept = {name: value for name, value in reply.getheaders() if name.lower() not in dropped}
    return reply.status, kept, body


def pass_on(exchange: Exchange) -> None:
    """Answer as the demo does."""
    status, headers, body = original(exchange)
    exchange.send(f"{status} As It Is", {**headers}, body)


def _raw(name: str, says: str, make: Callable[[random.Random], tuple[str, dict[str, str | int], bytes]]) -> None:
    def answer(exchange: Exchange) -> bool:
        status, headers, body = make(exchange.state.random)
        exchange.send(status, headers, body)
        return True

    fault(name, says, is_reply)(answer)


def _mutated(name: str, says: str, change: Callable[[object, random.Random], object]) -> None:
    def answer(exchange: Exchange) -> bool:
        status, headers, body = original(exchange)
        with suppress(ValueError):
            # a sign that is no character stays as it is: json writes it as an escape
            body = json.dumps(change(json.loads(body), exchange.state.random)).encode()
        exchange.send(f"{status} As It Is", {**headers}, body)
        return True

    fault(name, says, is_reply)(answer)


_mutated(
    "json-types", "values of wrong types in replies", lambda one, source: hostile_values.changed(one, source, 0.05)
)
_mutated("json-few-types", "few values of wrong types", lambda one, source: hostile_values.changed(one, source, 0.005))
_mutated(
    "hostile-texts",
    "texts of pages that parsers choke on",
    lambda one, source: hostile_values.with_texts(one, source, 0.8),
)
_mutated(
    "hostile-names",
    "titles that shells and terminals obey",
    lambda one, source: hostile_values.with_names(one, source, 0.5),
)


def _big(body: Callable[[], bytes]) -> Callable[[random.Random], tuple[str, dict[str, str | int], bytes]]:
    return lambda _: ("200 OK", {**_JSON}, body())


_raw("json-huge", "a reply of 100 MB", _big(lambda: b'{"elements": ["' + b"x" * 100_000_000 + b'"]}'))
_raw("json-lists", "a reply of 60 MB of lists", _big(lambda: b"[" + b"[]," * 20_000_000 + b"[]]"))
_raw("json-deep", "a reply of 100,000 lists in each other", _big(lambda: b"[" * 100_000 + b"]" * 100_000))
_raw("json-deep-objects", "objects in each other", _big(lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000))
_raw(
    "json-bomb",
    "a reply of 500 MB that is compressed",
    lambda _: ("200 OK", {**_JSON, "Content-Encoding": "gzip"}, _bomb(1)),
)
_raw(
    "json-bomb-double",
    "a reply that is compressed twice",
    lambda _: ("200 OK", {**_JSON, "Content-Encoding": "gzip, gzip"}, _bomb(2)),
)
_raw("json-empty", "an empty reply", lambda _: ("200 OK", {**_JSON}, b""))
_raw("json-204", "no content", lambda _: ("204 No Content", {}, b""))
_raw("json-html", "a web page", lambda _: ("200 OK", {"Content-Type": "text/html"}, b"<!DOCTYPE html><p>Sign in</p>"))
_raw(
    "json-signed-out", "401 to everything", lambda _: ("401 Unauthorized", {**_JSON}, b'{"errorCode":"Not Authorized"}')
)
_raw("json-refused", "403 to everything", lambda _: ("403 Forbidden", {**_JSON}, b'{"errorCode":"Not Authorized"}'))
_raw("json-none-there", "404 to everything", lambda _: ("404 Not Found", {**_JSON}, b'{"errorCode":"Not found"}'))
_raw(
    "json-nothing-left",
    "lists with nothing in them",
    lambda source: ("200 OK", {**_JSON}, source.choice([b'{"elements":[],"courses":[],"files":[]}', b"{}", b"[]"])),
)
_raw(
    "json-numbers",
    "numbers that are none",
    lambda source: (
        "200 OK",
        {**_JSON},
        source.choice([b'{"elements":[1e999,-1e999]}', b"NaN", b"9" * 6000, b'{"a":1,"a":[]}']),
    ),
)
_raw(
    "json-not-utf8",
    "bytes that are no text",
    lambda source: ("200 OK", {**_JSON}, b'{"elements":[{"id":"' + source.randbytes(200).replace(b'"', b"") + b'"}]}'),
)


def _bomb(layers: int) -> bytes:
    if layers not in _BOMBS:
        body = gzip.compress(bytes(2**20), 9) * (500 if layers == 1 else 4000)
        _BOMBS[layers] = body if layers == 1 else gzip.compress(body, 9)
    return _BOMBS[layers]


_BOMBS: dict[int, bytes] = {}


@fault("json-cut", "replies that end in the middle", is_reply)
def _cut(exchange: Exchange) -> bool:
    _, headers, body = original(exchange)
    exchange.send("200 OK", {**headers}, body[: exchange.state.random.randrange(1 + len(body))])
    return True


@fault("json-endless", "replies without an end", is_reply)
def _endless(exchange: Exchange) -> bool:
    exchange.send("200 OK", {**_JSON}, b"[", length=None)
    while not exchange.wait(0.005):
        exchange.connection.sendall(b"1," * 200_000)
    return False


@fault("json-slow", "replies of which a byte comes now and then", is_reply)
def _slow(exchange: Exchange) -> bool:
    exchange.send("200 OK", {**_JSON}, b"[", length=1000)
    while not exchange.wait(0.5):
        exchange.connection.sendall(b" ")
    return False


@fault("json-silent", "requests that are never answered", is_reply)
def _silent(exchange: Exchange) -> bool:
    exchange.wait(30)
    return False
