"""The mount namespace of a run: what it mounts is seen by nobody else, and is gone with its last process.

An ordinary user must reach the interpreter, the project and /dev/fuse, which some machines keep to root: in this
namespace they can, whatever their folders' modes are outside.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from torture_runs import children

_PROJECT = Path(__file__).resolve().parents[2]


def let_in(scratch: Path) -> bool:
    """Let the ordinary user reach what a run needs; False where that cannot be done."""
    needed = {Path(sys.base_prefix), Path(sys.prefix), _PROJECT}
    try:
        for closed in {one for path in needed if (one := _closed(path)) is not None}:
            _open(closed, sorted(path for path in needed if path.is_relative_to(closed)), scratch)
        _own_device(scratch)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"torture: as root throughout, since an ordinary user cannot be let in: {error}", file=sys.stderr)
        return False
    done = subprocess.run(
        [sys.executable, "-c", "import os, coursefs; os.close(os.open('/dev/fuse', os.O_RDWR))"],
        env={"PYTHONPATH": str(_PROJECT), "PATH": os.environ.get("PATH", "")},
        cwd="/",
        capture_output=True,
        timeout=60,
        check=False,
        **children.ordinary(),  # type: ignore[call-overload]
    )
    if done.returncode:
        print(f"torture: as root throughout: {done.stderr.decode(errors='replace')[-300:]}", file=sys.stderr)
    return bool(done.returncode == 0)


def _closed(path: Path) -> Path | None:
    """The uppermost folder on the way to a path that others cannot pass."""
    for folder in reversed([path, *path.parents]):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _open(closed: Path, needed: list[Path], scratch: Path) -> None:
    """Put an empty folder over a closed one, with what is needed of it in its place."""
    held = []
    for number, path in enumerate(needed):
        holder = scratch / f"held-{number}"
        holder.mkdir()
        _mount("--bind", path, holder)
        held.append((holder, path))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", closed)
    for holder, path in held:
        path.mkdir(parents=True, exist_ok=True)
        _mount("--bind", holder, path)


def _own_device(scratch: Path) -> None:
    """A /dev/fuse that everybody may open, as most systems have it."""
    here = scratch / "dev"
    here.mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755,dev", "tmpfs", here)
    os.mknod(here / "fuse", stat.S_IFCHR | 0o666, Path("/dev/fuse").stat().st_rdev)
    (here / "fuse").chmod(0o666)
    _mount("--bind", here / "fuse", Path("/dev/fuse"))


def _mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
