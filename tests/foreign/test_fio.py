"""fio proves every block: a file with its verify headers is read through the mount in all the ways that fio knows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign.shelf import Shelf, golden_folder, shelf

pytestmark = [pytest.mark.mount, pytest.mark.foreign]

_SIZE = "24m"
_VERIFY = ["--name=g", f"--size={_SIZE}", "--bs=64k", "--verify=crc32c", "--verify_fatal=1", "--verify_dump=0"]


@pytest.fixture(scope="module")
def fio_shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One file that fio has written, for each of its ways to read: it drops the kernel's pages before each."""
    folder = tmp_path_factory.mktemp("fio")
    golden = _written(folder)
    with shelf(folder, golden) as mounted:
        yield mounted


def _written(folder: Path) -> Path:
    if shutil.which("fio") is None:
        pytest.skip("fio is not installed")
    golden = golden_folder(folder)
    done = _fio(folder, *_VERIFY, f"--filename={golden}/fio.bin", "--rw=write", "--do_verify=0")
    assert done.returncode == 0, done.stdout
    return golden


def _fio(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["fio", *arguments, "--eta=never", f"--aux-path={folder}"]
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False
    )


_WAYS = {
    "psync": ["--ioengine=psync"],
    "mmap": ["--ioengine=mmap"],
    "libaio": ["--ioengine=libaio", "--direct=1", "--iodepth=8"],
    "pvsync2": ["--ioengine=pvsync2"],
}


@pytest.mark.parametrize("order", ["read", "randread"])
@pytest.mark.parametrize("way", _WAYS)
def test_every_block_is_what_was_written(fio_shelf: Shelf, tmp_path: Path, way: str, order: str) -> None:
    name = f"--filename={fio_shelf.mounted}/fio.bin"
    done = _fio(tmp_path, *_VERIFY, *_WAYS[way], name, "--readonly", f"--rw={order}")
    assert done.returncode == 0, done.stdout
    assert "err= 0" in done.stdout and "verify" not in done.stdout.lower(), done.stdout


def test_fio_finds_four_wrong_bytes(tmp_path: Path) -> None:
    """The suite can fail."""
    golden = _written(tmp_path)
    with (golden / "fio.bin").open("r+b") as file:
        file.seek(5 * 2**20 + 1000)
        file.write(b"oops")
    with shelf(tmp_path, golden) as mounted:
        done = _fio(tmp_path, *_VERIFY, f"--filename={mounted.mounted}/fio.bin", "--readonly", "--rw=read")
    assert done.returncode != 0
    assert "verify" in done.stdout, done.stdout
