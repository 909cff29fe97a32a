"""`coursefs status`."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from coursefs.cli import completion, output
from coursefs.cli.output import Globals, pass_globals
from coursefs.cli.status_text import View, lines_of
from coursefs.errors import CoursefsError, NoAnswer, UsageError
from coursefs.settings.paths import socket_dirs

_NOTHING = "nothing is mounted; to mount: coursefs mount ~/courses"
#: the mounts that answer, and lines about those that do not
_Look = tuple[list[Mapping[str, Any]], list[str]]
#: seconds between two updates of --watch
_EVERY = 1.0


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=completion.mountpoints)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs; docs/status.md describes every field.")
@click.option("--watch", is_flag=True, help="Update the status until Ctrl-C.")
@pass_globals
def status(options: Globals, mountpoint: Path | None, as_json: bool, watch: bool) -> None:
    """Show the status of the mount at MOUNTPOINT, or of every mount.

    \b
    Example: coursefs status ~/courses
    """

    def look() -> _Look:
        return _all() if mountpoint is None else ([_one(mountpoint)], [])

    if watch:
        _watch(look, as_json, verbose=options.verbose)
        return
    mounts, troubles = look()
    for trouble in troubles:
        output.error(trouble)
    if as_json:
        output.show_json({"mounts": mounts})
    elif not mounts and not troubles:
        output.message(_NOTHING)
    else:
        for line in lines_of(mounts, View(time.time(), verbose=options.verbose)):
            click.echo(line)


def _watch(look: Callable[[], _Look], as_json: bool, *, verbose: bool) -> None:
    """Show the status repeatedly, until Ctrl-C or until no mount is left."""
    from rich.console import Console  # slow to import
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    if as_json or not console.is_terminal or console.is_dumb_terminal:
        raise UsageError("--watch is for a terminal; for programs there is --json")
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            mounts, troubles = look()
            view = View(time.time(), console.width, verbose)
            lines = [*lines_of(mounts, view), *map(output.clean, troubles)] or [_NOTHING]
            live.update(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), refresh=True)
            time.sleep(_EVERY)


def _one(mountpoint: Path) -> Mapping[str, Any]:
    """The status of the mount at a path. Raises `CoursefsError` with the reason why there is none."""
    from coursefs.daemon import socket  # slow to import
    from coursefs.mount import mountinfo
    from coursefs.mount.mountpoint import Life, life

    path = mountinfo.absolute(mountpoint)
    control = socket.find(socket_dirs(), path)
    found = None
    if control is not None:
        try:
            found = socket.status(control)
        except NoAnswer:
            raise NoAnswer(_silent(path, socket.owner(control))) from None
    if found is not None:
        return found
    there = mountinfo.at(path)
    if there is None or not there.is_coursefs:
        raise CoursefsError(f"{path}: no coursefs is mounted there")
    match life(path):
        case Life.GONE:
            raise CoursefsError(_dead(path))
        case Life.SILENT:
            raise NoAnswer(_silent(path, None))
        case Life.ANSWERS:
            raise CoursefsError(f"{path}: {of_others(there.number('user_id'))}")


def _all() -> _Look:
    """The status of every mount that answers, and the problems of those that do not."""
    from coursefs.daemon import socket  # slow to import
    from coursefs.mount import mountinfo
    from coursefs.mount.mountpoint import Life, life

    answers = {path.name: (path, found) for path, found in socket.processes(socket_dirs())}
    troubles = []
    for mountpoint in [one.mountpoint for one in mountinfo.mounted() if one.is_coursefs]:
        name = socket.name_for(mountpoint)
        if name not in answers:
            troubles += [_dead(mountpoint)] if life(mountpoint) is Life.GONE else []
        elif answers[name][1] is None:
            troubles.append(_silent(mountpoint, socket.owner(answers[name][0])))
    return [found for _, found in answers.values() if found is not None], troubles


def of_others(owner: int | None) -> str:
    """Why a mount that answers cannot be asked for its status, by the user id of its owner."""
    from coursefs.mount.mountpoint import user_name  # slow to import

    if owner is None or owner == os.geteuid():
        return "is mounted by a process whose control socket is not found; ask in the login session that mounted it"
    name = user_name(owner)
    who = shlex.quote(f"#{owner}" if " " in name else name)  # a user without a name
    sudo = "sudo" if owner == 0 else f"sudo -u {who}"
    return f"is mounted by {name}, and only {name} can see its status: {sudo} coursefs status"


def _silent(path: Path, pid: int | None) -> str:
    process = "its process" if pid is None else f"its process {pid}"
    return f"{path}: {process} does not answer; to unmount: coursefs umount {path}"


def _dead(path: Path) -> str:
    return f"{path}: its process is gone; to unmount: coursefs umount {path}"
