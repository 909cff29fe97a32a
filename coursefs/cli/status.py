"""`coursefs status`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.status_text import lines_of
from coursefs.errors import CoursefsError, NoAnswer, UsageError

_NOTHING = "nothing is mounted; to mount: coursefs mount ~/courses"
#: the mounts that answer, and lines on those that do not
_Look = tuple[list[Mapping[str, Any]], list[str]]
#: seconds between two looks of --watch
_EVERY = 1.0


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs; docs/status.md describes every field.")
@click.option("--watch", is_flag=True, help="Go on saying it, until Ctrl-C.")
@pass_globals
def status(options: Globals, mountpoint: Path | None, as_json: bool, watch: bool) -> None:
    """Say how the mount at MOUNTPOINT, or every mount, is doing.

    \b
    Example: coursefs status ~/courses
    """

    def look() -> _Look:
        return _all(options) if mountpoint is None else ([_one(options, mountpoint)], [])

    if watch:
        _watch(look, as_json)
        return
    mounts, troubles = look()
    for trouble in troubles:
        output.error(trouble)
    if as_json:
        output.show_json({"mounts": mounts})
    elif not mounts and not troubles:
        output.message(_NOTHING)
    else:
        for line in lines_of(mounts, time.time()):
            click.echo(line)


def _watch(look: Callable[[], _Look], as_json: bool) -> None:
    """Show the status again and again, until Ctrl-C or until there is none to show."""
    from rich.console import Console  # noqa: PLC0415  # slow to import
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    if as_json or not console.is_terminal or console.is_dumb_terminal:
        raise UsageError("--watch is for a terminal; for programs there is --json")
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            mounts, troubles = look()
            lines = [*lines_of(mounts, time.time()), *map(output.clean, troubles)] or [_NOTHING]
            live.update(Text("\n".join(lines), overflow="ellipsis", no_wrap=True), refresh=True)
            time.sleep(_EVERY)


def _one(options: Globals, mountpoint: Path) -> Mapping[str, Any]:
    """The status of the mount at a path.  Raises `CoursefsError` that says why there is none."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.mount import mountinfo  # noqa: PLC0415
    from coursefs.mount.mountpoint import Life, life  # noqa: PLC0415

    path = mountinfo.absolute(mountpoint)
    control = socket.path_for(options.places().runtime_dir, path)
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
            raise CoursefsError(f"{path}: is mounted, but not for you to ask; another user or login session has it")


def _all(options: Globals) -> _Look:
    """The status of every mount that answers, and what is wrong with those that do not."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.mount import mountinfo  # noqa: PLC0415
    from coursefs.mount.mountpoint import Life, life  # noqa: PLC0415

    runtime = options.places().runtime_dir
    answers = dict(socket.processes(runtime))
    troubles = []
    for mountpoint in [one.mountpoint for one in mountinfo.mounted() if one.is_coursefs]:
        path = socket.path_for(runtime, mountpoint)
        if path not in answers:
            troubles += [_dead(mountpoint)] if life(mountpoint) is Life.GONE else []
        elif answers[path] is None:
            troubles.append(_silent(mountpoint, socket.owner(path)))
    return [found for found in answers.values() if found is not None], troubles


def _silent(path: Path, pid: int | None) -> str:
    process = "its process" if pid is None else f"its process {pid}"
    return f"{path}: {process} does not answer; `coursefs umount {path}` takes the mount away"


def _dead(path: Path) -> str:
    return f"{path}: its process is gone; `coursefs umount {path}` takes the dead mount away"
