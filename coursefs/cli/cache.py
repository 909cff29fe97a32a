"""`coursefs cache`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.lazy import Group, LazyCommand, LazyGroup
from coursefs.cli.output import Globals, pass_globals
from coursefs.settings.paths import socket_dirs

Reply = Mapping[str, Any]

_SHARED = {
    "key": LazyCommand("coursefs.cli.cache_shared:key", "Create the key of a shared cache, or show where it is."),
    "info": LazyCommand("coursefs.cli.cache_shared:info", "Count the pieces of the shared cache."),
    "verify": LazyCommand("coursefs.cli.cache_shared:verify", "Check the signatures of all pieces."),
    "trim": LazyCommand("coursefs.cli.cache_shared:trim", "Delete the oldest pieces."),
}


@click.group(cls=Group, no_args_is_help=False)
def cache() -> None:
    """Show, check or clear the cache of file contents on this disk.

    \b
    Example: coursefs cache info
    """


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def info(options: Globals, as_json: bool) -> None:
    """Show the size of the cache, and where it is.

    \b
    Example: coursefs cache info
    """
    found = _last(_asked(options, "cache-info"))
    if as_json:
        output.show_json(found)
        return
    used, most = output.size(found["bytes"]), output.size(found["max_size"])
    click.echo(f"{used} of {most} in {found['files']} files in {found['directory']}")
    if found["pinned_files"]:
        click.echo(f"{output.size(found['pinned_bytes'])} of it pinned, in {found['pinned_files']} files")


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def verify(options: Globals, as_json: bool) -> int:
    """Compare the cache with its checksums, and drop damaged parts; they are fetched again when they are read.

    Ends with status 1 if something was damaged, or could not be read.

    \b
    Example: coursefs cache verify
    """
    found = {"files": 0, "bytes": 0, "bad_files": 0, "bad_bytes": 0, "unreadable_files": 0, "unreadable_bytes": 0}
    found |= _last(_asked(options, "cache-verify"))
    if as_json:
        output.show_json(found)
    else:
        said = []
        if found["bad_files"]:
            said.append(
                f"{output.size(found['bad_bytes'])} in {found['bad_files']} files were damaged and have been deleted"
            )
        if found["unreadable_files"]:
            lost = output.size(found["unreadable_bytes"])
            said.append(f"{lost} in {found['unreadable_files']} files could not be read from the disk")
        result = "; ".join(said) or "no damage found"
        click.echo(f"{found['files']} files, {output.size(found['bytes'])}: {result}")
    return 1 if found["bad_files"] or found["unreadable_files"] else 0


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@pass_globals
def clear(options: Globals, as_json: bool) -> None:
    """Delete all cached contents that are not pinned; also works while mounted.

    \b
    Example: coursefs cache clear
    """
    found = _last(_asked(options, "cache-clear"))
    if as_json:
        output.show_json(found)
        return
    kept = f"; {output.size(found['kept_bytes'])} are pinned and were kept" if found["kept_bytes"] else ""
    click.echo(f"{output.size(found['bytes'])} in {found['files']} files deleted{kept}")


@cache.group(cls=LazyGroup, entries=_SHARED, no_args_is_help=False)
def shared() -> None:
    """Look after the shared cache, which machines of one house fill for each other.

    \b
    Example: coursefs cache shared info
    """


def _last(replies: Iterator[Reply]) -> Reply:
    last: Reply = {}
    for reply in replies:
        last = reply
    return last


def _asked(options: Globals, command: str) -> Iterator[Reply]:
    """The reply of the mount that has the cache, or of this process if no mount has it."""
    from coursefs.daemon import socket  # slow to import

    if (mount := socket.mount_of_user(socket_dirs(), demo=options.demo)) is not None:
        yield from socket.ask(mount, command)
        return
    from dataclasses import asdict

    import trio

    from coursefs.base.atomic_files import usable_folder
    from coursefs.library import forget_index, open_cache
    from coursefs.settings.config import load

    app_paths = options.app_paths()
    settings = load(app_paths.config_file).cache
    directory = settings.directory or app_paths.cache_dir

    logging.getLogger("coursefs.content").setLevel(logging.ERROR)  # the result reports the damage

    async def carry_out() -> Reply:
        usable_folder(directory)
        async with open_cache(directory, max_size=settings.max_size, min_free=settings.min_free) as maintenance:
            if command == "cache-clear":
                cleared = await maintenance.clear()
                forget_index(app_paths.catalogue)
                return asdict(cleared)
            if command == "cache-verify":
                return asdict(await maintenance.verify())
            return asdict(maintenance.use()) | {"directory": str(directory)}

    yield trio.run(carry_out)
