"""A machine of one's own for docs/lab.md, in namespaces, on which pytest types what the page says; root starts this.

    unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
        python -m tests.foreign.lab_machine FOLDER [pytest arguments]

Users are made in it, files of /etc are written, and servers take their usual ports, and none of that leaves it: /etc,
/var, /srv and /home are layers over those of this machine, whose changes are in FOLDER.  In /mnt/bin are `sudo`, which
becomes the user that is named, and `systemctl` (tests/foreign/small_systemd.py), because no systemd runs here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.ordinary import let_go_of_other_mounts, make_reachable, mount, open_device

_PROJECT = Path(__file__).resolve().parents[2]
BIN = Path("/mnt/bin")
_LAYERS = ("etc", "var", "srv", "home")
_SUDO = """\
#!/bin/bash
# sudo [-H] [-u NAME] COMMAND…
while [[ $1 == -* ]]; do
    case $1 in -u) user=$2; shift 2 ;; *) shift ;; esac
done
[[ ${user-} ]] || exec "$@"
home=$(getent passwd "$user" | cut -d : -f 6)
exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups env -i HOME="$home" PATH="$PATH" LANG=C.UTF-8 "$@"
"""
_PYTHON = """\
#!{python}
import sys
sys.path.insert(0, {project!r})
from {module} import main
sys.exit(main())
"""


def main(folder: Path, arguments: list[str]) -> None:
    """Make the machine, and become pytest."""
    let_go_of_other_mounts()
    for name in _LAYERS:
        upper, work = folder / name, folder / f"{name}.work"
        upper.mkdir(parents=True)
        work.mkdir()
        mount("overlay", Path("/", name), "overlay", 0, f"lowerdir=/{name},upperdir={upper},workdir={work}")
    open_device(folder)
    make_reachable([_PROJECT, Path(sys.prefix), Path(sys.base_prefix).resolve()])
    for place in (Path("/mnt"), Path("/run")):
        mount("tmpfs", place, "tmpfs", 0, "mode=755")
    _make_programs()
    for words in ("link set lo up multicast on", "route add 224.0.0.0/4 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    os.umask(0o022)
    os.chdir(_PROJECT)
    os.environ["PATH"] = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments])


def _make_programs() -> None:
    BIN.mkdir()
    (BIN / "sudo").write_text(_SUDO)
    for name, module in (("coursefs", "coursefs.cli.main"), ("systemctl", "tests.foreign.small_systemd")):
        text = _PYTHON.format(python=sys.executable, project=str(_PROJECT), module=module)
        (BIN / name).write_text(text)
    for program in BIN.iterdir():
        program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
