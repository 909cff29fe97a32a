"""What a refresh does to what the kernel has in its caches: what changed is seen at once, and the rest stays there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coursefs.mount import mountinfo
from coursefs.mount.kernel import CONNECTIONS

pytestmark = pytest.mark.mount

#: seconds that one of these tests may take; what waits longer waits for ever
LIMIT = 30.0
FILM = "".join(f"{number:9}\n" for number in range(60_000))


@dataclass
class Changing:
    """A mount and the platform behind it."""

    lesson: Path
    process: subprocess.Popen[str]

    def ask(self, **wanted: object) -> Mapping[str, Any]:
        """Have this done; what it answers."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        assert isinstance(reply, dict)
        return reply

    def calls(self) -> list[tuple[str, int]]:
        """What the kernel has asked since the last time."""
        return [(name, number) for name, number in self.ask()["calls"]]


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Changing]:
    mountpoint = tmp_path / "courses"
    mountpoint.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.mount.changing", str(mountpoint), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        # a mount that waits for itself would keep this process and its own for ever
        too_long = threading.Timer(LIMIT, abort, [mountpoint])
        too_long.start()
        try:
            assert json.loads(process.stdout.readline()) == {"is_mounted": True}
            yield Changing(mountpoint / "Graphics" / "01 Start", process)
        finally:
            process.stdin.close()
            process.wait(LIMIT)
            too_long.cancel()
            assert mountinfo.at(mountpoint) is None


def abort(mountpoint: Path) -> None:
    """Abort the connection, as the user who mounted may, and unmount."""
    there = mountinfo.at(mountpoint)
    if there is not None:
        (CONNECTIONS / str(there.device[1]) / "abort").write_text("1")
        subprocess.run(["fusermount3", "-uz", str(mountpoint)], check=False)


def test_a_page_that_changes_is_read_anew_at_once_though_its_size_is_the_same(changing: Changing) -> None:
    changing.ask(items={"a": {"title": "Page", "page": "<p>one"}})
    page = changing.lesson / "Page.html"
    before = page.stat()
    assert page.read_bytes() == b"<p>one"
    changing.ask(items={"a": {"title": "Page", "page": "<p>two"}})
    after = page.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime_ns == after.st_ctime_ns > before.st_mtime_ns
    assert page.read_bytes() == b"<p>two"


def test_what_is_renamed_new_or_gone_is_so_at_once(changing: Changing) -> None:
    changing.ask(items={"a": {"title": "Old", "page": "<p>"}, "b": {"title": "Dropped", "page": "<p>"}})
    inode = (changing.lesson / "Old.html").stat().st_ino
    for name in ("New.html", "Added.html"):
        assert not (changing.lesson / name).exists()  # which the kernel remembers
    assert sorted(os.listdir(changing.lesson)) == ["Dropped.html", "Old.html"]
    changing.ask(items={"a": {"title": "New", "page": "<p>"}, "c": {"title": "Added", "page": "<p>more"}})
    assert (changing.lesson / "New.html").stat().st_ino == inode
    assert (changing.lesson / "Added.html").read_bytes() == b"<p>more"
    for name in ("Old.html", "Dropped.html"):
        assert not (changing.lesson / name).exists()
    assert sorted(os.listdir(changing.lesson)) == ["Added.html", "New.html"]


def test_what_has_not_changed_stays_in_the_kernel(changing: Changing) -> None:
    same = {"title": "Same", "film": FILM}
    changing.ask(items={"a": same, "b": {"title": "Page", "page": "<p>one"}})
    film = changing.lesson / "Same.mp4"
    before = film.stat()
    assert film.read_text() == FILM
    (changing.lesson / "Page.html").stat()
    changing.calls()
    assert film.stat() == before and changing.calls() == []
    news = changing.ask(items={"a": same, "b": {"title": "Page", "page": "<p>two"}})["news"]
    assert [one["changed"] for one in news] == [["01 Start/Page"]]
    assert (film.stat().st_ino, film.stat().st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert film.read_text() == FILM
    asked = changing.calls()
    assert ("getattr", before.st_ino) not in asked
    assert [call for call in asked if call[0] in {"read", "lookup"}] == []


def test_what_the_platform_drops_stays_readable_while_it_is_open(changing: Changing) -> None:
    changing.ask(items={"a": {"title": "Film", "film": FILM}, "b": {"title": "Page", "page": "<p>one"}})
    with (changing.lesson / "Film.mp4").open() as film, (changing.lesson / "Page.html").open() as page:
        assert film.read(10) == FILM[:10]
        other = {"title": "Other", "page": "<p>"}
        changing.ask(items={"a": {"title": "Film", "film": FILM}, "b": {"title": "Page", "page": "<p>one"}, "c": other})
        changing.ask(items={"c": other})  # not all at once: that would be held for a fault of the platform
        assert os.listdir(changing.lesson) == ["Other.html"]
        assert film.read() == FILM[10:]
        assert page.read() == "<p>one"


def test_a_refresh_waits_for_no_reader_and_no_reader_for_ever(changing: Changing) -> None:
    """To drop pages that are being read would have the mount wait for its own answer."""
    changing.ask(items={"a": {"title": "Film", "film": FILM}, "b": {"title": "Page", "page": "<p>one"}})
    film = changing.lesson / "Film.mp4"
    film.stat()
    changing.ask(hold=True)
    got: list[str] = []
    with film.open() as file:
        reader = threading.Thread(target=lambda: got.append(file.read()), daemon=True)
        reader.start()
        while not any(name == "read" for name, _ in changing.ask(hold=True)["calls"]):
            pass
        for number in range(3):
            page = {"title": "Page", "page": f"<p>{number}"}
            changing.ask(hold=True, items={"a": {"title": f"Film {number}", "film": FILM}, "b": page})
            assert sorted(os.listdir(changing.lesson)) == [f"Film {number}.mp4", "Page.html"]
            assert (changing.lesson / "Page.html").read_text() == page["page"]
        changing.ask(hold=True, items={"b": {"title": "Page", "page": "<p>"}})
        assert os.listdir(changing.lesson) == ["Page.html"]
        assert got == []
        changing.ask(hold=False)
        reader.join(LIMIT)
    assert got == [FILM]


def test_who_reads_on_in_an_old_version_does_not_hide_the_end_of_the_new_one(changing: Changing) -> None:
    # The kernel takes a read that ends early for the end of the file, and keeps that size for everyone.
    before, after = "a" * 600 * 4096, "b" * (600 * 4096 + 40)
    changing.ask(items={"a": {"title": "Film", "film": before}})
    film = changing.lesson / "Film.mp4"
    with film.open("rb") as old:
        assert os.pread(old.fileno(), 10, 0) == b"a" * 10
        changing.ask(items={"a": {"title": "Film", "film": after}})
        with pytest.raises(OSError, match="Stale"):
            os.pread(old.fileno(), 10, len(before) - 300_000)
        with film.open("rb") as new:
            assert film.stat().st_size == len(after)
            with pytest.raises(OSError, match="Stale"):
                os.pread(old.fileno(), 4096, len(before))
            assert film.stat().st_size == len(after)
            assert os.pread(new.fileno(), 4096, len(before) - 10) == b"b" * 50
