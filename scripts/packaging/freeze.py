"""Make the self-contained folder: an interpreter with its libraries, every package, and launchers.

usage: PYTHON scripts/packaging/freeze.py WHEELS FOLDER [DOCUMENTS]

WHEELS is a folder with one wheel of coursefs and of each package that it needs; DOCUMENTS is copied beside them.  The
interpreter that runs this is the one that is copied; its pip installs the wheels.  Of the libraries only those of glibc
are left to the machine, so build on the oldest system that is to run it.  `patchelf` and `strip` are needed.

It copies a real interpreter instead of freezing modules (PyInstaller): child processes, `-X utf8` and error messages
work as in every other installation, and programs that coursefs starts (fusermount3, a player, a browser) do not inherit
an LD_LIBRARY_PATH with our libraries.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

#: modules of the standard library that coursefs and its packages never import, or whose libraries (readline: GPL 3,
#: Berkeley DB: AGPL) may not be passed on with an MIT program
_LEFT_OUT = frozenset(
    """test idlelib tkinter turtledemo turtle.py lib2to3 ensurepip pydoc_data curses dbm venv site-packages
    dist-packages cgi.py cgitb.py sitecustomize.py EXTERNALLY-MANAGED __pycache__""".split()
)
_LEFT_OUT_BINARIES = re.compile(
    r"(_tkinter|readline|_g?dbm|_curses|_curses_panel|nis|ossaudiodev|xxlimited|xxlimited_35|_xxtestfuzz|_ctypes_test"
    r"|_test\w+)\."
)
#: what belongs to glibc, and has to be of the machine
_OF_GLIBC = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl|mvec|BrokenLocale))\.so(\.\d+)?$")
#: in installed packages: what is for compilers and for the tests of their authors
_LEFT_OUT_OF_PACKAGES = "*.pyx *.pxd *.pxi *.pyi *.c *.h *.a RECORD INSTALLER REQUESTED direct_url.json".split()

_LAUNCHER = """\
#!/bin/sh
# Start {module} with the interpreter in this folder, whatever Python, and variables of Python, this machine has.
self=$(readlink -f -- "$0") || exit 1
here=${{self%/*}}
exec "$here/python/bin/{interpreter}" -I -X coursefs-program="$here/coursefs" -m {module} "$@"
"""
_PROGRAMS = {
    "coursefs": "coursefs",
    "mount.coursefs": "coursefs.cli.mount_helper",
    "mount.fuse.coursefs": "coursefs.cli.mount_helper",
}


def main(wheels: Path, folder: Path, documents: Path | None) -> None:
    """Make the folder; it must not exist."""
    python = folder / "python"
    interpreter = _copy_interpreter(python)
    site = _packages_folder(interpreter)
    _install(wheels, site)
    _copy_libraries(python)
    _make_unexecutable(python)
    _compile(interpreter, python)
    for name, module in _PROGRAMS.items():
        launcher = folder / name
        launcher.write_text(_LAUNCHER.format(module=module, interpreter=interpreter.name), encoding="utf-8")
        launcher.chmod(0o755)
    if documents is not None:
        shutil.copytree(documents, folder, dirs_exist_ok=True)
    _check(interpreter, python)


def _copy_interpreter(python: Path) -> Path:
    """Copy this interpreter and its standard library into a folder; returns its path there."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    there = python / "bin" / version
    there.parent.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), there)
    standard = Path(sysconfig.get_path("stdlib"))

    def ignored(folder: str, names: list[str]) -> set[str]:
        left_out = {"__pycache__"} & set(names)
        if Path(folder) == standard:
            left_out |= {one for one in names if one in _LEFT_OUT or one.startswith("config-")}
        if Path(folder).name == "lib-dynload":
            left_out |= {one for one in names if _LEFT_OUT_BINARIES.match(one)}
        return left_out

    shutil.copytree(standard, python / "lib" / version, ignore=ignored, symlinks=False)
    return there


def _packages_folder(interpreter: Path) -> Path:
    """Where the copied interpreter looks for packages: a folder of its own, whichever its build prefers."""
    ask = "import site, sys; print(sys.prefix); print(site.getsitepackages()[-1])"
    command = [interpreter, "-I", "-B", "-c", ask]
    prefix, packages = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    if Path(prefix).resolve() != interpreter.parents[1].resolve():
        raise SystemExit(f"the copied interpreter takes its library from {prefix}")
    return Path(packages)


def _install(wheels: Path, site: Path) -> None:
    """Install every wheel, without asking an index, and without what only tools need."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([*command, "--target", site, *sorted(wheels.glob("*.whl"))], check=True)
    for name in ("bin", "share"):
        shutil.rmtree(site / name, ignore_errors=True)
    for pattern in _LEFT_OUT_OF_PACKAGES:
        for file in site.rglob(pattern):
            file.unlink()


def _make_unexecutable(python: Path) -> None:
    """Modules of the standard library that are programs, too, name interpreters that the machine need not have."""
    for file in (python / "lib").rglob("*"):
        if file.is_file():
            file.chmod(0o644)


def _copy_libraries(python: Path) -> None:
    """Copy the shared libraries that the binaries need into `lib`, and have them found there."""
    libraries = python / "lib"
    waiting = list(_binaries(python))
    while waiting:
        binary = waiting.pop()
        for needed in _libraries_of(binary):
            if _OF_GLIBC.match(needed.name) or python.resolve() in needed.resolve().parents:
                continue
            copied = libraries / needed.name
            if not copied.exists():
                shutil.copy(needed.resolve(), copied)
                copied.chmod(0o644)
                waiting.append(copied)
    for binary in sorted(_binaries(python)):
        subprocess.run(["strip", "--strip-unneeded", binary], check=True)
        if not any(part.endswith(".libs") for part in binary.parts) and not _is_of_a_repaired_wheel(binary):
            origin = os.path.relpath(libraries, binary.parent)
            subprocess.run(["patchelf", "--set-rpath", f"$ORIGIN/{origin}", binary], check=True)


def _is_of_a_repaired_wheel(binary: Path) -> bool:
    """Whether a binary finds libraries that its wheel brings along."""
    path = subprocess.run(["patchelf", "--print-rpath", binary], check=True, capture_output=True, text=True).stdout
    return ".libs" in path


def _binaries(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as opened:
                if opened.read(4) == b"\x7fELF":
                    yield file


def _libraries_of(binary: Path) -> Iterator[Path]:
    """The shared libraries that the dynamic linker takes for a binary.  Ends the program if one is missing."""
    done = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if "not found" in line:
            raise SystemExit(f"{binary}: {line.strip()}")
        if match := re.match(r"\s*\S+ => (/\S+)", line):
            yield Path(match[1])


def _compile(interpreter: Path, python: Path) -> None:
    """Compile all modules, without dates and paths of this machine; they are never compiled again."""
    command = [
        interpreter,
        "-I",
        "-B",
        "-m",
        "compileall",
        "-q",
        "-f",
        "-j",
        "1",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run([*command, "-s", python, "-p", "/", python / "lib"], check=True, env=environment)


def _check(interpreter: Path, python: Path) -> None:
    """End the program if something outside of the folder is used."""
    ask = "import sys, coursefs.cli.main, pyfuse3; print(*sys.path, *(m.__file__ for m in sys.modules.values()"
    ask += " if getattr(m, '__file__', None)), sep='\\n')"
    said = subprocess.run([interpreter, "-I", "-B", "-c", ask], check=True, capture_output=True, text=True).stdout
    outside = [line for line in said.splitlines() if python.resolve() not in Path(line).resolve().parents]
    if outside:
        raise SystemExit(f"taken from elsewhere: {outside}")


if __name__ == "__main__":
    if len(sys.argv) not in {3, 4}:
        sys.exit(str(__doc__))
    main(*(Path(one).absolute() for one in sys.argv[1:3]), Path(sys.argv[3]).absolute() if len(sys.argv) == 4 else None)
