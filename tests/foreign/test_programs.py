"""Programs of others on a mount: players, copiers, searchers."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mount.conftest import demo_platform, mounted, world
from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS, expected_files
from tests.mount.world import PAGES, World, program

__all__ = ["demo_platform", "mounted", "world"]

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

LESSON = f"{GRAPHICS}/01 Getting Started/01 Welcome"
LECTURE = f"{LESSON}/01 Introduction.mp4"


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Skip where a program is not installed; `scripts/test` installs all of them."""

    def installed(name: str) -> None:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")

    return installed


def test_ffprobe_knows_every_lecture(mounted: World, needs: Callable[[str], None]) -> None:
    needs("ffprobe")
    videos = [path for path in mounted.tree() if path.endswith(".mp4")]
    assert len(videos) > 6
    for video in videos:
        said = program("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", mounted.path(video))
        probed = json.loads(said)
        assert {stream["codec_type"] for stream in probed["streams"]} == {"video", "audio"}
        assert float(probed["format"]["duration"]) > 5


def test_ffprobe_fetches_little(mounted: World, needs: Callable[[str], None]) -> None:
    needs("ffprobe")
    video = mounted.path(VIDEO)
    size = video.stat().st_size
    mounted.platform.forget()
    program("ffprobe", "-v", "error", "-show_format", video)
    fetched = sum(one["bytes"] for one in mounted.platform.requests(port="cdn"))
    assert 0 < fetched < size


@pytest.mark.parametrize(("start", "seconds"), [("0", 0.0), ("50%", 10.0), ("95%", 20.0)])
def test_mpv_plays_a_lecture_with_its_subtitles_from_anywhere(
    mounted: World, needs: Callable[[str], None], start: str, seconds: float
) -> None:
    needs("mpv")
    said = program(
        "mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--frames=20", f"--start={start}",
        "--msg-level=all=v",
        mounted.path(LECTURE),
    )  # fmt: skip
    assert "01 Introduction.en.srt" in said
    assert re.search(r"Subs +--sid=1", said)
    assert re.search(r"Video +--vid=1", said) and re.search(r"Audio +--aid=1", said)
    (position,) = re.findall(r"playback restart complete @ ([\d.]+)", said)
    assert seconds <= float(position) <= seconds + 5  # it begins at the key frame before


def test_cp_copies_everything(mounted: World, tmp_path: Path) -> None:
    program("cp", "-r", mounted.mountpoint, tmp_path / "copy")
    for path, source in expected_files().items():
        assert filecmp.cmp(tmp_path / "copy" / path, source, shallow=False)
    without = [f"--exclude={name}" for name in sorted(PAGES)]  # course pages show what has become known since
    assert program("diff", "-r", *without, mounted.mountpoint, tmp_path / "copy") == ""


def test_the_second_rsync_transfers_nothing_also_after_a_remount(
    mounted: World, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("rsync")
    rsync: list[str | Path] = [
        "rsync",
        "-a",
        "--itemize-changes",
        "--stats",
        f"{mounted.mountpoint}/",
        tmp_path / "copy",
    ]
    program(*rsync)
    for path, source in expected_files().items():
        assert filecmp.cmp(tmp_path / "copy" / path, source, shallow=False)
    mounted.platform.forget()
    second = program(*rsync)
    assert "Number of regular files transferred: 0" in second
    assert [line for line in second.splitlines() if line.startswith((">", "<", "c", "."))] == []
    assert mounted.platform.requests() == []
    mounted.umount()
    mounted.mount()  # another process
    third = program(*rsync)
    assert "Number of regular files transferred: 0" in third
    asked = {one["path"] for one in mounted.platform.requests()}
    assert asked <= {"/api/adminUserPermissions.v1"}  # whether the sign-in is still good


def test_find_grep_and_du(mounted: World) -> None:
    assert len(program("find", mounted.mountpoint, "-name", "*.mp4").splitlines()) > 6
    found = program("grep", "-rl", "--include=*.html", "--include=*.txt", "triangle", mounted.mountpoint)
    assert f"{LESSON}/02 How this course works.html" in found
    apparent = int(program("du", "-sb", mounted.path(LESSON)).split()[0])
    assert apparent >= sum(path.stat().st_size for path in mounted.path(LESSON).iterdir() if path.is_file())
    blocks = int(program("du", "-sk", mounted.path(LESSON)).split()[0]) * 1024
    assert blocks >= apparent - 1024


def test_tar_sparse_writes_no_holes(mounted: World, tmp_path: Path) -> None:
    program("tar", "-S", "-C", mounted.path(LESSON), "-cf", tmp_path / "a.tar", ".")
    program("tar", "-C", tmp_path, "-xf", tmp_path / "a.tar")
    assert (tmp_path / "01 Introduction.mp4").read_bytes() == expected_files()[LECTURE].read_bytes()


def test_df_and_findmnt_say_what_it_is(mounted: World) -> None:
    assert "coursefs" in program("df", mounted.mountpoint)
    said = program("findmnt", "-no", "FSTYPE,OPTIONS", mounted.mountpoint)
    assert "fuse.coursefs" in said and "ro," in said
