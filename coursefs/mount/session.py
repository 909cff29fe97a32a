"""A FUSE session: from mounting to the last unmount."""

from __future__ import annotations

import functools
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pyfuse3
import trio

from coursefs.errors import CoursefsError
from coursefs.library import Library, Node
from coursefs.mount import holders, libfuse
from coursefs.mount.kernel import raise_limits
from coursefs.mount.mountpoint import prepare
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.turns import long_turns

log = logging.getLogger(__name__)

#: seconds that running requests get to end by themselves when the mount is to end
_GRACE = 2.0


async def mount(
    library: Library,
    mountpoint: Path,
    options: MountOptions,
    *,
    mounted: Callable[[Operations], None],
    hung_up: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Mount, serve until somebody unmounts or SIGTERM, SIGINT or SIGHUP comes, and leave no mount behind.

    `mounted` is called as soon as the mount answers; `hung_up`, where it is given, whenever SIGHUP comes, which ends
    nothing then.  Raises `CoursefsError` when it cannot be mounted.  There is one
    session in a process: that is how libfuse's binding is made.
    """
    operations = Operations(library, options, is_held=_holder_check(mountpoint, options))
    async with _signals(hung_up is not None) as signals:
        # once more: since it was looked at, platforms were asked, and somebody else may have mounted there
        await trio.to_thread.run_sync(prepare, mountpoint)
        libfuse.init(operations, mountpoint, _kernel_options(options))
        try:
            library.on_change(_tell_kernel)
            with long_turns():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_end_on_signal, signals, nursery, hung_up)
                    nursery.start_soon(_answers, mountpoint, lambda: mounted(operations))
                    await pyfuse3.main()
                    nursery.cancel_scope.cancel()
        finally:
            library.on_change(lambda *_: None)
            # lazily: programs that are still in there keep their open files, and get an error from them
            pyfuse3.close(unmount=True)


def _holder_check(mountpoint: Path, options: MountOptions) -> Callable[[str], bool] | None:
    """What says whether any process has a file open; None where there may be processes that we cannot see."""
    if os.geteuid() and not {"allow_other", "allow_root"}.isdisjoint(options.kernel):
        return None
    return functools.partial(holders.is_open, mountpoint)


def _kernel_options(options: MountOptions) -> set[str]:
    return {"fsname=coursefs", "subtype=coursefs", "ro", "default_permissions", "nosuid", "nodev", *options.kernel}


async def _answers(mountpoint: Path, then: Callable[[], None]) -> None:
    """Wait for the first answer of the mount, asked for like any program would."""
    try:
        await trio.to_thread.run_sync(mountpoint.stat, abandon_on_cancel=True)
    except OSError as error:
        raise CoursefsError(f"{mountpoint}: the mount does not answer: {error.strerror}") from None
    await trio.to_thread.run_sync(raise_limits, mountpoint, abandon_on_cancel=True)
    then()


@asynccontextmanager
async def _signals(always_hangup: bool) -> AsyncIterator[AsyncIterator[int]]:
    numbers = [signal.SIGTERM, signal.SIGINT]
    if always_hangup or signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants it to outlive its terminal
        numbers.append(signal.SIGHUP)
    with trio.open_signal_receiver(*numbers) as received:
        yield received


async def _end_on_signal(
    signals: AsyncIterator[int], nursery: trio.Nursery, hung_up: Callable[[], Awaitable[None]] | None
) -> None:
    async for number in signals:
        if number == signal.SIGHUP and hung_up is not None:
            nursery.start_soon(hung_up)
            continue
        log.info("%s: unmounting", signal.Signals(number).name)
        pyfuse3.terminate()
        await trio.sleep(_GRACE)  # `main` ends earlier, and cancels this, when no request is under way
        nursery.cancel_scope.cancel()


def _tell_kernel(changed: Sequence[Node], names: Sequence[tuple[int, str]]) -> None:
    """Make the kernel ask again for what has changed.

    Attributes only: dropping pages would wait for reads that wait for this very thread.  The kernel drops the pages
    by itself when it sees another size or mtime.
    """
    for inode in {node.inode for node in changed} | {parent for parent, _ in names}:
        try:
            pyfuse3.invalidate_inode(inode, attr_only=True)
        except OSError as error:  # it never asked for that one
            log.debug("inode %d: %s", inode, error)
    for parent, name in names:
        pyfuse3.invalidate_entry_async(parent, name.encode(), deleted=0, ignore_enoent=True)
