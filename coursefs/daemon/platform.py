"""The demo platforms as a process of their own, which ends with the one that started it, however that ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coursefs.errors import CoursefsError
from coursefs.library import AccountSource


@contextmanager
def demo_accounts() -> Iterator[list[AccountSource]]:
    """An account on each of the demo platforms, which are there as long as the context lasts.

    Raises `CoursefsError` when they do not start.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "coursefs.demo", "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is for us: the platforms are there until we have unmounted
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
            AccountSource(name, one["provider"], one["settings"], one["secrets"], one.get("folder"))
            for name, one in accounts.items()
        ]
    except (ValueError, KeyError):
        raise CoursefsError("the demo platforms did not start") from None
