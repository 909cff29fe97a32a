"""`coursefs status`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import CoursefsError, NoAnswer


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def status(options: Globals, mountpoint: Path | None, as_json: bool) -> None:
    """Say how the mount at MOUNTPOINT, or every mount, is doing.

    \b
    Example: coursefs status ~/courses
    """
    mounts = _all(options) if mountpoint is None else [_one(options, mountpoint)]
    if as_json:
        output.show_json({"mounts": mounts})
    elif not mounts:
        output.message("nothing is mounted; to mount: coursefs mount ~/courses")
    for each in [] if as_json else mounts:
        _show(each)


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
            raise CoursefsError(f"{path}: its process is gone; `coursefs umount {path}` takes the dead mount away")
        case Life.SILENT:
            raise NoAnswer(_silent(path, None))
        case Life.ANSWERS:
            raise CoursefsError(f"{path}: is mounted, but not for you to ask; another user or login session has it")


def _all(options: Globals) -> list[Mapping[str, Any]]:
    """The status of every mount that answers; of those that do not it is said."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.mount import mountinfo  # noqa: PLC0415

    runtime = options.places().runtime_dir
    answers = socket.processes(runtime)
    known = {socket.path_for(runtime, one.mountpoint): one.mountpoint for one in mountinfo.mounted() if one.is_coursefs}
    for path, found in answers:
        if found is None and path in known:
            output.error(_silent(known[path], socket.owner(path)))
    return [found for _, found in answers if found is not None]


def _silent(path: Path, pid: int | None) -> str:
    process = "its process" if pid is None else f"its process {pid}"
    return f"{path}: {process} does not answer; `coursefs umount {path}` takes the mount away"


def _show(mount: Mapping[str, Any]) -> None:
    cache, catalogue = mount["cache"], mount["catalogue"]
    state = ("demo, " if mount["demo"] else "") + ("offline, " if mount["offline"] else "")
    click.echo(f"{mount['mountpoint']}: {state}up for {_span(time.time() - mount['since'])}, process {mount['pid']}")
    for account in mount["accounts"]:
        trouble = f"; {account['trouble']}" if account["trouble"] else ""
        click.echo(f"  {account['name']}: {account['courses']} courses{trouble}")
        if gone := [route["name"] for route in account.get("routes", ()) if route["trouble"]]:
            click.echo(f"    routes that the platform has removed: {', '.join(gone)}")
    click.echo(f"  known: {catalogue['entries']} files and folders, {output.size(catalogue['bytes'])}")
    click.echo(f"  cache: {output.size(cache['bytes'])} of {output.size(cache['max_size'])} in {cache['directory']}")
    fill = mount["fill"]
    if fill["state"] == "filling":
        click.echo(f"  learning what nobody has looked at yet: {fill['done']} of {fill['total']} folders")
    if mount["open_files"]:
        click.echo(f"  open files: {mount['open_files']}")


def _span(seconds: float) -> str:
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{int(seconds)} s"
