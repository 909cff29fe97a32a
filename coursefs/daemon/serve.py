"""The process behind a mount: from the settings to the last unmount."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from coursefs import __version__
from coursefs.daemon import http, metrics, socket
from coursefs.daemon.claims import claimed
from coursefs.daemon.commands import commands
from coursefs.daemon.readiness import Readiness
from coursefs.daemon.reloading import Reloading
from coursefs.daemon.report import library_report
from coursefs.daemon.transfers import UnderWay
from coursefs.defects import Defect, told
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.library import Library, LibrarySettings, open_library, require_accounts
from coursefs.mount.mountpoint import prepare, require_fuse
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.session import mount

log = logging.getLogger(__name__)

#: seconds that a mount of known courses waits for the platform's word on the sign-in
_SIGN_IN_CHECK = 3.0

#: objects between two looks for cycles, of which there are few: a walk makes and drops hundreds of thousands of others
_BEFORE_A_COLLECTION = 20_000


@dataclass(frozen=True, slots=True)
class Job:
    """What a daemon is to do."""

    library: LibrarySettings
    mountpoint: Path
    options: MountOptions
    runtime_dir: Path
    is_demo: bool = False
    metrics_port: int | None = None  # of 127.0.0.1; None: on the control socket alone
    #: reads settings and secrets again; blocking.  None: there is nothing to be read
    again: Callable[[], LibrarySettings] | None = None


def run(job: Job, readiness: Readiness) -> None:
    """Mount and serve until unmounted or told to end.  Raises `CoursefsError` when it cannot be mounted."""
    try:
        require_fuse()
        require_accounts(job.library.accounts)
        mountpoint = prepare(job.mountpoint)
        with claimed(mountpoint, job.library.catalogue, job.runtime_dir):
            trio.run(_serve, job, mountpoint, readiness)
    except BaseException as error:
        why = told(error)
        readiness.failed(why)
        if isinstance(why, Defect):
            raise
        raise why from None


async def _serve(job: Job, mountpoint: Path, readiness: Readiness) -> None:
    async with open_library(job.library) as library:
        notes = await check_accounts(library)
        started = time.time()

        def mounted(operations: Operations) -> None:
            state.append(operations)
            for note in notes:
                log.warning("%s", note)
            log.info("mounted at %s", mountpoint)
            gc.freeze()  # what there is now stays: no collection need look at it again
            gc.set_threshold(_BEFORE_A_COLLECTION)
            said = [library.notice] if library.notice else []  # logged already
            readiness.ready([*said, *notes], ready)

        state: list[Operations] = []
        under_way = UnderWay()
        ready = f"{mountpoint} is mounted"

        def status() -> dict[str, Any]:
            return {
                "mountpoint": str(mountpoint),
                "pid": os.getpid(),
                "version": __version__,
                "demo": job.is_demo,
                "since": started,
                "ready": bool(state),
                "offline": library.offline,
                "open_files": state[0].open_files if state else 0,
                **library_report(library, under_way.carried()),
                "transfers": under_way.report(),
            }

        async def say_status(_: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
            yield status()

        async def say_metrics() -> tuple[str, str]:
            return metrics.CONTENT_TYPE, metrics.text(status())

        reloading = Reloading(library, job.again, readiness.manager, ready)
        known = {"status": say_status, "reload": reloading.command, **commands(library, under_way)}
        pages = {"/metrics": say_metrics}
        control = socket.path_for(job.runtime_dir, mountpoint)
        async with socket.serving(control, known, pages), http.serving(job.metrics_port, pages):
            # SIGHUP tells a daemon to read its settings again, and everybody else that the terminal is gone
            on_hangup = reloading.on_hangup if readiness.is_background or readiness.is_service else None
            await mount(library, mountpoint, job.options, mounted=mounted, hung_up=on_hangup)
        log.info("unmounted %s", mountpoint)
        readiness.manager.stopping()


async def check_accounts(library: Library) -> list[str]:
    """Make sure that there is something to show, before anything is mounted.

    An account that was never listed is listed now; of one that is known the sign-in is checked, for a few seconds at
    most.  Returns a line for each account that has a problem while others work.  Raises the problem when there is no
    account without one; having no network is none for an account that is known.
    """
    problems: list[CoursefsError] = []
    notes: list[str] = []

    async def check(name: str) -> None:
        known = library.known(name)
        if known and library.offline:
            return
        try:
            if not known or not library.courses(name):  # perhaps the first enrolment was made since
                await library.refresh_courses(name)
                return
            with trio.move_on_after(_SIGN_IN_CHECK):
                await library.providers[name].whoami()
        except NotSignedIn as error:
            hint = "; what was read before: coursefs mount -o offline …" if known else ""
            problems.append(NotSignedIn(f"{error}{hint}"))
        except CoursefsError as error:
            if known:
                notes.append(f"{name}: {error}; showing what is known")
            else:
                problems.append(
                    type(error)(f"{name}: {error}; its courses were never listed, so there is nothing to show")
                )

    async with trio.open_nursery() as nursery:
        for account in library.settings.accounts:
            nursery.start_soon(check, account.name)
    if problems and len(problems) == len(library.settings.accounts):
        raise min(problems, key=lambda error: not isinstance(error, NotSignedIn))
    return [*notes, *(str(error) for error in problems)]
