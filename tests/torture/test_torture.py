"""A bounded part of `scripts/torture`: something of every group of faults, and none of its goals broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import torture_runs

pytestmark = [pytest.mark.mount, pytest.mark.torture]

_SCRIPTS = Path(torture_runs.__file__).parents[1]
_SECONDS = 120
#: seconds until everything must have ended: the last step may take its time to recover
_LIMIT = 230


def test_nothing_breaks_a_goal(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [
        "--seconds",
        str(_SECONDS),
        "--seed",
        os.environ.get("COURSEFS_TORTURE_SEED", "1"),
        "--json",
        str(figures),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "torture_runs", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_SCRIPTS)},
    )
    try:
        said, _ = process.communicate(timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)  # it takes everything away that it has mounted
        said, _ = process.communicate(timeout=60)
        pytest.fail(f"not ended after {_LIMIT} s:\n{said[-4000:]}")
    assert process.returncode == 0, said[-8000:]
    found = json.loads(figures.read_text())
    assert found["operations"] > 5_000
    assert found["kinds of faults"] >= 5
    assert found["broken"] == []
