"""The demo platforms as a process of their own, which ends with the one that started it, however that ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from coursefs.errors import CoursefsError


@dataclass(frozen=True, slots=True)
class DemoPlatform:
    """Where the demo platforms are, and how to sign in to them."""

    coursera_url: str
    cauth: str = field(repr=False)


@contextmanager
def demo_platform() -> Iterator[DemoPlatform]:
    """The demo platforms, as long as the context lasts.  Raises `CoursefsError` when they do not start."""
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


def _described(line: bytes) -> DemoPlatform:
    try:
        coursera: Mapping[str, str] = json.loads(line)["coursera"]
        return DemoPlatform(coursera["base_url"], coursera["cauth"])
    except (ValueError, KeyError):
        raise CoursefsError("the demo platforms did not start") from None
