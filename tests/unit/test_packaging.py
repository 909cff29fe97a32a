"""The recipes of a release agree with the project: version, packages, files."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from coursefs import __version__

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGING = _ROOT / "scripts" / "packaging"
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str) -> dict[str, str]:
    """The packages of a lock, and their versions."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (_PACKAGING / "locks" / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("../../pyproject.toml", r'^version = "(.+)"$'),
        ("coursefs.spec", r"^Version: +(.+)$"),
        ("PKGBUILD", r"^pkgver=(.+)$"),
        ("default.nix", r'^  version = "(.+)";$'),
    ],
)
def test_the_version_is_the_same_everywhere(file: str, line: str) -> None:
    assert re.findall(line, (_PACKAGING / file).read_text(), re.MULTILINE) == [__version__]


@pytest.mark.parametrize("lock", ["program.txt", "development.txt"])
def test_every_dependency_is_locked_with_hashes(lock: str) -> None:
    names = {re.split(r"[\[><=;~ ]", one, maxsplit=1)[0].lower() for one in _PROJECT["dependencies"]}
    assert names <= locked(lock).keys()
    assert_hashed(lock)


def test_every_client_of_others_is_locked_with_hashes() -> None:
    named = dict(one.lower().replace("_", "-").split("==") for one in _PROJECT["optional-dependencies"]["clients"])
    assert named.items() <= locked("clients.txt").items()
    assert_hashed("clients.txt")


def assert_hashed(lock: str) -> None:
    """Each block of a lock has a hash."""
    blocks = re.split(r"\n(?=\S)", (_PACKAGING / "locks" / lock).read_text().strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("extra", ["open", "browser"])
def test_the_program_holds_the_extras(extra: str) -> None:
    for one in _PROJECT["optional-dependencies"][extra]:
        assert re.split(r"[\[><=;~ ]", one, maxsplit=1)[0].lower() in locked("program.txt")


def test_a_locked_package_is_one_that_the_project_allows() -> None:
    """The lower bound is not above what a release holds."""
    for one in _PROJECT["dependencies"]:
        name, _, bound = one.partition(";")[0].strip().partition(">=")
        if bound:
            have = locked("program.txt")[name.split("[")[0].lower()]
            assert _numbers(have) >= _numbers(bound), one


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def test_a_free_threaded_python_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "abiflags", "t")
    with pytest.raises(SystemExit, match="free-threaded build of Python; name an ordinary one: pipx install"):
        runpy.run_path(str(_ROOT / "hatch_build.py"))


def test_the_recipe_for_arch_is_bash() -> None:
    subprocess.run(["bash", "-n", str(_PACKAGING / "PKGBUILD")], check=True)


@pytest.mark.skipif(shutil.which("rpmspec") is None, reason="rpm is not installed")
def test_the_recipe_for_fedora_is_understood() -> None:
    done = subprocess.run(
        ["rpmspec", "--query", "--queryformat", "%{name} %{version}", str(_PACKAGING / "coursefs.spec")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"coursefs {__version__}"
