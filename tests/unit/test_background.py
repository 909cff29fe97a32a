"""Starting a process in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursefs.daemon import background
from coursefs.errors import CoursefsError


def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    log = tmp_path / "log" / "mount.log"
    for size, kept in ((10, []), (1 << 20, []), ((1 << 20) + 1, ["mount.log.1"]), ((1 << 20) + 2, ["mount.log.1"])):
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(b"x" * size)
        with pytest.raises(CoursefsError, match=str(log)):
            background.start(["--version"], log, 30.0)  # it ends without a word
        older = [path for path in log.parent.iterdir() if path != log]
        assert [path.name for path in older] == kept
        assert [path.stat().st_size for path in older] == [size] * len(kept)
        assert log.read_bytes().startswith(b"x") != bool(kept)


def test_the_log_is_for_its_owner_alone_and_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log" / "mount.log"
    log.parent.mkdir(mode=0o755)
    log.touch(mode=0o644)
    with pytest.raises(CoursefsError, match="ended before it was ready"):
        background.start(["--version"], log, 30.0)
    assert (log.parent.stat().st_mode & 0o777, log.stat().st_mode & 0o777) == (0o700, 0o600)
    target = tmp_path / "target"
    target.write_text("precious")
    log.unlink()
    log.symlink_to(target)
    with pytest.raises(CoursefsError, match=r"mount\.log: is not a regular file of our own"):
        background.start(["--version"], log, 30.0)
    assert target.read_text() == "precious"
