"""A FUSE session: from mounting to the last unmount.

libfuse writes the reason of a failed mount only to standard error, so that is captured while it mounts.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from pathlib import Path

import pyfuse3
import trio

from coursefs.base import threads
from coursefs.base.crash_messages import causes
from coursefs.errors import CoursefsError
from coursefs.library import Library
from coursefs.mount import holders, mountinfo, namespaces
from coursefs.mount.kernel import raise_limits
from coursefs.mount.kernel_cache import KernelCache
from coursefs.mount.last_resort import LastResort
from coursefs.mount.mountpoint import prepare
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.pyfuse3_loop import long_turns
from coursefs.mount.signals import Ending

log = logging.getLogger(__name__)


#: seconds for running requests to end by themselves when the mount ends
_GRACE = 2.0
#: errors when the kernel or libfuse has no memory for the next request, and seconds until the retry
_PASSING = frozenset({errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS})
_PAUSE = 0.2


async def mount(
    library: Library,
    mountpoint: Path,
    options: MountOptions,
    *,
    mounted: Callable[[Operations], None],
    ending: Ending | None = None,
    last_resort: LastResort | None = None,
) -> None:
    """Mount and serve until it is unmounted or `ending` is asked; leaves no mount behind, whatever fails.

    `mounted` is called when the mount answers. `last_resort` is told what is mounted, when that must end, and when it
    was unmounted. Raises `CoursefsError` if mounting fails. A process can have only one session, because the binding
    has global state.
    """
    end_soon = _nothing if last_resort is None else last_resort.begin
    operations = Operations(library, options, is_held=_holder_check(mountpoint, options))
    # check again: the first check was before requests to the platforms, and another process may have mounted here
    await threads.run_sync(lambda: prepare(mountpoint))
    init(operations, mountpoint, _kernel_options(options))
    ours: mountinfo.Mounted | None = None
    kernel_cache = KernelCache()
    try:
        ours = mountinfo.at(mountpoint)
        if last_resort is not None:
            last_resort.mount = ours
        library.on_change(kernel_cache.invalidate, kernel_cache.settled)
        with long_turns():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_when_told, ending or Ending(), nursery.cancel_scope)
                nursery.start_soon(_end_when_left, ours, operations, options, nursery.cancel_scope, end_soon)
                nursery.start_soon(_answers, mountpoint, kernel_cache, lambda: mounted(operations))
                await _requests()
                end_soon()
                nursery.cancel_scope.cancel()
    finally:
        library.on_change(lambda *_: None)
        kernel_cache.close()
        # Programs with open files keep them and get errors. A mount that another process has made here since is
        # not ours to unmount.
        pyfuse3.close(unmount=ours is None or ours.is_same(mountinfo.at(mountpoint)))


def _nothing() -> None:
    pass


def _holder_check(mountpoint: Path, options: MountOptions) -> Callable[[str], bool] | None:
    """The check whether any process has a file open; None if some processes may be invisible to us."""
    return holders.HeldFiles(mountpoint) if _sees_everybody(options) else None


def _sees_everybody(options: MountOptions) -> bool:
    """Whether we may see the open files of every process that can use the mount."""
    return not os.geteuid() or {"allow_other", "allow_root"}.isdisjoint(options.kernel)


def _kernel_options(options: MountOptions) -> set[str]:
    return {"fsname=coursefs", "subtype=coursefs", *options.for_kernel}


async def _answers(mountpoint: Path, kernel_cache: KernelCache, then: Callable[[], None]) -> None:
    """Wait for the first reply of the mount, to a request as any program makes it."""
    try:
        await threads.run_sync(mountpoint.stat, abandon_on_cancel=True)
    except OSError as error:
        raise CoursefsError(f"{mountpoint}: the mount does not answer: {error.strerror}") from None
    await threads.run_sync(lambda: raise_limits(mountpoint), abandon_on_cancel=True)
    kernel_cache.start()
    then()


async def _requests() -> None:
    """Serve kernel requests until it is unmounted or `pyfuse3.terminate` is called."""
    is_told = False
    while True:
        try:
            await pyfuse3.main()
        except (OSError, ExceptionGroup) as error:
            every = list(causes(error))  # several of the workers may have raised it
            if not all(isinstance(one, OSError) and one.errno in _PASSING for one in every):
                raise
            # requests in progress were answered with an error; the mount goes on
            log.log(logging.DEBUG if is_told else logging.WARNING, "requests could not be taken: %s", every[0])
            is_told = True
        else:
            return
        await trio.sleep(_PAUSE)


async def _end_when_told(ending: Ending, serving: trio.CancelScope) -> None:
    await ending.asked.wait()
    pyfuse3.terminate()
    with trio.move_on_after(_GRACE):  # `main` returns earlier, and cancels this, if no request is running
        await ending.hurried.wait()
    serving.cancel()


async def _end_when_left(
    ours: mountinfo.Mounted | None,
    operations: Operations,
    options: MountOptions,
    serving: trio.CancelScope,
    end_soon: Callable[[], None],
) -> None:
    """End the session of a mount that was unmounted here and is kept alive only by another mount namespace."""
    if ours is not None:
        await namespaces.until_left(ours, open_files=lambda: operations.in_use, sees_everybody=_sees_everybody(options))
        pyfuse3.terminate()
        end_soon()
        await trio.sleep(_GRACE)  # as above
        serving.cancel()


#: part of a message -> advice
_ADVICE = {
    "Operation not permitted": "in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN",
    "user_allow_other": "echo user_allow_other | sudo tee -a /etc/fuse.conf",
    "mount_max": "unmount one that is not needed; findmnt -t fuse,fuse.coursefs lists them",
}


def init(operations: pyfuse3.Operations, mountpoint: Path, options: AbstractSet[str]) -> None:
    """Mount, and start the one session of this process.

    Raises `CoursefsError` with the last message of libfuse or fusermount3; nothing is mounted then.
    """
    with ExitStack() as after:
        try:
            kept, heard = os.dup(2), os.memfd_create("libfuse")
        except OSError as error:
            raise CoursefsError(f"{mountpoint}: cannot be mounted: {error.strerror}") from None
        after.callback(os.close, kept)
        after.callback(os.close, heard)
        after.callback(os.dup2, kept, 2)
        os.dup2(heard, 2)
        try:
            pyfuse3.init(operations, str(mountpoint), set(options))
        except (RuntimeError, OSError) as error:
            said = os.pread(heard, 1 << 16, 0).decode(errors="replace")
            raise CoursefsError(f"{mountpoint}: cannot be mounted: {reason(said) or error}") from None
        with suppress(OSError):  # it is mounted: a full or closed log is no reason to fail
            os.write(kept, os.pread(heard, 1 << 16, 0))  # warnings, and messages of other threads in the meantime


def reason(said: str) -> str:
    """The last line of libfuse's messages, with advice if there is some."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    advice = next((advice for part, advice in _ADVICE.items() if part in last), None)
    return last if advice is None else f"{last} ({advice})"
