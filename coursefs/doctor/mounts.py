"""What mounts that are there say, or that they say nothing (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coursefs.doctor import routes
from coursefs.doctor.finding import Finding, State
from coursefs.model import Route


def answers(status: Mapping[str, Any]) -> Iterator[Finding]:
    """A mount that says how it is doing.

    It has met more of the platforms than a doctor may ask for: a route that was gone for it is a problem here.
    """
    check = f"mount {status['mountpoint']}"
    yield Finding(check, State.OK, f"answers, process {status['pid']}")
    for account in status["accounts"]:
        met = [Route(route["name"], route["trouble"]) for route in account["routes"]]
        yield from routes.gone(check, met, prefix=f"{account['name']}, ")


def is_silent(mountpoint: Path) -> Finding:
    """A mount whose process does not answer."""
    return Finding(f"mount {mountpoint}", State.PROBLEM, "its process does not answer", _umount(mountpoint))


def is_dead(mountpoint: Path) -> Finding:
    """A mount that a killed process has left."""
    return Finding(f"mount {mountpoint}", State.PROBLEM, "its process is gone", _umount(mountpoint))


def _umount(mountpoint: Path) -> str:
    return f"coursefs umount {shlex.quote(str(mountpoint))}"
