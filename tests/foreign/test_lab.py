"""The recipes of docs/lab.md, typed as they are on a machine of their own; and its units, read by systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coursefs.daemon.systemd_unit import NAME, unit
from tests.foreign import lab

_PROJECT = Path(__file__).resolve().parents[2]
#: seconds that a recipe may take, on a machine that is busy with other things too
_LIMIT = 300.0
_ISOLATED = "unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private"

pytestmark = [pytest.mark.mount, pytest.mark.foreign]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces with users of their own")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare (util-linux) is not installed")
@pytest.mark.parametrize(
    "recipe",
    [
        "test_an_account_mounts_for_every_user",
        "test_a_family_nas",
        "test_a_lab_behind_a_thin_line",
        "test_a_library_branch",
        "test_a_laptop_as_a_hotspot",
        "test_a_shared_cache_for_accounts_of_their_own",
    ],
)
def test_a_recipe_can_be_typed(recipe: str, tmp_path: Path) -> None:
    module = Path(__file__).with_name("typed_lab.py")
    command = [*_ISOLATED.split(), sys.executable, "-m", "tests.foreign.lab_machine", str(tmp_path / "machine")]
    done = subprocess.run(
        [*command, f"{module}::{recipe}", "-q", "--tb=short", "-rs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
        cwd=_PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    if "1 skipped" in done.stdout:
        pytest.skip(done.stdout.splitlines()[-2])
    assert "1 passed" in done.stdout


def test_systemd_understands_the_units_of_the_page(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    (tmp_path / NAME).write_text(unit(["/bin/true"], "allow_other", for_system=True, account="daemon"))
    names = []
    for step in lab.steps():
        if isinstance(step, lab.File) and step.path.startswith("/etc/systemd/system/"):
            path = tmp_path / Path(step.path).relative_to("/etc/systemd/system")
            path.parent.mkdir(exist_ok=True)
            path.write_text(re.sub("/usr/bin/(rclone|coursefs)", "/bin/true", step.text))  # which may not be installed
            names.append(path.name if path.parent == tmp_path else path.parent.name.removesuffix(".d"))
    assert len(names) == 4
    if not Path("/lib/systemd/system/nfs-ganesha.service").exists():
        names.remove("nfs-ganesha.service")
    done = subprocess.run(
        [program, "--system", "--man=no", "verify", *names],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:", "XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "course" in line] == []
