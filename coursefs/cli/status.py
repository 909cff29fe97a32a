"""`coursefs status`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals
from coursefs.errors import CoursefsError


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def status(options: Globals, mountpoint: Path | None, as_json: bool) -> None:
    """Say how the mount at MOUNTPOINT, or every mount, is doing.

    \b
    Example: coursefs status ~/courses
    """
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import
    from coursefs.mount import mountinfo  # noqa: PLC0415

    runtime = options.places().runtime_dir
    if mountpoint is None:
        mounts = [found for _, found in socket.all_mounts(runtime)]
    else:
        path = mountinfo.absolute(mountpoint)
        found = socket.status(socket.path_for(runtime, path))
        if found is None:
            there = mountinfo.at(path)
            dead = there is not None and there.is_coursefs
            raise CoursefsError(
                f"{path}: its process is gone; `coursefs umount {path}` takes the dead mount away"
                if dead
                else f"{path}: no coursefs is mounted there"
            )
        mounts = [found]
    if as_json:
        output.show_json({"mounts": mounts})
    elif not mounts:
        output.message("nothing is mounted; to mount: coursefs mount ~/courses")
    for each in [] if as_json else mounts:
        _show(each)


def _show(mount: Mapping[str, Any]) -> None:
    cache, catalogue = mount["cache"], mount["catalogue"]
    state = ("demo, " if mount["demo"] else "") + ("offline, " if mount["offline"] else "")
    click.echo(f"{mount['mountpoint']}: {state}up for {_span(time.time() - mount['since'])}, process {mount['pid']}")
    for account in mount["accounts"]:
        trouble = f"; {account['trouble']}" if account["trouble"] else ""
        click.echo(f"  {account['name']}: {account['courses']} courses{trouble}")
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
