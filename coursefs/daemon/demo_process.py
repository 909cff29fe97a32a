"""The demo platforms as a child process that ends with this one, even after kill -9.

It is a module of its own because only the demo needs it, and its packages are an extra.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coursefs.base.installation import own_command
from coursefs.errors import CoursefsError
from coursefs.library import AccountSource


def require_demo() -> None:
    """Raise `CoursefsError` if the extra packages of the sample platforms are not installed."""
    if not all(map(importlib.util.find_spec, ("hypercorn", "starlette"))):
        raise CoursefsError("the sample platforms need two more packages: pip install 'coursefs[demo]'")


@contextmanager
def demo_accounts() -> Iterator[list[AccountSource]]:
    """Run the demo platforms while the context lasts; yield an account on each.

    Raises `CoursefsError` if they do not start.
    """
    process = subprocess.Popen(  # noqa: S603
        [*own_command("coursefs.demo"), "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C must reach only us: the platforms are needed until we have unmounted
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield _described(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _described(line: bytes) -> list[AccountSource]:
    try:
        accounts: Mapping[str, Mapping[str, Any]] = json.loads(line)["accounts"]
        return [
            AccountSource(name, one["provider"], one["settings"], one["secrets"], one.get("folder", ""))
            for name, one in accounts.items()
        ]
    except (ValueError, KeyError):
        raise CoursefsError("the demo platforms did not start") from None
