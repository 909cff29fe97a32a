"""The process behind a mount: from the settings to the last unmount."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import trio

from coursefs import __version__
from coursefs.daemon import socket
from coursefs.daemon.claims import claimed
from coursefs.daemon.commands import commands
from coursefs.daemon.readiness import Readiness
from coursefs.defects import Defect, told
from coursefs.errors import CoursefsError, NotSignedIn
from coursefs.library import Library, LibrarySettings, open_library, require_accounts
from coursefs.model import Route
from coursefs.mount.mountpoint import prepare, require_fuse
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.session import mount
from coursefs.providers.base import HasRoutes, Provider

log = logging.getLogger(__name__)

#: seconds that a mount of known courses waits for the platform's word on the sign-in
_SIGN_IN_CHECK = 3.0


@dataclass(frozen=True, slots=True)
class Job:
    """What a daemon is to do."""

    library: LibrarySettings
    mountpoint: Path
    options: MountOptions
    runtime_dir: Path
    is_demo: bool = False


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
            readiness.ready(notes)

        state: list[Operations] = []

        async def status(_: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
            yield {
                "mountpoint": str(mountpoint),
                "pid": os.getpid(),
                "version": __version__,
                "demo": job.is_demo,
                "since": started,
                "ready": bool(state),
                "offline": library.offline,
                "open_files": state[0].open_files if state else 0,
                **_library_status(library),
            }

        known = {"status": status, **commands(library)}
        async with socket.serving(socket.path_for(job.runtime_dir, mountpoint), known):
            await mount(library, mountpoint, job.options, mounted=mounted)
        log.info("unmounted %s", mountpoint)


def _library_status(library: Library) -> dict[str, Any]:
    files, size = library.totals()
    use = library.use()
    return {
        "accounts": [
            {
                "name": one.name,
                "provider": one.provider,
                "courses": sum(not course.hidden for course in library.courses(one.name)),
                "trouble": None if (trouble := library.tree.renewal.trouble(one.name)) is None else str(trouble),
                "routes": [asdict(route) for route in _routes(library.providers[one.name])],
            }
            for one in library.settings.accounts
        ],
        "catalogue": {"entries": files, "bytes": size},
        "fill": asdict(library.fill.progress),
        "cache": {"directory": str(use.directory), "bytes": use.bytes, "files": use.files, "max_size": use.max_size},
    }


def _routes(provider: Provider) -> Sequence[Route]:
    return provider.routes() if isinstance(provider, HasRoutes) else ()


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
