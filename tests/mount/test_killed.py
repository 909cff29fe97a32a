"""Programs that a signal ends while the mount waits for a network that does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from tests.mount.test_life import VIDEO
from tests.mount.test_tree import GRAPHICS
from tests.mount.world import LIMIT, World, platform_names, until

pytestmark = pytest.mark.mount

#: seconds; the read timeout is 60
_AT_ONCE = 5.0

_IN_A_THREAD = """
import os, sys, threading
waiting = threading.Thread(target=lambda: os.stat(sys.argv[1]))
waiting.start()
waiting.join()
"""
_IN_A_CHILD = """
import os, sys
read = open(sys.argv[1], "rb", buffering=0)
if os.fork():
    os.wait()
else:
    read.read(4096)
"""
_WITH_A_HANDLER = """
import os, sys
try:
    os.listdir(sys.argv[1])
except KeyboardInterrupt:
    sys.exit(7)
"""
_PAST_THE_PAGE_CACHE = """
import mmap, os, sys
os.readv(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)])
"""


def _python(code: str, path: object) -> Sequence[str]:
    return [sys.executable, "-c", code, str(path)]


def _seconds_to_end(world: World, command: Sequence[str], number: int) -> tuple[float, int]:
    """How long after a signal a command ends that waits for the platform, and its status."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as waiting:
        until(lambda: bool(world.platform.requests()), "the platform is asked")
        assert waiting.poll() is None
        begun = time.monotonic()
        os.killpg(waiting.pid, number)
        status = waiting.wait(timeout=LIMIT)
        return time.monotonic() - begun, status


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (["ls"], signal.SIGINT),
        (["ls", "-l"], signal.SIGKILL),
        (["ls"], signal.SIGQUIT),
        (["find"], signal.SIGTERM),
        ([sys.executable, "-c", _WITH_A_HANDLER], signal.SIGINT),
    ],
    ids=["ls", "ls -l", "dumps core", "find", "handler"],
)
def test_a_listing_that_waits_ends_at_once(mounted: World, command: list[str], number: int) -> None:
    other = next(name for name in platform_names(mounted.mountpoint) if name != GRAPHICS)
    mounted.platform.faults(api_delay=1000)
    mounted.platform.forget()
    took, status = _seconds_to_end(mounted, [*command, str(mounted.path(other))], number)
    assert took < _AT_ONCE
    assert status in {7, 2, -number}  # `ls` has a handler of its own, and then an error or the signal
    assert platform_names(mounted.mountpoint), "the mount goes on"


def test_a_thread_that_waits_ends_at_once(mounted: World) -> None:
    other = next(one for one in platform_names(mounted.mountpoint) if one != GRAPHICS)
    mounted.platform.faults(api_delay=1000)
    mounted.platform.forget()
    took, _ = _seconds_to_end(mounted, _python(_IN_A_THREAD, mounted.path(other, "x")), signal.SIGKILL)
    assert took < _AT_ONCE


@pytest.mark.parametrize("command", [["cat"], ["stat"]], ids=["cat", "stat"])
def test_opening_a_file_that_was_never_listed_ends_at_once(mounted: World, command: list[str]) -> None:
    mounted.platform.faults(api_delay=1000)
    mounted.platform.forget()
    took, status = _seconds_to_end(mounted, [*command, str(mounted.path(VIDEO))], signal.SIGKILL)
    assert took < _AT_ONCE
    assert status == -signal.SIGKILL


@pytest.mark.parametrize("code", [_IN_A_CHILD, _PAST_THE_PAGE_CACHE], ids=["child", "past the page cache"])
def test_a_killed_reader_ends_at_once_however_it_reads(mounted: World, code: str) -> None:
    mounted.path(VIDEO).stat()
    mounted.platform.faults(cdn_stall=0)
    mounted.platform.forget()
    took, _ = _seconds_to_end(mounted, _python(code, mounted.path(VIDEO)), signal.SIGKILL)
    assert took < _AT_ONCE
    until(lambda: not mounted.status()["open_files"], "the file is closed")
