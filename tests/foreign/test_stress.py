"""stress-ng: what it can do with a read-only folder, and the rest on an overlay that has the mount below it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign.shelf import Shelf, golden_folder, shelf

pytestmark = [pytest.mark.mount, pytest.mark.foreign]


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Shelf]:
    """A folder of small files."""
    if shutil.which("stress-ng") is None:
        pytest.skip("stress-ng is not installed")
    golden = golden_folder(tmp_path)
    for number in range(40):
        (golden / f"File {number:02d}.bin").write_bytes(bytes([number]) * (1000 * number + 1))
    with shelf(tmp_path, golden) as mounted:
        yield mounted


def _same(course: Shelf) -> None:
    for path in course.golden.iterdir():
        assert (course.mounted / path.name).read_bytes() == path.read_bytes()


def test_attributes_under_stress(course: Shelf, tmp_path: Path) -> None:
    done = subprocess.run(
        ["stress-ng", "--fstat", "2", "--fstat-dir", course.mounted, "--timeout", "4", "--temp-path", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    _same(course)


#: in a mount namespace of its own: an overlay of the mount, work on it, and every file of it copied up once
_OVERLAY = """
import pathlib, subprocess, sys
lower, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", scratch], check=True)
for name in ("upper", "work", "merged"):
    (scratch / name).mkdir()
options = f"lowerdir={lower},upperdir={scratch}/upper,workdir={scratch}/work"
if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, scratch / "merged"]).returncode:
    sys.exit(77)
merged = scratch / "merged"
work = "--dir 1 --dir-ops 500 --filename 1 --utime 1 --seek 1 --readahead 1 --rename 1 --link 1 --chmod 1".split()
done = subprocess.run(["stress-ng", *work, "--timeout", "6", "--temp-path", merged])
for path in sorted(merged.glob("*.bin")):
    before = path.read_bytes()
    with path.open("ab") as file:  # copies it up
        file.write(b"!")
    assert path.read_bytes() == before + b"!", path
sys.exit(done.returncode)
"""


def test_work_on_an_overlay(course: Shelf, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("an overlay needs root")
    scratch = tmp_path / "overlay"
    scratch.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", _OVERLAY, course.mounted, scratch],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip(f"no overlay here: {done.stdout.strip()[-200:]}")
    assert done.returncode == 0, done.stdout
    _same(course)
