"""The benchmark's file server: parts of files, indexes, counters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.link import NEAR, Limits
from benchmarks.server import Server, parse_range, serving

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Films & more").mkdir()
    film = tmp_path / "Films & more" / "a film.mp4"
    film.write_bytes(CONTENT)
    os.utime(film, (1_700_000_000, 1_700_000_000))
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    with serving(root, NEAR) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=100-", None),
        ("bytes=20-10", None),
        ("bytes=-0", None),
        ("bytes=1-2,4-5", (0, 100)),
        ("lines=1-2", (0, 100)),
        ("bytes=-", (0, 100)),
    ],
)
def test_ranges(header: str | None, span: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == span


@given(st.text(), st.integers(0, 1000))
def test_no_range_goes_beyond_the_file(text: str, size: int) -> None:
    span = parse_range(f"bytes={text}", size)
    assert span is None or 0 <= span[0] <= span[1] <= size


def test_a_file_comes_whole_and_in_parts(client: httpx.Client) -> None:
    whole = client.get("/Films%20%26%20more/a%20film.mp4")
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, CONTENT, "bytes")
    assert whole.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    part = client.get(whole.url, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, CONTENT[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(CONTENT)}"
    assert part.headers["etag"] == whole.headers["etag"]
    head = client.head(whole.url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))
    beyond = client.get(whole.url, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_a_part_is_given_only_of_the_version_that_was_meant(client: httpx.Client) -> None:
    path = "/Films%20%26%20more/a%20film.mp4"
    etag = client.head(path).headers["etag"]
    part = {"Range": "bytes=0-9"}
    assert client.get(path, headers=part | {"If-Range": etag}).status_code == 206
    assert client.get(path, headers=part | {"If-Range": '"another"'}).status_code == 200


def test_folders_have_an_index_and_what_lies_outside_is_not_there(client: httpx.Client, root: Path) -> None:
    (root.parent / "secret").write_text("x")
    assert '<a href="Films%20%26%20more/">Films &amp; more/</a>' in client.get("/").text
    assert '<a href="a%20film.mp4">' in client.get("/Films%20%26%20more/").text
    for path in ("/nothing", "/%2e%2e/secret", "/..%2fsecret"):
        assert client.get(path).status_code == 404


def test_what_was_asked_and_sent_is_counted(client: httpx.Client, server: Server) -> None:
    for _ in range(3):
        client.get("/Films%20%26%20more/a%20film.mp4", headers={"Range": "bytes=0-99"})
    client.head("/Films%20%26%20more/a%20film.mp4")
    counters = server.counters
    assert (counters.requests, counters.connections, counters.body_bytes) == (4, 1, 300)


def test_a_limited_link_sends_the_same_bytes(root: Path) -> None:
    limits = Limits(round_trip=0.001, connection_rate=50e6, total_rate=100e6)
    with serving(root, limits) as server:
        assert httpx.get(f"{server.url}/Films%20%26%20more/a%20film.mp4", trust_env=False).content == CONTENT
