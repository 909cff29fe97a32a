"""The status of a mount, in lines for a person and as metrics."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import trio
import trio.testing

from coursefs.cli import output
from coursefs.cli.status import of_others
from coursefs.cli.status_text import View, counted, lines_of, span
from coursefs.daemon import metrics, metrics_server

NOW = 1_700_000_000.0
STATUS: dict[str, Any] = {
    "mountpoint": "/home/me/courses",
    "pid": 42,
    "version": '1 "β"\\',
    "demo": False,
    "since": NOW - 7500,
    "ready": True,
    "offline": False,
    "open_files": 1,
    "accounts": [
        {
            "routes": [{"name": "files (assets.v1)", "trouble": None}],
            "name": "campus",
            "provider": "panopto",
            "server": None,
            "courses": 3,
            "signed_in": True,
            "expires": NOW + 7200,
            "trouble": None,
        }
    ],
    "catalogue": {"entries": 10, "bytes": 2048},
    "fill": {"state": "filling", "done": 3, "total": 9},
    "cache": {"directory": "/c", "bytes": 1024, "files": 1, "max_size": 4096},
    "reads": {"answered": 5, "bytes": 640, "failed": 1},
    "network": {"received": 4096, "rate": 1536.5},
    "reading": [{"path": "A/1.mp4", "offset": 50, "size": 100, "cached": 75}],
    "fetching": [
        {
            "account": "campus",
            "content": "x",
            "path": None,
            "start": 0,
            "received": 1024,
            "end": 2048,
            "size": 4096,
            "priority": "ahead",
        }
    ],
    "transfers": [
        {
            "command": "fetch",
            "is_looking": True,
            "files": 4,
            "done": 1,
            "failed": 1,
            "bytes": 4096,
            "received": 1024,
        }
    ],
    "queue": {"read": 0, "ahead": 2, "background": 1},
    "hosts": [
        {
            "host": "h.org",
            "requests": 9,
            "failures": 0,
            "limited": 2,
            "waiting": 1,
            "paused_until": NOW + 30,
            "received": 1,
        }
    ],
    "errors": [{"at": NOW - 60, "path": "A/2.mp4", "message": "no\x1b[2J answer", "count": 2}],
}


def test_lines_for_a_person() -> None:
    assert lines_of([STATUS], View(NOW)) == [
        "/home/me/courses: up for 2 h 5 min, process 42",
        f"  campus: 3 courses, signed in until {output.day(NOW + 7200)} (2 h 0 min left)",
        "  catalogue: 10 entries, 2.0 KiB",
        "  cache: 1.0 KiB of 4.0 KiB in /c",
        "  indexing in the background: 3 of 9 folders",
        "  network: 1.5 KiB/s, 4.0 KiB since the start",
        "  reading:",
        "    A/1.mp4: at 50%, 75% of 100 bytes cached",
        "  commands:",
        "    fetch: 1 of 4 files so far, 1 failed, 1.0 KiB of 4.0 KiB",
        "  fetching:",
        "    x: 1.0 KiB of 2.0 KiB (prefetch)",
        "  queued: 2 prefetches, 1 download",
        "  h.org: 1 request waiting, asked for a pause, 30 s left, limited the rate 2 times",
        "  recent errors:",
        "    1 min ago (2 times), A/2.mp4: no\ufffd[2J answer",
    ]


def test_long_lists_are_cut_and_ended_sign_ins_are_said() -> None:
    status = copy.deepcopy(STATUS)
    status["reading"] *= 20
    status["accounts"][0] |= {"signed_in": False, "trouble": "campus: sign in again"}
    lines = lines_of([status], View(NOW))
    assert sum("A/1.mp4" in line for line in lines) == 8
    assert "    and 12 more" in lines
    assert "  campus: 3 courses, not signed in; sign in again" in lines


def test_what_was_fetched_ahead_is_said_where_there_is_any() -> None:
    status = copy.deepcopy(STATUS)
    status["fetched_ahead"] = {"lecture": None, "files": 0, "bytes": 0}
    assert lines_of([status], View(NOW)) == lines_of([STATUS], View(NOW))
    status["fetched_ahead"] = {"lecture": "A/2\x1b.mp4", "files": 3, "bytes": 2**24}
    line = "  fetched ahead: 3 files, 16.0 MiB; the last one for A/2\N{REPLACEMENT CHARACTER}.mp4"
    assert line in lines_of([status], View(NOW))
    status["fetched_ahead"]["lecture"] = None
    assert "  fetched ahead: 3 files, 16.0 MiB; the last one for a lecture" in lines_of([status], View(NOW))


def test_pauses_of_indexing_are_said_and_removed_routes_only_to_developers() -> None:
    status = copy.deepcopy(STATUS)
    status["fill"]["paused"] = True
    status["accounts"][0]["routes"] = [{"name": "files (assets.v1)", "trouble": "404"}]
    said = lines_of([status], View(NOW))
    assert "  indexing in the background: 3 of 9 folders (paused while you read)" in said
    assert not any("removed" in line for line in said)
    status["fill"] |= {"state": "waiting", "paused": False}
    said = lines_of([status], View(NOW, verbose=True))
    assert "  indexing in the background: 3 of 9 folders (tries again later)" in said
    assert "    routes that the platform has removed: files (assets.v1)" in said


@pytest.mark.parametrize("width", [50, 80, 200])
def test_names_are_shortened_in_the_middle_and_numbers_stay(width: int) -> None:
    status = copy.deepcopy(STATUS)
    path = "A course with a long title/01 Week/02 Lesson/" + "x" * 60 + " 03.mp4"
    status["reading"][0]["path"] = status["fetching"][0]["path"] = path
    lines = lines_of([status], View(NOW, width))
    reading, fetching = (lines[lines.index(title) + 1] for title in ("  reading:", "  fetching:"))
    assert len(reading) <= width and len(fetching) <= width
    assert reading.startswith("    A cou") and reading.endswith("3.mp4: at 50%, 75% of 100 bytes cached")
    assert fetching.startswith("    A cou") and fetching.endswith("3.mp4: 1.0 KiB of 2.0 KiB (prefetch)")
    assert (path in reading) == (width == 200)


def test_one_is_not_many() -> None:
    assert [counted(count, "course") for count in (0, 1, 2)] == ["0 courses", "1 course", "2 courses"]


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "0 s"), (61, "1 min"), (3600, "1 h 0 min"), (200_000, "2 days")])
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_metrics_are_in_the_format_of_prometheus() -> None:
    text = metrics.text(STATUS)
    sample = re.compile(r'(coursefs_[a-z_]+)(\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?[0-9.e+]+')
    typed: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("# HELP "):
            found = sample.fullmatch(line)
            assert found, line
            assert (typed[found[1]] == "counter") == found[1].endswith("_total")
    assert 'coursefs_info{version="1 \\"β\\"\\\\"} 1.0\n' in text
    assert 'coursefs_fetches{priority="ahead",state="running"} 1.0\n' in text
    assert 'coursefs_fetches{priority="ahead",state="waiting"} 2.0\n' in text
    assert "coursefs_account_signed_in{" in text
    assert text.endswith("\n")


def test_what_is_not_known_is_left_out() -> None:
    status = copy.deepcopy(STATUS)
    status["accounts"][0]["expires"] = None
    assert "account_expires" not in metrics.text(status)


async def _answered(request: bytes) -> bytes:
    async def page() -> tuple[str, str]:
        return "text/plain", "größer"

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(metrics_server.answer, theirs, b"", {"/metrics": page})
        for part in (request[:9], request[9:]):
            await ours.send_all(part)
        return bytes(await ours.receive_some())


async def test_http() -> None:
    said = await _answered(b"GET /metrics?x HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 8" in head and body.decode() == "größer"
    head, _, body = (await _answered(b"HEAD /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
    assert b"Content-Length: 8" in head and body == b""
    assert (await _answered(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
    assert (await _answered(b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
    assert (await _answered(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\r\n\r\n")).startswith(b"HTTP/1.1 405 ")


async def test_a_client_of_http_that_says_nothing_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    _, theirs = trio.testing.memory_stream_pair()
    await metrics_server.answer(theirs, b"GET /metrics", {})


def test_a_mount_of_another_user_is_named_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    assert of_others(0) == "is mounted by root, and only root can see its status: sudo coursefs status"
    assert of_others(99999) == (
        "is mounted by user 99999, and only user 99999 can see its status: sudo -u '#99999' coursefs status"
    )
    assert "login session" in of_others(4711)
