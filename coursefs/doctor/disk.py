"""Checks of the disk: folders are writable and private, there is free space, databases are undamaged."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from coursefs.doctor.finding import Finding, Severity
from coursefs.settings.paths import AppPaths


def disk(app_paths: AppPaths, cache_dir: Path, min_free: int) -> Iterator[Finding]:
    """All checks of the disk, in this order; nothing is written."""
    folders = {
        "settings folder": app_paths.config_file.parent,
        "state folder": app_paths.state_dir,
        "cache folder": cache_dir,
        "socket folder": app_paths.runtime_dir,
    }
    for name, folder in folders.items():
        yield writable(name, folder)
    yield private("secrets folder", app_paths.credentials_dir)
    yield disk_space(cache_dir, min_free)
    yield database("catalogue", app_paths.catalogue, "coursefs update")
    yield database("cache record", cache_dir / "v1" / "record.sqlite", "coursefs cache verify")


def writable(name: str, folder: Path) -> Finding:
    """Check that a folder can be written to, or created."""
    there = _nearest(folder)
    if not there.is_dir():
        return Finding(name, Severity.PROBLEM, f"{there} is not a folder", f"mv {_q(there)} {_q(there)}.old")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            name,
            Severity.PROBLEM,
            f"{there} is not writable for you",
            f"sudo chown -R {os.getuid()}:{os.getgid()} {_q(there)}",
        )
    missing = "" if there == folder else " (created when needed)"
    return Finding(name, Severity.OK, f"{folder}{missing}")


def private(name: str, folder: Path) -> Finding:
    """Check that a folder with secrets, if it exists, is accessible to its owner alone."""
    try:
        status = folder.stat()
    except OSError:
        return Finding(name, Severity.OK, f"{folder} does not exist: secrets are in the keyring, or there are none")
    if status.st_uid != os.geteuid():
        return Finding(
            name, Severity.PROBLEM, f"{folder} belongs to another user", f"sudo chown -R {os.geteuid()} {_q(folder)}"
        )
    open_ones = [each for each in (folder, *folder.glob("*")) if stat.S_IMODE(each.stat().st_mode) & 0o077]
    if open_ones:
        return Finding(
            name, Severity.PROBLEM, f"{open_ones[0]} is open to other users", f"chmod -R u=rwX,go= {_q(folder)}"
        )
    return Finding(name, Severity.OK, f"{folder}")


def disk_space(cache_dir: Path, min_free: int) -> Finding:
    """Check that the disk of the cache has more free space than `min_free` bytes."""
    free = shutil.disk_usage(_nearest(cache_dir)).free
    gib = f"{free / 2**30:.1f} GiB free"
    if free < min_free:
        return Finding(
            "disk space",
            Severity.PROBLEM,
            f"{gib} for {cache_dir}, but cache.min_free is {min_free / 2**30:.1f} GiB: nothing more is cached",
            "coursefs cache clear   # or another cache.dir in the settings",
        )
    return Finding("disk space", Severity.OK, f"{gib} for {cache_dir}")


def database(name: str, path: Path, repair: str) -> Finding:
    """Check a SQLite database for damage; a missing one is fine. `repair` is the command that rebuilds it."""
    if not path.exists():
        return Finding(name, Severity.OK, "does not exist yet")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=0.5)) as there:
            said = there.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return Finding(name, Severity.OK, f"{path} is in use")  # the mount that uses it has checked it
        said = str(error)
    if said != "ok":
        advice = f"mv {_q(path)} {_q(path)}.bad && {repair}   # unmount first"
        return Finding(name, Severity.PROBLEM, f"{path} is damaged: {said}", advice)
    return Finding(name, Severity.OK, f"{path}")


def _nearest(folder: Path) -> Path:
    """The folder itself, or its nearest existing parent."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _q(path: Path) -> str:
    return shlex.quote(str(path))
