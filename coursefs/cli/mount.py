"""`coursefs mount` and `coursefs umount`."""

from __future__ import annotations

import os
import select
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import completion, output
from coursefs.cli.output import Globals, pass_globals
from coursefs.cli.status_text import counted
from coursefs.errors import CoursefsError, NoAnswer
from coursefs.settings.paths import absolute, expanded, require_trusted, session_folder, socket_dirs

if TYPE_CHECKING:
    from coursefs.library import LibrarySettings
    from coursefs.mount.mountinfo import Mounted
    from coursefs.settings.config import Settings

#: seconds for a mount to answer, and for its process to end
_READY_WITHIN = 90.0
_ENDS_WITHIN = 15.0
_ENDS_AT_ONCE_WITHIN = 1.0  # if nothing keeps it alive


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground; Ctrl-C unmounts.")
@click.option(
    "-o",
    "texts",
    multiple=True,
    metavar="OPT[,OPT…]",
    help="allow_other, uid=, gid=, umask=, cache_dir=, cache_size=, config=, offline, exec, and what mount(8) knows.",
)
@pass_globals
def mount(options: Globals, mountpoint: Path, foreground: bool, texts: tuple[str, ...]) -> None:
    """Show your courses as a folder at MOUNTPOINT, an empty directory of yours; it is made if it is missing.

    \b
    Example: coursefs mount ~/courses
    """
    from coursefs.mount.mountpoint import made, prepare, require_binding, require_fuse
    from coursefs.mount.options import as_text, parse
    from coursefs.settings.config import load  # slow to import

    parsed = parse(texts)
    if parsed.config is not None:
        require_trusted(parsed.config)
        options = replace(options, config=parsed.config)
    app_paths = options.app_paths()
    settings = load(app_paths.config_file)
    if not foreground:
        require_fuse()
        arguments = [*global_options(options), "mount", "--foreground"]
        with made(mountpoint) as wanted:
            # the background process has another working folder, so relative paths are made absolute
            path = prepare(wanted)
            arguments += ["-o", as_text(parsed), "--", str(path)]
            in_background(arguments, app_paths.log_dir / "mount.log", path)
        return

    require_binding()
    # by far the slowest import: only the process that serves the mount needs it
    from coursefs.daemon.readiness import Readiness
    from coursefs.daemon.serve import DaemonOptions, run
    from coursefs.daemon.setup import library_settings

    readiness = Readiness()

    def library(settings: Settings) -> LibrarySettings:
        return replace(library_settings(settings, app_paths, parsed), fill=settings.refresh.fill)

    daemon_options = DaemonOptions(
        library(settings),
        mountpoint,
        parsed,
        socket_dirs(),
        metrics_port=settings.metrics.port,
        again=lambda: library(load(app_paths.config_file)),
    )
    start_log(options, readiness.is_background or readiness.is_service)
    with made(mountpoint):
        run(daemon_options, readiness)


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), shell_complete=completion.mountpoints)
@click.option("-l", "--lazy", is_flag=True, help="Also if it is in use: remove it now; programs keep their open files.")
@pass_globals
def umount(_: Globals, mountpoint: Path, lazy: bool) -> None:
    """Unmount the folder at MOUNTPOINT, and wait until its process has ended.

    If programs have files of it open, they are named, and it stays mounted unless --lazy is given.

    \b
    Example: coursefs umount ~/courses
    """
    from coursefs.daemon import socket  # slow to import
    from coursefs.mount import mountinfo
    from coursefs.mount.mountpoint import unmount

    path = mountinfo.absolute(mountpoint)
    there = mountinfo.at(path)
    if there is None or not there.is_coursefs:
        raise CoursefsError(f"{path}: no coursefs is mounted there")
    folders = socket_dirs()
    control = socket.find(folders, path)
    pid = None if control is None else socket.owner(control)
    os.chdir("/")  # in the mount, this process and fusermount3 would use it themselves
    unused = unmount(path, lazily=lazy)
    if pid is not None and not _has_ended(pid, _ENDS_AT_ONCE_WITHIN):
        note = _wait_for_end(there, pid, is_in_use=not unused, lazily=lazy)
        output.message(f"{path}: {note}")
    if pid is None or _has_ended(pid, 0):
        for folder in folders:
            socket.remove_leftover(socket.path_for(folder, path))


def _wait_for_end(there: Mounted, pid: int, *, is_in_use: bool, lazily: bool) -> str:
    """Wait for the end of the process of an unmounted mount.

    Returns a message for the user. Raises `NoAnswer` if the process should have ended and has not.
    """
    from coursefs.mount import mountinfo, namespaces

    again = [str(one.mountpoint) for one in mountinfo.mounted() if one.device == there.device]
    if again:
        return f"unmounted; it is mounted at {again[0]} too, so its process {pid} goes on"
    others = namespaces.elsewhere(there.device)
    if any(one.device == there.device for one in mountinfo.of(pid)):
        return f"unmounted here; its process {pid} is in another mount namespace, where it is still mounted"
    if lazily and (not others or namespaces.is_used(there)):
        return f"unmounted; its process {pid} ends when all its open files are closed"
    seen = f" another mount namespace ({namespaces.named(others)})" if others else ""
    if not (is_in_use and not lazily) and _has_ended(pid, _ENDS_WITHIN):
        return f"unmounted; it was still visible in{seen}, and has ended there too" if seen else "unmounted"
    why = f"; it is still visible in{seen}" if seen else ""
    raise NoAnswer(f"{there.mountpoint}: unmounted, but its process {pid} has not ended yet{why}")


def in_background(arguments: list[str], log: Path, mountpoint: Path) -> None:
    """Start a coursefs command in the background; return when its mount answers. Raises its failure."""
    from coursefs.daemon import background  # slow to import
    from coursefs.mount.mountpoint import is_for_automounter

    _say_where_sockets_are()
    report = background.start(arguments, log, _READY_WITHIN, own_session=not is_for_automounter(mountpoint))
    for note in report.notes:
        output.message(f"coursefs: {note}")
    if report.exit_status != 0:
        raise _Reported(report.message, report.exit_status)
    _say_what_is_there(mountpoint)


def _say_what_is_there(mountpoint: Path) -> None:
    """Say in one line what a new mount shows, and how to end it."""
    from coursefs.daemon import socket  # slow to import

    control = socket.find(socket_dirs(), mountpoint)
    try:
        found = None if control is None else socket.status(control)
    except CoursefsError:
        found = None
    there = "mounted" if found is None else courses_of(found["accounts"])
    output.message(f"{mountpoint}: {there}; to unmount: coursefs umount {shlex.quote(str(mountpoint))}")


def courses_of(accounts: Sequence[Mapping[str, Any]]) -> str:
    """The number of courses of these accounts of a status, and their names: "3 courses of coursera, edx" (pure)."""
    number = sum(account["courses"] for account in accounts)
    return f"{counted(number, 'course')} of {', '.join(account['name'] for account in accounts)}"


def _say_where_sockets_are() -> None:
    _, trouble = session_folder()
    if trouble is not None:
        output.message(f"coursefs: {trouble}; the control socket is in the state folder only")


class _Reported(CoursefsError):
    """The failure that a background process reported."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def global_options(options: Globals) -> list[str]:
    """The options before the command's name, for a process that runs another command."""
    config = ["--config", str(absolute(expanded(options.config)))] if options.config else []
    return [*config, *(["--verbose"] if options.verbose else [])]


def start_log(options: Globals, is_background: bool) -> None:
    """Log like a daemon if there is a log; a foreground run prints only warnings, in plain lines."""
    from coursefs.base import logs

    if not is_background:
        _say_where_sockets_are()
    if is_background or options.verbose:
        logs.log_to_stderr(options.verbose)


def _has_ended(pid: int, seconds: float) -> bool:
    """Whether a process ends within this many seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([process], [], [], seconds)
    finally:
        os.close(process)
    return bool(ended)
