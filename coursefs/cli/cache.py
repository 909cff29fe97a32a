"""`coursefs cache`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import click

from coursefs.cli import output
from coursefs.cli.options import Globals, pass_globals

Reply = Mapping[str, Any]


@click.group(no_args_is_help=False)
def cache() -> None:
    """Look after the contents that are kept on this disk.

    \b
    Example: coursefs cache info
    """


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def info(options: Globals, as_json: bool) -> None:
    """Say how much is kept, and where.

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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def verify(options: Globals, as_json: bool) -> int:
    """Compare everything that is kept with its checksum, and drop what is wrong; it is fetched again when it is read.

    Ends with status 1 when something was wrong.

    \b
    Example: coursefs cache verify
    """
    found = _last(_asked(options, "cache-verify")) or {"files": 0, "bytes": 0, "bad_files": 0, "bad_bytes": 0}
    if as_json:
        output.show_json(found)
    else:
        click.echo(f"{found['files']} files, {output.size(found['bytes'])}: ", nl=False)
        wrong = f"{output.size(found['bad_bytes'])} in {found['bad_files']} files were wrong, and are dropped"
        click.echo(wrong if found["bad_files"] else "all as it was fetched")
    return 1 if found["bad_files"] else 0


@cache.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_globals
def clear(options: Globals, as_json: bool) -> None:
    """Drop everything that is kept but not pinned, under a running mount too.

    \b
    Example: coursefs cache clear
    """
    found = _last(_asked(options, "cache-clear"))
    if as_json:
        output.show_json(found)
        return
    kept = f"; {output.size(found['kept_bytes'])} are pinned and stay" if found["kept_bytes"] else ""
    click.echo(f"{output.size(found['bytes'])} in {found['files']} files dropped{kept}")


def _last(replies: Iterator[Reply]) -> Reply:
    last: Reply = {}
    for reply in replies:
        last = reply
    return last


def _asked(options: Globals, command: str) -> Iterator[Reply]:
    """The answer of the mount that has the cache, or of the cache itself when no mount has it."""
    from coursefs.daemon import socket  # noqa: PLC0415  # slow to import

    if (mount := socket.mount_of_user(options.places().runtime_dir)) is not None:
        yield from socket.ask(mount, command)
        return
    from dataclasses import asdict  # noqa: PLC0415

    import trio  # noqa: PLC0415

    from coursefs.config import load  # noqa: PLC0415
    from coursefs.content import open_cache  # noqa: PLC0415
    from coursefs.files import private_folder  # noqa: PLC0415

    places = options.places()
    settings = load(places.config_file).cache
    directory = settings.directory or places.cache_dir

    logging.getLogger("coursefs.content").setLevel(logging.ERROR)  # what is damaged is said in the result

    async def carry_out() -> Reply:
        private_folder(directory)
        async with open_cache(directory, max_size=settings.max_size, min_free=settings.min_free) as upkeep:
            if command == "cache-clear":
                return asdict(await upkeep.clear())
            if command == "cache-verify":
                return asdict(await upkeep.verify())
            return asdict(upkeep.use()) | {"directory": str(directory)}

    yield trio.run(carry_out)
