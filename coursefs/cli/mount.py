"""`coursefs mount` and `coursefs umount`."""

from __future__ import annotations

import os
import select
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import CoursefsError, NoAnswer

if TYPE_CHECKING:
    from coursefs.config import Settings
    from coursefs.library import LibrarySettings

#: seconds that a mount may take to answer, and that its process may take to end
_READY_WITHIN = 90.0
_ENDS_WITHIN = 15.0
_ENDS_IN_USE_WITHIN = 1.0  # of one that did not answer while files of it were open


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground; Ctrl-C unmounts.")
@click.option(
    "-o",
    "texts",
    multiple=True,
    metavar="OPT[,OPT…]",
    help="allow_other, uid=, gid=, umask=, cache_dir=, cache_size=, offline, and what mount(8) knows.",
)
@pass_globals
def mount(options: Globals, mountpoint: Path, foreground: bool, texts: tuple[str, ...]) -> None:
    """Show your courses as a folder at MOUNTPOINT, an empty directory of yours.

    \b
    Example: coursefs mount ~/courses
    """
    from coursefs.config import load  # noqa: PLC0415  # slow to import
    from coursefs.mount.mountpoint import prepare, require_binding, require_fuse  # noqa: PLC0415
    from coursefs.mount.options import as_text, parse  # noqa: PLC0415

    places = options.places()
    parsed = parse(texts)
    settings = load(places.config_file)
    if not foreground:
        require_fuse()
        arguments = [*global_options(options), "mount", "--foreground"]
        # what is relative here would mean something else there
        arguments += ["-o", as_text(parsed), "--", str(prepare(mountpoint))]
        in_background(arguments, places.log_dir / "mount.log")
        return

    require_binding()
    # by far the slowest: only the process that stays needs it
    from coursefs.daemon.readiness import Readiness  # noqa: PLC0415
    from coursefs.daemon.serve import Job, run  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415

    readiness = Readiness()

    def library(settings: Settings) -> LibrarySettings:
        return replace(library_settings(settings, places, parsed), fill=settings.refresh.fill)

    job = Job(
        library(settings),
        mountpoint,
        parsed,
        places.runtime_dir,
        metrics_port=settings.metrics.port,
        again=lambda: library(load(places.config_file)),
    )
    start_log(options, readiness.is_background or readiness.is_service)
    run(job, readiness)


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
@click.option(
    "-l", "--lazy", is_flag=True, help="Also while it is in use: now for all, and for those when they are done."
)
@pass_globals
def umount(options: Globals, mountpoint: Path, lazy: bool) -> None:
    """Take the folder at MOUNTPOINT away again, and wait until its process has ended.

    Where programs have something of it open, they are named, and nothing is done without --lazy.

    \b
    Example: coursefs umount ~/courses
    """
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.mount import mountinfo  # noqa: PLC0415
    from coursefs.mount.mountpoint import unmount  # noqa: PLC0415

    path = mountinfo.absolute(mountpoint)
    there = mountinfo.at(path)
    if there is None or not there.is_coursefs:
        raise CoursefsError(f"{path}: no coursefs is mounted there")
    control = socket.path_for(options.places().runtime_dir, path)
    pid = socket.owner(control)
    unused = unmount(path, lazily=lazy)
    if pid is not None and not _has_ended(pid, _ENDS_WITHIN if unused else _ENDS_IN_USE_WITHIN):
        if not lazy:
            raise NoAnswer(f"{path}: unmounted, but its process {pid} has not ended yet")
        output.message(f"{path}: unmounted; its process {pid} ends when nobody has anything of it open any more")
        return
    socket.remove_leftover(control)


def in_background(arguments: list[str], log: Path) -> None:
    """Run a command of coursefs in the background; return when its mount answers, raise why it does not."""
    from coursefs.daemon import background  # noqa: PLC0415  # slow to import

    report = background.start(arguments, log, _READY_WITHIN)
    for note in report.notes:
        output.message(f"coursefs: {note}")
    if report.exit_status != 0:
        raise _Reported(report.message, report.exit_status)


class _Reported(CoursefsError):
    """What a background process said of its failure."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def global_options(options: Globals) -> list[str]:
    """What stood before the command, for a process that runs another one."""
    config = ["--config", str(options.config.expanduser().absolute())] if options.config else []
    return [*config, *(["--verbose"] if options.verbose else [])]


def start_log(options: Globals, is_background: bool) -> None:
    """Log as a daemon does, where there is a log; a foreground run says warnings only, in plain lines."""
    from coursefs import logs  # noqa: PLC0415

    if is_background or options.verbose:
        logs.to_file_like_journal(options.verbose)


def _has_ended(pid: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([process], [], [], seconds)
    finally:
        os.close(process)
    return bool(ended)
