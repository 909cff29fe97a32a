"""A media host that can be told to misbehave, and a user who has mounted what it shows: for what bytes go through."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from benchmarks.contents import TREE
from benchmarks.server import parse_range
from tests.mount.world import Platform, World

COURSE, FOLDER = "Cinema", "Films"
_STEP = 64 * 1024
_SMALL = 4 * 1024
_SHORT = 2**20
_ROOT = Path(__file__).resolve().parents[2]
_ENTRY_POINTS = "[coursefs.providers]\nbench = benchmarks.provider:PLATFORM\n"


class Manner(Enum):
    """What kind of server it is."""

    PARTS = auto()  # ranges, as asked for
    WHOLE = auto()  # knows no ranges
    ENDLESS = auto()  # nor how long its files are: HTTP/1.0, up to the end of the connection
    CHUNKED = auto()  # the same, in HTTP/1.1
    SHORT = auto()  # announces what was asked for, and hangs up after a MiB of it


@dataclass
class Film:
    """One file."""

    body: bytes
    manner: Manner = Manner.PARTS
    etag: str = '"one"'
    #: how far bodies are sent; the rest when `go_on` is set
    gate: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    #: bytes a second, for all who receive it together; None: as quick as the machine is
    rate: float | None = None
    requests: int = 0


class Cinema(ThreadingHTTPServer):
    """Serves films by name, and the list of them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, films: dict[str, Film]) -> None:
        self.films = films
        self.sent: Counter[str] = Counter()  # bytes of bodies, by film
        self.guard = threading.Lock()
        self.link = threading.Lock()  # held while bytes pass over a link with a rate
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    server: Cinema
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Say nothing."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == TREE:
            body = json.dumps({COURSE: {FOLDER: sorted(self.server.films)}}).encode()
            self._head(200, {"Content-Length": str(len(body))})
            self.wfile.write(body)
            return
        film = self.server.films[name]
        with self.server.guard:
            film.requests += 1
            body, etag = film.body, film.etag
        asked = self.headers.get("Range")
        if film.manner not in {Manner.PARTS, Manner.SHORT} or self.headers.get("If-Range", etag) != etag:
            asked = None
        span = parse_range(asked, len(body))
        assert span is not None, asked
        start, end = span
        head = {"ETag": etag, "Content-Type": "video/mp4", "Content-Length": str(end - start)}
        if film.manner in {Manner.ENDLESS, Manner.CHUNKED}:
            del head["Content-Length"]
        if film.manner is Manner.ENDLESS:
            self.close_connection = True
            head["Connection"] = "close"
        if film.manner is Manner.CHUNKED:
            head["Transfer-Encoding"] = "chunked"
        if asked is not None:
            head["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
        self._head(200 if asked is None else 206, head)
        if film.manner is Manner.SHORT and end - start > _SHORT:
            end = start + _SHORT
            self.close_connection = True
        self._send(name, film, body, start, end)

    def _send(self, name: str, film: Film, body: bytes, start: int, end: int) -> None:
        while start < end:
            until = min(start + (_STEP if film.rate is None else _SMALL), end)
            if film.rate is not None:
                with self.server.link:
                    time.sleep((until - start) / film.rate)
            if film.gate is not None and until > film.gate:
                film.go_on.wait()
            part = body[start:until]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if film.manner is Manner.CHUNKED else part)
            with self.server.guard:
                self.server.sent[name] += len(part)
            start = until
        if film.manner is Manner.CHUNKED:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()


@dataclass
class Visit:
    """A cinema, and a user who can mount it."""

    cinema: Cinema
    world: World

    def path(self, name: str) -> Path:
        """A film in the mount."""
        return self.world.path(COURSE, FOLDER, name)

    @property
    def cache(self) -> Path:
        """Where the user's cache is by default."""
        return Path(self.world.environment["XDG_CACHE_HOME"]) / "coursefs"

    def bytes_on_disk(self) -> int:
        """What the cache's data files take."""
        blocks = 0
        for path in self.cache.glob("v1/*/*"):
            with suppress(FileNotFoundError):
                blocks += path.stat().st_blocks
        return blocks * 512


@contextmanager
def visit(folder: Path, films: dict[str, Film], settings: str = "") -> Iterator[Visit]:
    """A cinema that shows these films, as long as the context lasts; not mounted yet."""
    site = folder / "site" / "coursefs_bench-1.dist-info"
    site.mkdir(parents=True)
    (site / "entry_points.txt").write_text(_ENTRY_POINTS)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: coursefs-bench\nVersion: 1\n")
    mountpoint = folder / "courses"
    mountpoint.mkdir()
    search = [str(site.parent), str(_ROOT / "scripts")]
    with Cinema(films) as cinema:
        thread = threading.Thread(target=cinema.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search)}
        config = Path(environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
        config.parent.mkdir(mode=0o700, exist_ok=True)
        config.write_text(f'[accounts.bench]\nprovider = "bench"\nbase_url = "{cinema.url}"\n{settings}')
        # no user signs in to it, so there is no platform
        there = Visit(cinema, World(mountpoint, cast(Platform, None), environment))
        try:
            yield there
        finally:
            for film in films.values():
                film.go_on.set()
            there.world.tidy()
            cinema.shutdown()
            thread.join()
