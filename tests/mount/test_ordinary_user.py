"""The tests of this level and of the next, run once more as an ordinary user where root runs them.

With the program of a release it is this level alone: programs of others are tried with the program of this folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount.program import LAUNCHER

_TESTS = Path(__file__).resolve().parents[1]
_MODULES = sorted(
    str(path.relative_to(_TESTS))
    for level in (("mount",) if LAUNCHER else ("mount", "foreign"))
    for path in (_TESTS / level).glob("test_*.py")
    if path.name != Path(__file__).name
)
#: seconds that a module may take, on a machine that is busy with other things too
_LIMIT = 900.0

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="everything here is run by an ordinary user already"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed"),
]


@pytest.mark.parametrize("module", _MODULES)
def test_an_ordinary_user_finds_the_same(module: str, tmp_path: Path) -> None:
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, str(_TESTS / "ordinary.py")]
    done = subprocess.run(
        [*command, str(tmp_path / "user"), f"tests/{module}", "-q", "--tb=short"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    no_test_collected = 5
    assert done.returncode in {0, no_test_collected}, done.stdout
