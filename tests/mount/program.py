"""The program that the tests of mounts run: that of this folder, or an artefact of a release.

Tests that put a fault into the program itself (`tests.mount.eager`, `tests.mount.stuck`) run that of this folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

#: the launcher of a self-contained folder (scripts/test-artefacts names it); None: the program of this folder is tested
LAUNCHER = os.environ.get("COURSEFS_PROGRAM") or None
#: the command line
PROGRAM = [LAUNCHER] if LAUNCHER else [sys.executable, "-m", "coursefs"]

_ROOT = Path(__file__).resolve().parents[2]


def program_in(environment: Mapping[str, str]) -> list[str]:
    """The command line in this environment.

    The launcher ignores PYTHONPATH on purpose. For a test that brings modules of its own by it, the interpreter of the
    folder is started without the option that does so.
    """
    if LAUNCHER is None or not environment.get("PYTHONPATH"):
        return PROGRAM
    (interpreter,) = Path(LAUNCHER).resolve().parent.glob("python/bin/python3.*")
    return [str(interpreter), "-s", "-P", "-X", f"coursefs-program={LAUNCHER}", "-m", "coursefs"]


def install(folder: Path) -> None:
    """Put `coursefs` and the helper for mount(8) into a folder that is there, as an installation has them."""
    for name, module in (("coursefs", "coursefs.cli.main"), ("mount.fuse.coursefs", "coursefs.cli.mount_helper")):
        program = folder / name
        if LAUNCHER is not None:
            program.symlink_to(Path(LAUNCHER).resolve().with_name(name))
            continue
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(_ROOT)!r})\n"
            f"from {module} import main\nsys.exit(main())\n"
        )
        program.chmod(0o755)
