"""A course of any files on the benchmark's file server, mounted: what foreign suites read, and the golden files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import benchmarks
from benchmarks.contents import TREE
from benchmarks.serverprocess import server_process
from benchmarks.tools import Coursefs

_SCRIPTS = str(Path(benchmarks.__file__).parents[1])
_COURSE, _FOLDER = "Shelf", "Files"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The golden folder, and the same files on a mount."""

    golden: Path
    mounted: Path


@contextmanager
def shelf(root: Path, golden: Path) -> Iterator[Shelf]:
    """Serve and mount what lies in `golden`, a folder `Shelf/Files` below another one; nothing is left behind."""
    names = sorted(path.name for path in golden.iterdir())
    served = golden.parent.parent
    (served / TREE).write_text(json.dumps({_COURSE: {_FOLDER: names}}), encoding="utf-8")
    home = root / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _SCRIPTS)  # where the server's process finds its module
        with server_process(served, "near") as server, Coursefs().mount(server.url, home) as mount:
            yield Shelf(golden, mount.path / _COURSE / _FOLDER)


def golden_folder(root: Path) -> Path:
    """Where the files of a shelf are put before it is mounted."""
    folder = root / "served" / _COURSE / _FOLDER
    folder.mkdir(parents=True)
    return folder
