"""How a process of coursefs starts another one: the same packages, and nothing of the current folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coursefs.base.installation import own_command

_CODE = Path(__file__).resolve().parents[2] / "coursefs"
_ASK = "import json; from coursefs.base.installation import own_command, own_program; {}"


def told(options: list[str], expression: str, **where: Path) -> object:
    """What an interpreter with these options says an expression is."""
    command = [sys.executable, *options, "-c", _ASK.format(f"print(json.dumps({expression}))")]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, **where).stdout)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "passed_on"),
    [
        ([], ["-P"]),
        (["-I"], ["-I"]),
        (
            ["-I", "-X", "coursefs-program=/opt/coursefs/coursefs"],
            ["-I", "-X", "coursefs-program=/opt/coursefs/coursefs"],
        ),
        (["-X", "coursefs-program"], ["-P"]),  # without a path it names no program
    ],
)
def test_the_options_of_the_interpreter_are_passed_on(options: list[str], passed_on: list[str]) -> None:
    assert told(options, "own_command('coursefs.demo')") == [sys.executable, *passed_on, "-m", "coursefs.demo"]


@pytest.mark.parametrize(
    ("options", "program"), [([], None), (["-X", "coursefs-program=/opt/ä/coursefs"], "/opt/ä/coursefs")]
)
def test_the_launcher_names_itself(options: list[str], program: str | None) -> None:
    assert told(options, "own_program()") == program


def test_a_module_of_the_current_folder_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "coursefs").mkdir()
    (tmp_path / "coursefs" / "__init__.py").write_text("raise SystemExit('taken')")
    done = subprocess.run([*own_command(), "--version"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_else_starts_a_module_of_coursefs() -> None:
    starting = [str(file.relative_to(_CODE)) for file in _CODE.rglob("*.py") if '"-m"' in file.read_text()]
    assert starting == ["base/installation.py"]
