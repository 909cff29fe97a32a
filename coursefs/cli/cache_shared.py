"""`coursefs cache shared`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from coursefs.cli import output
from coursefs.cli.output import Globals, pass_globals
from coursefs.errors import UsageError
from coursefs.settings.units import parse_duration, parse_size

if TYPE_CHECKING:
    from coursefs.shared.tier import ListedTier

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_DAY = 86400.0


@click.command()
@_JSON
@pass_globals
def key(options: Globals, as_json: bool) -> None:
    """Create the key of a shared cache where there is none, and say how other machines get it.

    A machine with a copy of the key file fills the shared cache and believes what the others put. A machine that has
    only the printed line, in a file of the same name, reads and cannot put anything.

    \b
    Example: coursefs cache shared key
    """
    from coursefs.settings.config import load
    from coursefs.shared.keys import create_key, load_key, public_text

    app_paths = options.app_paths()
    path = app_paths.shared_key(load(app_paths.config_file).cache.shared_key)
    is_new = not path.exists()
    found = create_key(path) if is_new else load_key(path)
    if as_json:
        output.show_json(
            {"file": str(path), "created": is_new, "fills": found.seed is not None, "verify": public_text(found)}
        )
        return
    click.echo(output.clean(f"{path}{' created' if is_new else ''}"))
    if found.seed is None:
        click.echo(output.clean("with it this machine reads the shared cache, and puts nothing into it"))
        return
    click.echo(output.clean("machines that fill the shared cache: copy that file to the same place there"))
    click.echo(output.clean("machines that only read it: a file with this line instead:"))
    click.echo(output.clean(public_text(found)))
    if found.token:
        click.echo(
            output.clean("and with its line that begins with token, where they read through coursefs serve-cache")
        )


@click.command()
@_JSON
@pass_globals
def info(options: Globals, as_json: bool) -> None:
    """Show how much the shared cache holds.

    \b
    Example: coursefs cache shared info
    """
    from coursefs.shared.upkeep import use_of

    place, found = _carried_out(options, use_of)
    if as_json:
        output.show_json({"place": place, **asdict(found)})
        return
    oldest = f", the oldest from {found.oldest / _DAY:.0f} days ago" if found.oldest > _DAY else ""
    click.echo(output.clean(f"{output.size(found.bytes)} in {found.pieces} pieces in {place}{oldest}"))


@click.command()
@click.option("--delete", is_flag=True, help="Delete the bad pieces.")
@_JSON
@pass_globals
def verify(options: Globals, delete: bool, as_json: bool) -> int:
    """Check that every piece of the shared cache was signed by a machine whose key this one has.

    Ends with status 1 if there were bad ones. Readers check each piece as well, and use no bad one.

    \b
    Example: coursefs cache shared verify --delete
    """
    from coursefs.settings.config import load
    from coursefs.shared.keys import load_key
    from coursefs.shared.upkeep import check

    app_paths = options.app_paths()
    shared_key = load_key(app_paths.shared_key(load(app_paths.config_file).cache.shared_key))
    _, found = _carried_out(options, lambda tier: check(tier, shared_key, delete=delete))
    if as_json:
        output.show_json(asdict(found))
    else:
        deleted = ", deleted" if delete and found.bad_pieces else ""
        click.echo(output.clean(f"{found.pieces} good pieces, {found.bad_pieces} bad{deleted}"))
    return 1 if found.bad_pieces else 0


@click.command()
@click.option("--to", "size", metavar="SIZE", help="Delete the oldest pieces until this much is left.")
@click.option("--older-than", "age", metavar="TIME", help="Delete the pieces that were put longer ago, such as 90d.")
@_JSON
@pass_globals
def trim(options: Globals, size: str | None, age: str | None, as_json: bool) -> None:
    """Delete the oldest pieces of the shared cache; readers fetch them from the platform again.

    \b
    Example: coursefs cache shared trim --to 200GiB
    """
    from coursefs.shared.upkeep import trim as trimmed

    if size is None and age is None:
        raise UsageError("say how much is to be left (--to 200GiB), or for how long (--older-than 90d)")
    most = None if size is None else parse_size(size)
    oldest = None if age is None else parse_duration(age)
    _, found = _carried_out(options, lambda tier: trimmed(tier, size=most, age=oldest))
    if as_json:
        output.show_json(asdict(found))
        return
    click.echo(
        output.clean(
            f"{found.pieces} pieces with {output.size(found.bytes)} deleted; {output.size(found.kept_bytes)} left"
        )
    )


def _carried_out(options: Globals, work: Callable[[ListedTier], Awaitable[Any]]) -> tuple[str, Any]:
    """The place of the shared cache, and the result of some work on it."""
    import trio

    from coursefs.settings.config import load
    from coursefs.shared.opening import open_tier

    settings = load(options.app_paths().config_file).cache
    if settings.shared is None:
        raise UsageError('no shared cache is set: write shared = "/srv/shared" below [cache] in the settings')
    tier: Any = open_tier(settings.shared, plain_http=True)
    if not hasattr(tier, "entries"):
        raise UsageError(f"{tier.place} cannot be listed: run this on the machine that serves it")

    async def carry_out() -> Any:
        try:
            return await work(tier)
        finally:
            await tier.aclose()

    return tier.place, trio.run(carry_out)
