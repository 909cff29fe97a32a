"""A mount that rclone passes on: WebDAV and plain HTTP with reads of ranges, and DLNA for televisions."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urljoin

import httpx
import pytest

from benchmarks.tools import rclone as packaged_rclone
from tests.foreign.test_programs import needs
from tests.mount.house import (
    AWKWARD,
    FILM,
    JUMP,
    LONG,
    digest_of,
    fetched,
    film_house,
    house,
    is_of_platform,
    known_of,
    restart,
    server,
)
from tests.mount.ports import answers, free_port
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import LIMIT, World, program

__all__ = ["needs"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

_DAV = "{DAV:}"


@pytest.fixture(scope="module")
def rclone() -> str:
    """The program of Debian, else that of PyPI."""
    packaged = packaged_rclone()
    found = shutil.which("rclone") or (str(packaged) if packaged.exists() else None)
    if found is None:
        pytest.skip("rclone is not installed")
    return found


@contextmanager
def served(rclone: str, kind: str, world: World, *options: str) -> Iterator[httpx.Client]:
    """What rclone serves of a mount, as docs/lab.md starts it, and a client of it."""
    port = free_port()
    log = world.mountpoint.with_name("rclone.log")
    place = ["--addr", f"127.0.0.1:{port}"]
    command: list[str | Path] = [rclone, "serve", kind, world.mountpoint, *place, *OPTIONS, *options]
    with (
        server(command, log, lambda: answers(port), environment={**world.environment, "RCLONE_CONFIG": ""}),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT, trust_env=False) as client,
    ):
        yield client


#: a new listing is seen soon: rclone would keep an old one for five minutes
OPTIONS = ("--read-only", "--dir-cache-time", "10s")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a WebDAV server says of a path."""

    is_directory: bool
    size: int
    seconds: int


def walk(client: httpx.Client, folder: str = "/") -> Iterator[tuple[str, Shown]]:
    """Everything below a folder of a WebDAV server, by its path."""
    reply = client.request("PROPFIND", quote(folder), headers={"Depth": "1"})
    assert reply.status_code == 207
    for response in ET.fromstring(reply.content).iter(f"{_DAV}response"):
        path = unquote(response.findtext(f"{_DAV}href", ""))
        if path.rstrip("/") == folder.rstrip("/"):
            continue
        is_directory = response.find(f".//{_DAV}collection") is not None
        size = 0 if is_directory else int(response.findtext(f".//{_DAV}getcontentlength", ""))
        when = parsedate_to_datetime(response.findtext(f".//{_DAV}getlastmodified", ""))
        yield path.strip("/"), Shown(is_directory, size, int(when.timestamp()))
        if is_directory:
            yield from walk(client, path)


def part(client: httpx.Client, path: str, offset: int, size: int) -> bytes:
    """Some bytes of a file."""
    reply = client.get(quote(f"/{path}"), headers={"Range": f"bytes={offset}-{offset + size - 1}"})
    assert reply.status_code == 206, reply.text
    return reply.content


def test_webdav_shows_every_name_size_time_and_byte(rclone: str) -> None:
    with house() as world:
        expected = known_of(world.mountpoint)
        with served(rclone, "webdav", world) as client:
            shown = {path: one for path, one in walk(client) if is_of_platform(path)}
            assert set(shown) == set(expected)
            assert sum(AWKWARD in path for path in shown) == 6
            for path, one in shown.items():
                known = expected[path]
                assert (one.is_directory, one.size, one.seconds) == (known.is_directory, known.size, known.seconds)
                if not one.is_directory:
                    assert digest_of(client.get(quote(f"/{path}")).content) == known.digest, path


@pytest.mark.parametrize("kind", ["webdav", "http"])
def test_what_was_read_over_it_is_not_fetched_again(rclone: str, kind: str) -> None:
    with house() as world, served(rclone, kind, world) as client:
        data = world.path(VIDEO).read_bytes()
        world.platform.forget()
        for _ in range(2):
            assert part(client, VIDEO, 1000, 5000) == data[1000:6000]
            assert client.get(quote(f"/{VIDEO}")).content == data
        assert fetched(world) == 0


@pytest.mark.parametrize("kind", ["webdav", "http"])
def test_a_jump_fetches_what_is_read_there(rclone: str, kind: str) -> None:
    with film_house() as there, served(rclone, kind, there.world) as client:
        path = str(there.path(FILM).relative_to(there.world.mountpoint))
        for place in (len(LONG) - 100_000, len(LONG) // 2):
            assert part(client, path, place, 65536) == LONG[place : place + 65536]
            assert there.cinema.sent[FILM] < JUMP
        assert client.get(quote(f"/{path}")).content == LONG
        assert there.cinema.sent[FILM] <= len(LONG) + JUMP


def test_a_course_page_is_opened_by_a_browser_elsewhere(rclone: str) -> None:
    with house() as world, served(rclone, "http", world) as client:
        page = client.get(quote(f"/{GRAPHICS}/index.html"))
        assert page.headers["Content-Type"].startswith("text/html")
        scripts = re.findall(r'<script[^>]* src="([^"]+)"', page.text)
        assert scripts
        for script in scripts:
            assert client.get(urljoin(str(page.url), unescape(script))).status_code == 200


def test_nothing_can_be_written_through_it(rclone: str) -> None:
    with house() as world, served(rclone, "webdav", world) as client:
        before = known_of(world.mountpoint)
        for method, path in (("PUT", "/new"), ("DELETE", f"/{VIDEO}"), ("MKCOL", "/folder")):
            assert client.request(method, quote(path)).status_code >= 400, method
        assert known_of(world.mountpoint) == before


def test_after_a_restart_of_the_mount_it_goes_on(rclone: str) -> None:
    with house() as world, served(rclone, "webdav", world) as client:
        before = part(client, VIDEO, 0, 5000)
        restart(world)
        assert part(client, VIDEO, 0, 5000) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network of its own")
def test_a_television_finds_the_server_and_plays_a_film(rclone: str) -> None:
    with house("-o", "allow_other") as world:
        command = ["unshare", "--net", sys.executable, "-m", "tests.foreign.television", VIDEO]
        said = program(*command, rclone, "serve", "dlna", world.mountpoint, "--name", "Courses", *OPTIONS)
        seen = json.loads(said.splitlines()[-1])
        data = world.path(VIDEO).read_bytes()
        assert seen["server"] == "Courses"
        assert [data[start : start + 1000].hex() for start in (len(data) - 5000, 1000)] == seen["parts"]
        assert sum(AWKWARD in title for title in seen["titles"]) == 1  # the film alone of six files
