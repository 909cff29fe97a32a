"""The next lecture on a mount: programs that play make it ready, programs that read, probe or copy do not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.foreign.test_programs import needs
from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import LIMIT, World, program, until

__all__ = ["demo_platform", "mounted", "needs", "world"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

SKY = "Reading the Night Sky"
STARS = f"{SKY}/01 The Turning Sky/01 One Night/01 Why the Stars Turn.mp4"  # of 22.4 s
DISTANCE = f"{SKY}/02 How Far?/01 Parallax/01 How Far Is a Star?.mp4"
POINT = f"{GRAPHICS}/02 Shapes That Move/01 Rotation/01 Turning a Point.mp4"  # of 21.4 s
NOTHING = {"lecture": None, "files": 0, "bytes": 0}
MPV = ["mpv", "--no-config", "--really-quiet", "--vo=null", "--ao=null"]
#: VLC refuses to run as root; the mount is open to this user alone, whatever the number
VLC = ["vlc", "-I", "dummy", "--no-video", "--aout", "dummy", "--play-and-exit"]
ANOTHER_NUMBER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program, ended with the context."""
    process = subprocess.Popen(
        [str(one) for one in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT)


def is_ready(world: World, lecture: str) -> bool:
    """Whether the beginning of this lecture was fetched ahead."""
    return bool(world.status()["fetched_ahead"]["lecture"] == lecture)


def require_ready(world: World, lecture: str) -> None:
    """Require that a player finds this lecture and its subtitles in the cache: nothing is asked of the platform."""
    until(lambda: is_ready(world, lecture), f"{lecture} is ready")
    video = world.path(lecture)
    world.platform.forget()
    program(*MPV, "--untimed", "--frames=20", video)
    assert video.with_suffix(".en.srt").read_text()
    assert world.platform.requests(port="cdn") == []


def test_only_a_player_has_the_next_lecture_fetched(
    mounted: World, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("mpv")
    folder, lecture = mounted.path(GRAPHICS), mounted.path(POINT)
    picture, copy = tmp_path / "picture.png", tmp_path / "copy"
    programs: list[list[str | Path]] = [
        ["find", mounted.mountpoint, "-name", "*.mp4"],
        ["updatedb", "-U", mounted.mountpoint, "-o", tmp_path / "db", "-l", "no", "--prunefs", "", "--prunepaths", ""],
        ["ffprobe", "-v", "error", "-show_format", "-show_streams", lecture],
        ["ffmpegthumbnailer", "-i", lecture, "-o", picture, "-t", "60%"],  # as tumbler and file managers do
        ["ffmpeg", "-v", "error", "-y", "-ss", "12", "-i", lecture, "-frames:v", "1", picture],
        ["grep", "-rc", "moov", folder],
        ["rsync", "-a", f"{folder}/", copy],
        ["cp", "-r", folder, copy],
        [*MPV, "--length=2", mounted.path(STARS)],
    ]
    for name, *arguments in programs:
        if shutil.which(str(name)):
            program(name, *arguments)
        assert mounted.status()["fetched_ahead"] == NOTHING, name
    with running(*MPV, mounted.path(STARS)):
        require_ready(mounted, DISTANCE)


def test_vlc_has_the_next_lecture_fetched(mounted: World, needs: Callable[[str], None]) -> None:
    needs("vlc")
    prefix = ANOTHER_NUMBER if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no user namespaces, and VLC does not run as root")
    with running(*prefix, *VLC, mounted.path(STARS)):
        require_ready(mounted, DISTANCE)


def test_a_copy_over_a_link_as_slow_as_the_film_is_no_player(mounted: World) -> None:
    video = mounted.path(POINT)
    assert video.stat().st_size > 200_000
    mounted.platform.faults(cdn_rate=18_000)  # about 12 s; a player would be noticed after 7 s
    with video.open("rb") as file:
        while file.read(65536):
            assert mounted.status()["fetched_ahead"] == NOTHING
        assert mounted.status()["fetched_ahead"] == NOTHING


def test_the_switch(world: World, needs: Callable[[str], None]) -> None:
    needs("mpv")
    world.login()
    config = Path(world.environment["XDG_CONFIG_HOME"]) / "coursefs" / "config.toml"
    config.write_text(f"[prefetch]\nnext = false\n\n{config.read_text()}")
    world.mount()
    program(*MPV, "--length=12", world.path(STARS))
    assert world.status()["fetched_ahead"] == NOTHING
