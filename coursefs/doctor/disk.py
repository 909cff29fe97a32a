"""The places on disk: whether they can be written, are private, have room, and hold what they should."""

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

from coursefs.doctor.finding import Finding, State
from coursefs.places import Places


def disk(places: Places, cache_dir: Path, min_free: int) -> Iterator[Finding]:
    """Everything that is looked at, in this order; nothing is written."""
    folders = {
        "settings folder": places.config_file.parent,
        "state folder": places.state_dir,
        "cache folder": cache_dir,
        "socket folder": places.runtime_dir,
    }
    for name, folder in folders.items():
        yield writable(name, folder)
    yield private("secrets folder", places.credentials_dir)
    yield room(cache_dir, min_free)
    yield database("catalogue", places.state_dir / "catalogue.sqlite", "coursefs update")
    yield database("cache record", cache_dir / "v1" / "record.sqlite", "coursefs cache verify")


def writable(name: str, folder: Path) -> Finding:
    """Whether a folder can be written into, or made."""
    there = _nearest(folder)
    if not there.is_dir():
        return Finding(name, State.PROBLEM, f"{there} is no folder", f"mv {_q(there)} {_q(there)}.old")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            name,
            State.PROBLEM,
            f"{there} cannot be written by you",
            f"sudo chown -R {os.getuid()}:{os.getgid()} {_q(there)}",
        )
    missing = "" if there == folder else " (is made when it is needed)"
    return Finding(name, State.OK, f"{folder}{missing}")


def private(name: str, folder: Path) -> Finding:
    """Whether a folder that holds secrets, if it is there, is open to its owner alone."""
    try:
        status = folder.stat()
    except OSError:
        return Finding(name, State.OK, f"{folder} is not there: the keyring holds the secrets, or there are none")
    if status.st_uid != os.geteuid():
        return Finding(
            name, State.PROBLEM, f"{folder} belongs to another user", f"sudo chown -R {os.geteuid()} {_q(folder)}"
        )
    open_ones = [each for each in (folder, *folder.glob("*")) if stat.S_IMODE(each.stat().st_mode) & 0o077]
    if open_ones:
        return Finding(
            name, State.PROBLEM, f"{open_ones[0]} is open to other users", f"chmod -R u=rwX,go= {_q(folder)}"
        )
    return Finding(name, State.OK, f"{folder}")


def room(cache_dir: Path, min_free: int) -> Finding:
    """Whether the disk of the cache has more free than what is to be left free."""
    free = shutil.disk_usage(_nearest(cache_dir)).free
    gib = f"{free / 2**30:.1f} GiB free"
    if free < min_free:
        return Finding(
            "disk space",
            State.PROBLEM,
            f"{gib} for {cache_dir}, less than the {min_free / 2**30:.1f} GiB of cache.min_free: nothing more is kept",
            "coursefs cache clear   # or another cache.dir in the settings",
        )
    return Finding("disk space", State.OK, f"{gib} for {cache_dir}")


def database(name: str, path: Path, against: str) -> Finding:
    """Whether a database is whole; one that is not there yet is."""
    if not path.exists():
        return Finding(name, State.OK, "is not there yet")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)) as there:
            said = there.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        advice = f"mv {_q(path)} {_q(path)}.bad && {against}   # with nothing mounted"
        return Finding(name, State.PROBLEM, f"{path} is damaged: {said}", advice)
    return Finding(name, State.OK, f"{path}")


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _q(path: Path) -> str:
    return shlex.quote(str(path))
