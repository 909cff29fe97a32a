"""`coursefs ls`, `tree` and `size`: what the catalogue has, without any request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from coursefs.cli import completion, output
from coursefs.cli.located import located
from coursefs.cli.output import Globals, pass_globals

#: what the catalogue has of a file or directory, as in `coursefs.library.Known`
_Known = Mapping[str, Any]
_METAVAR = "[PATH…]"


@click.command("ls")
@click.argument("paths", nargs=-1, metavar=_METAVAR, shell_complete=completion.targets)
@pass_globals
def list_known(options: Globals, paths: tuple[str, ...]) -> None:
    """List a folder with sizes, as far as they are known; nothing is requested.

    A PATH is a folder or file in the mount, or, also without one, a course, or a path that begins with its folder; the
    default is the list of courses.  `?` is for what is not known yet, `+` for a sum that lacks something.

    \b
    Example: coursefs ls "Sound and Hearing"
    """
    found = _found(options, paths, depth=1)
    for number, (path, known) in enumerate(found):
        if len(found) > 1:
            click.echo(output.clean(""), nl=bool(number))
            click.echo(output.clean(f"{path or '.'}:"))
        for line in lines_of(known):
            click.echo(output.clean(line))
    _say_unknown([known for _, known in found])


@click.command()
@click.argument("paths", nargs=-1, metavar=_METAVAR, shell_complete=completion.targets)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="At most so many levels.")
@pass_globals
def tree(options: Globals, paths: tuple[str, ...], depth: int | None) -> None:
    """Draw a folder and all below it, as far as it is known; nothing is requested.

    \b
    Example: coursefs tree "Sound and Hearing" --depth 2
    """
    found = _found(options, paths, depth=depth)
    for path, known in found:
        click.echo(output.clean(path or "."))
        for line in drawn(known["children"]):
            click.echo(output.clean(line))
    _say_unknown([known for _, known in found])


@click.command()
@click.argument("paths", nargs=-1, metavar=_METAVAR, shell_complete=completion.targets)
@pass_globals
def size(options: Globals, paths: tuple[str, ...]) -> None:
    """Count the files of a folder and sum up their sizes, as far as they are known; nothing is requested.

    \b
    Example: coursefs size "Sound and Hearing"
    """
    found = _found(options, paths, depth=0)
    for path, known in found:
        name = f"{path}: " if len(found) > 1 else ""
        click.echo(output.clean(f"{name}{sum_of(known)}"))
    _say_unknown([known for _, known in found])


def lines_of(known: _Known) -> list[str]:
    """The lines of `ls` for a directory's children, or for a file (pure)."""
    entries = known["children"] if known["is_directory"] else (known,)
    return [f"{_size_of(one):>11}  {one['name']}{'/' if one['is_directory'] else ''}" for one in entries]


def drawn(children: Sequence[_Known], before: str = "") -> Iterator[str]:
    """The lines of `tree` (pure)."""
    for number, one in enumerate(children, 1):
        is_last = number == len(children)
        text = one["name"] + ("/" if one["is_directory"] else "")
        yield f"{before}{'└── ' if is_last else '├── '}{text}  {_size_of(one)}"
        yield from drawn(one["children"], before + ("    " if is_last else "│   "))


def sum_of(known: _Known) -> str:
    """The line of `size` (pure)."""
    totals = known["totals"]
    more = " or more" if totals["unlisted"] or totals["unsized"] else ""
    return f"{output.count(totals['files'], 'file')}, {output.size(totals['bytes'])}{more}"


def unknown(known: Sequence[_Known]) -> str | None:
    """What is not known of these, in words; None: all of it is known (pure)."""
    unlisted = sum(one["totals"]["unlisted"] for one in known)
    unsized = sum(one["totals"]["unsized"] for one in known)
    parts = [
        *([f"{output.count(unlisted, 'listing')}"] if unlisted else []),
        *([f"the size of {output.count(unsized, 'file')}"] if unsized else []),
    ]
    if not parts:
        return None
    return f"not known yet: {' and '.join(parts)}; to ask for it: coursefs fetch all --dry-run"


def _size_of(known: _Known) -> str:
    totals = known["totals"]
    if totals["unlisted"] or totals["unsized"]:
        return f"{output.size(totals['bytes'])}+" if totals["bytes"] else "?"
    return output.size(totals["bytes"])


def _say_unknown(known: Sequence[_Known]) -> None:
    words = unknown(known)
    if words is not None:
        output.message(f"coursefs: {words}")


def _found(options: Globals, paths: Sequence[str], *, depth: int | None) -> list[tuple[str, _Known]]:
    """What is known of these paths: by the mount that they lie in, else from the catalogue on the disk."""
    place = located(paths, demo=options.demo)
    found: list[tuple[str, _Known]] = []
    if place is not None and place.is_named:
        place.ask("known", lambda reply: found.append((reply["path"], reply["known"])), depth=depth)
        return found
    import trio  # slow to import

    from coursefs.bulk.targets import Target, resolve
    from coursefs.daemon.commands import known_reply
    from coursefs.library import StoredTree, stored_tree

    async def look(stored: StoredTree) -> None:
        for node in await resolve(stored, stored, [Target(path) for path in paths]):
            reply = known_reply(stored, node, depth)
            found.append((reply["path"], reply["known"]))

    catalogue, accounts = options.catalogue()
    with stored_tree(catalogue, accounts) as stored:
        trio.run(look, stored)
    return found
