"""scripts/lib.sh: which packages bring a Python that is new enough, and which versions developers get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg compares the versions")

#: name and candidate of packages that each release has, as its lists say
RELEASES = {
    "Debian 12": {"python3": "3.11.2-1+b1", "python3.11": "3.11.2-6+deb12u6", "postgresql-plpython3-15": "15.20-0"},
    "Debian 13": {"python3": "3.13.5-1", "python3.13": "3.13.5-2", "postgresql-plpython3-17": "17.6-0"},
    "Ubuntu 24.04": {"python3": "3.12.3-0ubuntu2", "python3.12": "3.12.3-1", "postgresql-plpython3-16": "16.2-1"},
    "Ubuntu 22.04": {
        "python3": "3.10.4-0ubuntu2",
        "python3.10": "3.10.4-3",
        "python3.11": "3.11.0~rc1-1~22.04.1",
        "postgresql-plpython3-14": "14.2-1ubuntu1",
    },
    "Ubuntu 22.04 without updates": {"python3": "3.10.4-0ubuntu2", "postgresql-plpython3-14": "14.2-1ubuntu1"},
}

#: as apt-cache does: a name that there is not is a regular expression, which is searched for in all names
_APT_CACHE = """#!/bin/bash
[[ $1 == policy ]] || exit 1
show() { printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n  Version table:\\n     %s 500\\n' "$1" "$2" "$2"; }
declare -A versions=(VERSIONS)
if [[ ${versions[$2]-} ]]; then show "$2" "${versions[$2]}"; exit; fi
for name in "${!versions[@]}"; do [[ ! $name =~ $2 ]] || show "$name" "${versions[$name]}"; done
"""


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a machine with these packages."""
    versions = " ".join(f"[{name}]='{version}'" for name, version in RELEASES[request.param].items())
    program = tmp_path / "apt-cache"
    program.write_text(_APT_CACHE.replace("VERSIONS", versions))
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def said(machine: dict[str, str], commands: str) -> str:
    script = f"set -euo pipefail; source scripts/lib.sh; {commands}"
    return subprocess.run(
        ["bash", "-c", script], env=machine, cwd=_ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("machine", "packages"),
    [
        ("Debian 12", "python3 python3-venv python3-dev"),
        ("Debian 13", "python3 python3-venv python3-dev"),
        ("Ubuntu 24.04", "python3 python3-venv python3-dev"),
        ("Ubuntu 22.04", "python3.11 python3.11-venv python3.11-dev"),
        ("Ubuntu 22.04 without updates", ""),
    ],
    indirect=["machine"],
)
def test_the_packages_of_a_new_enough_python(machine: dict[str, str], packages: str) -> None:
    assert said(machine, "python_packages") == packages


@pytest.mark.parametrize("machine", RELEASES, indirect=True)
def test_a_name_that_there_is_not_is_not_taken_for_another(machine: dict[str, str]) -> None:
    """`python3.14` is a regular expression for apt-cache, which `postgresql-plpython3-14` matches."""
    assert said(machine, "candidate_version python3.14; candidate_version python3.16") == ""
    assert said(machine, "candidate_version python3") != ""


#: in place of the environment's Python: notes how pip is called, and fails with WORDS for the lock
_PYTHON = """#!/bin/bash
echo "$*" >>"$(dirname "$0")/calls"
[[ $* == *--require-hashes* ]] || exit 0
[[ ! "WORDS" ]] || { printf '%s\\n' "WORDS" >&2; exit 1; }
"""


def installed(tmp_path: Path, words: str, extras: str = "[test]") -> tuple[int, list[str], str]:
    """The status of install_project, how pip was called, and what was said."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("python", _PYTHON.replace("WORDS", words)), ("pip", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    script = f"set -euo pipefail; source scripts/lib.sh; venv={tmp_path}/venv; install_project python3 '{extras}'"
    done = subprocess.run(["bash", "-c", script], cwd=_ROOT, check=False, capture_output=True, text=True)
    calls = (programs / "calls").read_text().splitlines()
    return done.returncode, [line.partition(" --disable-pip-version-check ")[2] for line in calls], done.stderr


def test_developers_get_the_locked_versions(tmp_path: Path) -> None:
    status, calls, _ = installed(tmp_path, "")
    locked = "--require-hashes --requirement scripts/packaging/locks/development.txt"
    assert (status, calls) == (0, [locked, "--no-deps --no-build-isolation --editable ."])


def test_where_a_locked_version_is_not_to_be_had_the_newest_is_taken_and_that_is_said(tmp_path: Path) -> None:
    words = "ERROR: Could not find it (from versions: 1, 2)\nERROR: No matching distribution found for anyio==4.16.0"
    status, calls, said = installed(tmp_path, words)
    assert (status, calls[1:]) == (0, ["--editable .[test]"])
    assert said.splitlines()[-1].endswith("because pip says: No matching distribution found for anyio==4.16.0")


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    words = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."
    status, calls, said = installed(tmp_path, words)
    assert (status, len(calls)) == (1, 1)
    assert "is not the one that is locked in scripts/packaging/locks/development.txt" in said


def test_users_get_what_the_project_allows(tmp_path: Path) -> None:
    assert installed(tmp_path, "", "[demo]")[:2] == (0, ["--editable .[demo]"])


def test_a_free_threaded_python_is_passed_over(tmp_path: Path) -> None:
    first = tmp_path / "python3"
    first.write_text(
        f"""#!/bin/sh\nexec {sys.executable} -c "import sys; sys.abiflags = 't'; exec(sys.argv[1])" "$2"\n"""
    )
    first.chmod(0o755)
    second = tmp_path / "python3.14"
    second.symlink_to(sys.executable)
    machine = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    machine.pop("PYTHON", None)
    assert said(machine, f"PYTHON={first} find_python").endswith("python3.14")
    assert said(machine, f"PYTHON={second} find_python") == str(second)
