"""`coursefs completion`, and the values for completion: known names, without any request.

A shell inserts a completion into the command line as it is, and Enter runs it; bash does not quote the output of a
command. So platform names are offered only if all their characters are literal in bash, zsh and fish, quoted or not;
the others can still be typed. Paths on the disk are left to the shell, which quotes them itself.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from coursefs.errors import CoursefsError
from coursefs.settings.paths import AppPaths, app_paths

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_VARIABLE = "_COURSEFS_COMPLETE"  # click's name for it


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    Save it in the shell's folder for completions; it works in every shell that is opened after that:

    \b
    bash  coursefs completion bash > ~/.local/share/bash-completion/completions/coursefs
    zsh   coursefs completion zsh > "${fpath[1]}/_coursefs"
    fish  coursefs completion fish > ~/.config/fish/completions/coursefs.fish

    \b
    Example: coursefs completion bash
    """
    from click.shell_completion import get_completion_class  # not needed for --help

    from coursefs.cli.main import cli  # which names this module

    kind = get_completion_class(shell)
    assert kind is not None
    # not by click's own command, which starts the shell to ask for its version
    click.echo(kind(cli, {}, "coursefs", _VARIABLE).source())


#: letters and digits of any script, and characters without a meaning in shells; no option, no hidden file
_SAFE = re.compile(r"\w[\w.+@:-]*")


def accounts(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The accounts of the settings file."""
    with suppress(OSError, ValueError, CoursefsError):
        known = tomllib.loads(_places(ctx).config_file.read_text(encoding="utf-8")).get("accounts", {})
        return sorted(_offered(known, incomplete))
    return []


def courses(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The slugs of the known courses; unlike titles they contain no blanks, which complicate completion."""
    # plain SQL, because importing and opening the catalogue takes too long for a completion
    with suppress(OSError, sqlite3.Error, CoursefsError):
        with _catalogue(ctx) as catalogue:
            slugs = [
                row[0] for row in catalogue.execute("SELECT DISTINCT slug FROM course WHERE NOT hidden ORDER BY slug")
            ]
        return _offered([*slugs, "all"], incomplete)
    return []


def targets(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Courses, paths in the catalogue, and those on the disk, which the shell completes and quotes itself."""
    from click.shell_completion import CompletionItem  # not needed for --help

    known = [*courses(ctx, parameter, incomplete), *_stored_paths(ctx, incomplete)]
    if not known or incomplete.startswith(("/", "~", ".")):
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(name) for name in known]


def mountpoints(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The mount points of coursefs; where none fits, the shell completes folders."""
    from click.shell_completion import CompletionItem

    from coursefs.mount import mountinfo  # rarely needed

    found: list[str] = []
    with suppress(OSError):
        found = sorted({str(one.mountpoint) for one in mountinfo.mounted() if one.is_coursefs})
    home = str(Path("~").expanduser())
    if incomplete.startswith("~/"):  # in the form in which it was begun
        found = [f"~{path.removeprefix(home)}" for path in found if path.startswith(f"{home}/")]
    fitting = [path for path in found if path.startswith(incomplete) and _is_safe_path(path)]
    return [CompletionItem(path) for path in fitting] or [CompletionItem(incomplete, type="dir")]


def _stored_paths(ctx: click.Context, incomplete: str) -> list[str]:
    """The paths in the catalogue that begin so, folders with a slash behind them; only such as need no quotes."""
    *folders, begun = incomplete.split("/")
    with suppress(OSError, sqlite3.Error, CoursefsError), _catalogue(ctx) as catalogue:
        inode = 1
        for name in folders:
            row = catalogue.execute(
                "SELECT inode FROM node WHERE parent = ? AND name = ? AND inode <> parent", (inode, name)
            ).fetchone()
            if row is None:
                return []
            (inode,) = row
        rows = catalogue.execute(
            "SELECT name, EXISTS (SELECT 1 FROM node AS below WHERE below.parent = node.inode) FROM node"
            " WHERE parent = ? AND inode <> parent AND name IS NOT NULL ORDER BY name",
            (inode,),
        )
        above = "".join(f"{name}/" for name in folders)
        named = [(name, f"{above}{name}{'/' if is_folder else ''}") for name, is_folder in rows]
        return [path for name, path in named if name.startswith(begun) and _is_safe_path(path)]
    return []


def _is_safe_path(path: str) -> bool:
    """Whether a shell takes a path as it is; a tilde at its beginning is the home folder in all of them."""
    names = path.removeprefix("~").split("/")
    return all(_SAFE.fullmatch(name) for name in names if name)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and _SAFE.fullmatch(name)]


def _catalogue(ctx: click.Context) -> closing[sqlite3.Connection]:
    file = quote(str(_places(ctx).catalogue))
    return closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=0.2))


def _places(ctx: click.Context) -> AppPaths:
    given = ctx.find_root().params
    config = given.get("config")
    return app_paths(Path(config) if config else None, "demo" if given.get("demo") else None)
