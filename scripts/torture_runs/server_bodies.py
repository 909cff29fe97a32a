"""What the hostile server does wrong with connections, lengths and parts."""

from __future__ import annotations

from torture_runs import golden
from torture_runs.server import Exchange
from torture_runs.server_table import connection_fault, fault, part


@connection_fault("reset-connect", "the connection is reset as soon as it is accepted")
def _reset_connect(exchange: Exchange) -> None:
    exchange.reset()


@connection_fault("silent-accept", "the connection is accepted and never answered")
def _silent_accept(exchange: Exchange) -> None:
    exchange.wait(30)
    exchange.reset()


@connection_fault("garbage", "what comes is not HTTP")
def _garbage(exchange: Exchange) -> None:
    exchange.connection.sendall(exchange.state.random.randbytes(2000))
    exchange.close()


@connection_fault("close-connect", "the connection is closed at once without a word")
def _close_connect(exchange: Exchange) -> None:
    exchange.close()


@fault("reset-body", "a reset in the middle of the body")
def _reset_body(exchange: Exchange) -> bool:
    one = part(exchange)
    body = one.body
    exchange.send(one.status, one.headers, body[: len(body) // 2], length=len(body))
    exchange.reset()
    return False


@fault("short-body", "the body ends before Content-Length says so")
def _short_body(exchange: Exchange) -> bool:
    one = part(exchange)
    body = one.body
    exchange.send(one.status, one.headers, body[:-1], length=len(body))
    return False


@fault("silent-body", "silence in the middle of the body")
def _silent_body(exchange: Exchange) -> bool:
    one = part(exchange)
    body = one.body
    exchange.send(one.status, one.headers, body[: len(body) // 3], length=len(body))
    exchange.wait(30)
    return False


@fault("silent-request", "the request is read and never answered")
def _silent_request(exchange: Exchange) -> bool:
    exchange.wait(30)
    return False


@fault("trickle", "one byte a second")
def _trickle(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send(one.status, one.headers, length=one.end - one.start)
    for byte in one.body:
        if exchange.wait(1):
            return False
        exchange.connection.sendall(bytes([byte]))
    return True


@fault("trickle-head", "the head comes byte by byte and has no end")
def _trickle_head(exchange: Exchange) -> bool:
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not exchange.wait(0.5):
        exchange.connection.sendall(b"a")
    return False


@fault("endless-body", "a body that goes on for ever after the file")
def _endless_body(exchange: Exchange) -> bool:
    one = part(exchange)
    headers = {name: value for name, value in one.headers.items() if name != "Content-Range"}
    exchange.send("200 OK", headers, length=None)
    exchange.connection.sendall(golden.content(one.file, one.version, 0, one.size))
    while not exchange.wait(0.01):
        exchange.connection.sendall(b"\xee" * 2**20)
    return False


@fault("long-body", "a part is followed by more than was asked for, without Content-Length")
def _long_body(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send(one.status, one.headers, one.body + b"\xee" * 4096, length=None)
    return False


@fault("empty-200", "an empty 200")
def _empty_200(exchange: Exchange) -> bool:
    exchange.send("200 OK", {"ETag": part(exchange).etag})
    return True


@fault("empty-206", "a part with nothing in it")
def _empty_206(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send("206 Partial Content", one.headers, length=0)
    return True


_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Please sign in</form></body></html>\n"


@fault("html-200", "a web page in place of the file")
def _html(exchange: Exchange) -> bool:
    exchange.send("200 OK", {"Content-Type": "text/html; charset=utf-8"}, _PAGE)
    return True


@fault("html-as-bytes", "a web page in place of the file that says it is application/octet-stream")
def _html_as_bytes(exchange: Exchange) -> bool:
    exchange.send("200 OK", {"Content-Type": "application/octet-stream"}, _PAGE)
    return True


@fault("html-206", "a web page as the part that was asked for, with the right Content-Range")
def _html_206(exchange: Exchange) -> bool:
    one = part(exchange)
    body = (_PAGE * (1 + (one.end - one.start) // len(_PAGE)))[: one.end - one.start]
    exchange.send("206 Partial Content", one.headers | {"Content-Type": "text/html"}, body)
    return True


@fault("other-range", "206 for another place than was asked for")
def _other_range(exchange: Exchange) -> bool:
    one = part(exchange)
    start = (one.start + 4096) % max(1, one.size - 1)
    end = min(one.size, start + one.end - one.start)
    headers = one.headers | {"Content-Range": f"bytes {start}-{end - 1}/{one.size}"}
    exchange.send("206 Partial Content", headers, golden.content(one.file, one.version, start, end))
    return True


@fault("other-total", "206 of a file of another size")
def _other_total(exchange: Exchange) -> bool:
    one = part(exchange)
    headers = one.headers | {"Content-Range": f"bytes {one.start}-{one.end - 1}/{one.size + 1000}"}
    exchange.send("206 Partial Content", headers, one.body)
    return True


@fault("no-range-said", "206 that does not say which part it is")
def _no_range_said(exchange: Exchange) -> bool:
    one = part(exchange)
    headers = {name: value for name, value in one.headers.items() if name != "Content-Range"}
    exchange.send("206 Partial Content", headers, one.body)
    return True


@fault("absurd-range-said", "206 with a Content-Range that cannot be")
def _absurd_range(exchange: Exchange) -> bool:
    one = part(exchange)
    said = exchange.state.random.choice(
        [
            "bytes 5-4/3",
            "bytes 0-99999999999999999999/1",
            "bytes */*",
            "bytes -1-5/10",
            "bytes ٣-٤/٥",
            "chapters 1-2/3",
            "",
        ]
    )
    exchange.send("206 Partial Content", one.headers | {"Content-Range": said}, one.body)
    return True
