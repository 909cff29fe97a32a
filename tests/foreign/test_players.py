"""Players over a slow link: their reads return fewer bytes than they ask for, and each must read on."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.content_bench import noise
from tests.foreign.test_next_lecture import ANOTHER_NUMBER, VLC
from tests.foreign.test_programs import needs
from tests.mount.cinema import Film, Visit, visit
from tests.mount.test_bytes import opened
from tests.mount.world import program

__all__ = ["needs"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

RATE = 400e3
LEARNT = 400_000  # bytes after which the link is known
FILM = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-f", "lavfi", "-i", "sine=frequency=220", "-t", "4"]
CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2M", "-c:a", "aac"]


@contextmanager
def cinema(folder: Path) -> Iterator[tuple[Visit, Path]]:
    """A mount over a slow link with a film of which nothing is cached, and that film on the disk."""
    film = folder / "film.mp4"
    program("ffmpeg", "-v", "error", *FILM, *CODED, film)
    body = film.read_bytes()
    shown = {"film.mp4": Film(body, rate=RATE), "other.mp4": Film(noise(LEARNT), rate=RATE)}
    with visit(folder, shown) as there:
        there.world.mount()
        with opened(there.path("other.mp4")) as file:
            assert len(os.pread(file, LEARNT, 0)) == LEARNT
        yield there, film
        there.world.umount()
        assert len(body) <= there.cinema.sent["film.mp4"] <= 1.1 * len(body)


def test_mpv_decodes_the_same_frames(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("mpv")
    with cinema(tmp_path) as (there, film):
        for name, source in (("local", film), ("mounted", there.path("film.mp4"))):
            program(
                "mpv", "--no-config", "--no-audio", "--really-quiet", "--of=framemd5", f"--o={tmp_path / name}", source
            )
        assert len((tmp_path / "local").read_text().splitlines()) > 100
        assert filecmp.cmp(tmp_path / "local", tmp_path / "mounted", shallow=False)


def test_vlc_reads_the_same_bytes(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("vlc")
    prefix = ANOTHER_NUMBER if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no user namespaces, and VLC does not run as root")
    with cinema(tmp_path) as (there, film):
        dump = ["--demux=dump", f"--demuxdump-file={tmp_path / 'dump'}", "--no-demuxdump-append"]
        program(*prefix, *VLC, *dump, there.path("film.mp4"))
        assert filecmp.cmp(film, tmp_path / "dump", shallow=False)


def test_ffplay_plays_to_the_end(tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    needs("ffplay")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    with cinema(tmp_path) as (there, _):
        done = subprocess.run(
            [str(shutil.which("ffplay")), "-v", "error", "-autoexit", str(there.path("film.mp4"))],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert (done.stdout + done.stderr).strip() == ""
