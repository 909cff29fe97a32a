"""Become an ordinary user, in a mount namespace of one's own, and run a module, pytest by default; root starts this.

    unshare --mount --propagation private python tests/ordinary.py FOLDER [--module NAME] [arguments of the module]

Root passes every permission check, so tests that run as root cannot see a file system that is too strict for others.
FUSE lets only the mounting user in, so it does not do to run coursefs alone as that user: the test must be that
user too.  What an ordinary user lacks on a machine of root's is made good in the mount namespace, which ends with the
process, and not by a capability, which would pass permission checks as well:

* `/mnt` is FOLDER, where home and temporary files are;
* `/etc/passwd` and `/etc/group` know the user;
* `/dev/fuse` is open to everybody, as udev has it;
* the interpreter, the environment, the project and the program that is tested can be reached, also where they lie in
  root's home.

It imports nothing of the project, and changes nothing outside of FOLDER.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import sys
from pathlib import Path

UID = 45678
NAME = "learner"
_PROJECT = Path(__file__).resolve().parents[1]
_PLACE = Path("/mnt")
_MS_BIND = 4096
_MNT_DETACH = 2
_FUSE_DEVICE = os.makedev(10, 229)


def main(folder: Path, arguments: list[str]) -> None:
    """Prepare the namespace, give up all rights for good, and become the module."""
    names = ["PATH", "LANG", "COURSEFS_REQUIRE_FUSE", "COURSEFS_PROGRAM"]
    module, options = "pytest", ["-p", "no:cacheprovider"]
    if arguments[:1] == ["--module"]:
        module, options, arguments = arguments[1], [], arguments[2:]
        names.append("PYTHONPATH")  # of a benchmark; the tests set their own
    let_go_of_other_mounts()
    folder.mkdir()
    folder.chmod(0o755)
    for name, mode in (("home", 0o700), ("tmp", 0o700)):
        (folder / name).mkdir()
        os.chown(folder / name, UID, UID)
        (folder / name).chmod(mode)
    _know_user(folder)
    open_device(folder)
    tested = [Path(program).parent] if (program := os.environ.get("COURSEFS_PROGRAM")) else []
    make_reachable([_PROJECT, Path(sys.prefix), Path(sys.base_prefix).resolve(), *tested])
    _bind(folder, _PLACE)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.umask(0o022)
    os.chdir(_PROJECT)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    environment = kept | {
        "HOME": str(_PLACE / "home"),
        "USER": NAME,
        "LOGNAME": NAME,
        "TMPDIR": str(_PLACE / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(_PLACE / "tmp" / "hypothesis"),
    }
    os.execve(sys.executable, [sys.executable, "-m", module, *options, *arguments], environment)


def let_go_of_other_mounts() -> None:
    """Drop this namespace's copies of FUSE mounts: each would keep its file system alive after it was unmounted."""
    libc = ctypes.CDLL(None, use_errno=True)
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields = line.split(b" ")
        if fields[fields.index(b"-") + 1].startswith(b"fuse."):
            path = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), fields[4])
            libc.umount2(path, _MNT_DETACH)


def _know_user(folder: Path) -> None:
    lines = {"passwd": f"{NAME}:x:{UID}:{UID}::{_PLACE}/home:/bin/sh\n", "group": f"{NAME}:x:{UID}:\n"}
    for name, line in lines.items():
        known = Path("/etc", name)
        (folder / name).write_text(f"{known.read_text().rstrip()}\n{line}")
        _bind(folder / name, known)


def open_device(folder: Path) -> None:
    """Open /dev/fuse to all users, by a device in this folder."""
    device = Path("/dev/fuse")
    if stat.S_IMODE(device.stat().st_mode) & 0o006 == 0o006:
        return
    os.mknod(folder / "fuse", stat.S_IFCHR | 0o666, _FUSE_DEVICE)
    (folder / "fuse").chmod(0o666)
    _bind(folder / "fuse", device)


def make_reachable(paths: list[Path]) -> None:
    """Put an open folder in the place of each closed one above the paths, with nothing in it but the paths."""
    below: dict[Path, list[Path]] = {}
    for path in paths:
        closed = next((each for each in reversed(path.parents) if not each.stat().st_mode & stat.S_IXOTH), None)
        if closed is not None:
            below.setdefault(closed, []).append(path)
    for closed, hidden in below.items():
        held = [os.open(path, os.O_PATH) for path in hidden]
        mount("tmpfs", closed, "tmpfs", 0, "mode=755")
        for path, number in zip(hidden, held, strict=True):
            path.mkdir(parents=True, exist_ok=True)
            _bind(Path(f"/proc/self/fd/{number}"), path)
            os.close(number)


def _bind(source: Path, target: Path) -> None:
    mount(str(source), target, "", _MS_BIND, "")


def mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    """Mount in this namespace. Raises `OSError` where that fails."""
    # mount(2) and not mount(8), which would make a path of what is known by its descriptor alone
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
