"""What the hostile server does wrong with statuses, redirects, codings and heads."""

from __future__ import annotations

import gzip
import json

from torture_runs import golden
from torture_runs.server import Exchange, right_answer
from torture_runs.server_table import fault, is_url, part


@fault("416", "nothing of what was asked for is there")
def _416(exchange: Exchange) -> bool:
    exchange.send("416 Range Not Satisfiable", {"Content-Range": f"bytes */{part(exchange).size}"})
    return True


@fault("416-shorter", "416 with a smaller size")
def _416_shorter(exchange: Exchange) -> bool:
    exchange.send("416 Range Not Satisfiable", {"Content-Range": f"bytes */{part(exchange).start}"})
    return True


@fault("429", "429 with a pause of a second")
def _429(exchange: Exchange) -> bool:
    exchange.send("429 Too Many Requests", {"Retry-After": "1"}, b"slow down")
    return True


@fault("429-absurd", "429 with a pause that cannot be")
def _429_absurd(exchange: Exchange) -> bool:
    after = exchange.state.random.choice(
        [
            "99999999999999999999",
            "-1",
            "1e400",
            "NaN",
            "Fri, 31 Dec 99999999999 23:59:59 GMT",
            "Sat, 01 Jan 9999 00:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 +9999",
            "soon",
            "9" * 5000,
            "",
        ]
    )
    exchange.send("429 Too Many Requests", {"Retry-After": after}, b"slow down")
    return True


@fault("5xx", "500, 502, 503 and 504")
def _5xx(exchange: Exchange) -> bool:
    status = exchange.state.random.choice(["500 Oops", "502 Bad Gateway", "503 Unavailable", "504 Timeout", "599 X"])
    exchange.send(status, {}, b"<html>error</html>")
    return True


@fault("404", "not there, for a moment")
def _404(exchange: Exchange) -> bool:
    exchange.send("404 Not Found", {}, b"gone")
    return True


@fault("403-renewed", "addresses end: 403 until a new one was asked for")
def _403(exchange: Exchange) -> bool:
    generation = int(exchange.request.target.partition("generation=")[2] or 0)
    if generation >= exchange.state.generation and exchange.state.random.random() < 0.7:
        right_answer(exchange)
        return True
    exchange.state.generation = generation + 1
    exchange.send("403 Forbidden", {}, b"expired")
    return True


@fault("redirect-loop", "redirects without an end")
def _redirect_loop(exchange: Exchange) -> bool:
    exchange.send("302 Found", {"Location": exchange.request.target + "&again"})
    return True


@fault("redirect-port", "a redirect to another port of this machine")
def _redirect_port(exchange: Exchange) -> bool:
    exchange.send("302 Found", {"Location": f"http://127.0.0.1:{exchange.state.other_port}{exchange.request.target}"})
    return True


_NO_ADDRESSES = [
    *("file:///etc/hostname", "http://[::1", "//", "http://127.0.0.1:99999/", "javascript:1", "\x01"),
    *("http://0x7f000001:1/", "http://localhost:1/x", "http://127.0.0.1:1/", "a" * 30000, "ftp://127.0.0.1/"),
]


@fault("redirect-absurd", "redirects to what is no address")
def _redirect_absurd(exchange: Exchange) -> bool:
    where = exchange.state.random.choice(_NO_ADDRESSES)
    exchange.send("301 Moved", {"Location": where})
    return True


def bomb(layers: int, size: int = 500 * 2**20) -> bytes:
    """`size` zero bytes, compressed so many times."""
    if (layers, size) not in _BOMBS:
        body = gzip.compress(bytes(2**20), 9) * (size // 2**20)
        for _ in range(layers - 1):
            body = gzip.compress(body, 9)
        _BOMBS[layers, size] = body
    return _BOMBS[layers, size]


_BOMBS: dict[tuple[int, int], bytes] = {}


@fault("bomb-file", "a body of 500 MB that is compressed to less than one")
def _bomb_file(exchange: Exchange) -> bool:
    exchange.send("200 OK", {"Content-Encoding": "gzip", "ETag": part(exchange).etag}, bomb(1))
    return True


@fault("bomb-file-double", "a body that is compressed twice: 2 GB")
def _bomb_file_double(exchange: Exchange) -> bool:
    exchange.send("200 OK", {"Content-Encoding": "gzip, gzip"}, bomb(2, 2000 * 2**20))
    return True


@fault("compressed", "a whole body that is compressed though nobody asked for it")
def _compressed(exchange: Exchange) -> bool:
    one = part(exchange)
    body = gzip.compress(golden.content(one.file, one.version, 0, one.size), 1)
    exchange.send("200 OK", {"Content-Encoding": "gzip", "ETag": one.etag}, body)
    return True


@fault("compressed-part", "a part that is compressed though nobody asked for it")
def _compressed_part(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send(one.status, one.headers | {"Content-Encoding": "gzip"}, gzip.compress(one.body, 1))
    return True


@fault("compressed-garbage", "a body that says it is compressed and is not")
def _compressed_garbage(exchange: Exchange) -> bool:
    coding = exchange.state.random.choice(
        ["gzip", "deflate", "br", "zstd", "x-nothing", "gzip,", "gzip, identity, gzip"]
    )
    exchange.send("200 OK", {"Content-Encoding": coding}, exchange.state.random.randbytes(5000))
    return True


@fault("wrong-length", "a Content-Length that cannot be")
def _wrong_length(exchange: Exchange) -> bool:
    one = part(exchange)
    length = exchange.state.random.choice(["-1", "99999999999999999999", "abc", "5, 6", "+7", "0x10", "\xb3"])
    exchange.send(one.status, one.headers, one.body, length=length)
    return False


@fault("no-validators", "neither ETag nor date nor length")
def _no_validators(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send("200 OK", {}, golden.content(one.file, one.version, 0, one.size), length=None)
    return False


@fault("chunked-garbage", "a chunked body whose chunks have no sense")
def _chunked_garbage(exchange: Exchange) -> bool:
    sizes = [
        b"ffffffffffffffff\r\nabc",
        b"5\r\nabc\r\n",
        b"-5\r\nabcde\r\n",
        b"zz\r\n",
        b"5" * 40 + b"\r\nabc",
        b"3;" + b"x" * 70000,
    ]
    exchange.send("200 OK", {"Transfer-Encoding": "chunked"}, exchange.state.random.choice(sizes), length=None)
    return False


@fault("absurd-head", "heads of any length, with any bytes")
def _absurd_head(exchange: Exchange) -> bool:
    body = exchange.state.random.choice(
        [
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30000,
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500_000,
            b"HTTP/1.1 200\r\nETag: \xff\xfe\x00\r\nContent-Length: 5000\r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"HTTP/1.1 000 \r\n\r\n",
            b"ICY 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
            b"HTTP/1.1 200 OK\nContent-Length: 3000\n\nabc",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        ]
    )
    exchange.connection.sendall(body)
    return False


@fault("split-answers", "more answers on the connection than requests")
def _split_answers(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send(one.status, one.headers, one.body)
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + b"\xee" * 4096)
    return True


@fault("whole-file", "200 with everything, whatever was asked for")
def _whole_file(exchange: Exchange) -> bool:
    one = part(exchange)
    exchange.send("200 OK", {"ETag": one.etag}, golden.content(one.file, one.version, 0, one.size))
    return True


@fault("url-types", "the address of a file is no text, or no address", is_url)
def _url_types(exchange: Exchange) -> bool:
    urls: list[object] = [5, None, ["x"], {"a": 1}, "", "file:///etc/hostname", "http://127.0.0.1:1/\r\nX: y"]
    urls += [
        "http://\ud800/",
        "http://127.0.0.1:-1/",
        "http://[/",
        "http://127.0.0.1:1/" + "a" * 70000,
        "http://\u2603./",
    ]
    answers: list[object] = [{}, [], None, "x", *({"url": url} for url in urls)]
    body = json.dumps(exchange.state.random.choice(answers)).encode()
    exchange.send("200 OK", {"Content-Type": "application/json"}, body)
    return True
