"""Check that an upgrade keeps what an older version has: names, inode numbers, sizes, cached bytes.

usage: .venv/bin/python scripts/packaging/check_upgrade.py OLD NEW      (two programs)

The older program signs in to the sample platform, mounts, and reads every file.  Then the newer one mounts with the
same home: every file of the platform must have its path, inode number, size and bytes, and none may be asked for again.
Pages that coursefs writes (.html) are left out: a newer version may write them differently.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

#: inode number, size in bytes, SHA-256
Seen = Mapping[str, tuple[int, int, str]]


def main(old: str, new: str) -> None:
    """Run both programs; ends the process with a message if something moved or was fetched again."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        mountpoint = home / "courses"
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        command = [sys.executable, "-m", "coursefs.demo", "--control", "--until-stdin-closes"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as platform:
            assert platform.stdin is not None and platform.stdout is not None
            try:
                ready = json.loads(platform.stdout.readline())
                coursera = ready["accounts"]["coursera"]
                login = ["login", "coursera", "--base-url", coursera["settings"]["base_url"], "--cauth", "-"]
                subprocess.run([old, *login], input=coursera["secrets"]["cauth"].encode(), env=environment, check=True)
                before = _seen(old, mountpoint, environment)
                fetched_before = {one["path"] for one in _asked(ready["control"]) if one["port"] == "cdn"}
                _asked(ready["control"], forget=True)
                after = _seen(new, mountpoint, environment)
                asked = _asked(ready["control"])
            finally:
                platform.stdin.close()
    files = {path: what for path, what in before.items() if not path.endswith(".html")}
    moved = [(path, what, after.get(path)) for path, what in files.items() if after.get(path) != what]
    if not files or moved:
        raise SystemExit(f"moved or changed: {moved}")
    fetched = [one["path"] for one in asked if one["path"] in fetched_before]
    if fetched or not fetched_before:
        raise SystemExit(f"fetched again: {fetched}")
    print(f"{len(files)} files are where they were, with their bytes, and none was fetched again")


def _seen(program: str, mountpoint: Path, environment: Mapping[str, str]) -> Seen:
    mountpoint.mkdir(exist_ok=True)  # which the oldest version does not make
    subprocess.run([program, "mount", mountpoint], env=environment, check=True)
    try:
        seen = {}
        for file in sorted(mountpoint.rglob("*")):
            if file.is_file():
                data = file.read_bytes()
                path = str(file.relative_to(mountpoint))
                seen[path] = (file.stat().st_ino, len(data), hashlib.sha256(data).hexdigest())
        return seen
    finally:
        subprocess.run([program, "umount", mountpoint], env=environment, check=True)


def _asked(control: str, *, forget: bool = False) -> list[Mapping[str, object]]:
    """What the platform was asked."""
    request = Request(f"{control}/requests", method="DELETE" if forget else "GET")
    with build_opener(ProxyHandler({})).open(request) as reply:
        found: list[Mapping[str, object]] = json.load(reply)["requests"]
        return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(str(__doc__))
    main(*sys.argv[1:])
