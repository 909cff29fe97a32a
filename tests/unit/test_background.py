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
