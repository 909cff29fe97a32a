"""The daemon process behind a mount: from the settings to the last unmount."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from coursefs import __version__
from coursefs.base import threads
from coursefs.base.crash_messages import Defect, told
from coursefs.daemon import memory, metrics, metrics_server, socket, socket_server
from coursefs.daemon.claims import claimed
from coursefs.daemon.commands import UnderWay, commands
from coursefs.daemon.opening import Opening
from coursefs.daemon.readiness import Readiness
from coursefs.daemon.reloading import Reloading
from coursefs.daemon.status_report import library_report
from coursefs.errors import NotSignedIn
from coursefs.library import LibrarySettings, open_library, require_accounts
from coursefs.mount.last_resort import LastResort
from coursefs.mount.mountpoint import prepare, require_fuse
from coursefs.mount.operations import Operations
from coursefs.mount.options import MountOptions
from coursefs.mount.session import mount
from coursefs.mount.signals import heard

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What a daemon mounts, and how."""

    library: LibrarySettings
    mountpoint: Path
    options: MountOptions
    socket_dirs: Sequence[Path]
    is_demo: bool = False
    metrics_port: int | None = None  # on 127.0.0.1; None: only on the control socket
    #: reads settings and secrets again; blocking. None: there are none
    again: Callable[[], LibrarySettings] | None = None


def run(daemon_options: DaemonOptions, readiness: Readiness) -> None:
    """Mount and serve until it is unmounted or a signal comes. Raises `CoursefsError` if it cannot be mounted."""
    try:
        require_fuse()
        require_accounts(daemon_options.library.accounts)
        mountpoint = prepare(daemon_options.mountpoint)
        memory.take_little()
        sockets = [socket.path_for(folder, mountpoint) for folder in daemon_options.socket_dirs]
        with (
            claimed(mountpoint, daemon_options.library.catalogue, daemon_options.socket_dirs),
            LastResort(sockets) as last_resort,
        ):
            trio.run(_serve, daemon_options, mountpoint, readiness, last_resort)
    except BaseException as error:
        why = told(error)
        readiness.failed(why)
        if isinstance(why, Defect):
            raise
        raise why from None


async def _serve(
    daemon_options: DaemonOptions, mountpoint: Path, readiness: Readiness, last_resort: LastResort
) -> None:
    # SIGHUP tells a daemon to reload, and a foreground process that its terminal is gone
    reloadings: list[Reloading] = []

    async def hung_up() -> None:
        for reloading in reloadings:
            await reloading.on_hangup()

    on_hangup = hung_up if readiness.is_background or readiness.is_service else None
    async with heard(on_hangup, at_once=last_resort.begin) as ending, open_library(daemon_options.library) as library:
        notes = await ending.before(library.check_accounts)
        library.on_sign_in(_log_sign_in)
        cache = library.cache
        cache.keep_searchable()
        started = time.time()

        def mounted(operations: Operations) -> None:
            state.append(operations)
            for note in notes:
                log.warning("%s", note)
            log.info("mounted at %s", mountpoint)
            gc.freeze()  # the objects of the imports live for ever: exclude them from collections
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
                "demo": daemon_options.is_demo,
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
            now = status()
            return metrics.CONTENT_TYPE, await threads.run_sync(lambda: metrics.text(now))

        reloading = Reloading(library, daemon_options.again, readiness.manager, ready)
        known = {
            "status": say_status,
            "reload": reloading.command,
            "open": Opening(library).command,
            **commands(library, under_way),
        }
        pages = {"/metrics": say_metrics}
        failed = library.task_failed
        control = socket_server.serving_in(daemon_options.socket_dirs, mountpoint, known, pages, failed)
        async with control, metrics_server.serving(daemon_options.metrics_port, pages, failed):
            reloadings.append(reloading)
            await mount(
                library, mountpoint, daemon_options.options, mounted=mounted, ending=ending, last_resort=last_resort
            )
            reloadings.clear()
        log.info("unmounted %s", mountpoint)
        readiness.manager.stopping()


def _log_sign_in(account: str, error: NotSignedIn | None) -> None:
    """Log that the sign-in of an account has ended, or is accepted again: once each."""
    if error is None:
        log.info("%s: the sign-in is accepted again", account)
    else:
        text = str(error)
        log.warning("%s", text if text.startswith(f"{account}:") else f"{account}: {text}")
