"""`coursefs pin` and `coursefs unpin`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.transfers import carry_out


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="COURSE… | PATH… | all")
@pass_globals
def pin(options: Globals, targets: tuple[str, ...]) -> int:
    """Keep files in the cache: what is there of them, or comes later, leaves only when it is unpinned.

    A COURSE is named by its folder, its slug, its id or its URL, a PATH is a folder or file in the mount.  Of a folder
    it is the files that it has now; for those that come later, say it again.  Nothing is fetched.

    \b
    Example: coursefs pin ~/courses/"Sound and Hearing" && coursefs fetch ~/courses/"Sound and Hearing"
    """

    def tell(last: Mapping[str, Any]) -> str:
        rest = "" if last["complete"] == last["of"] else f", {last['complete']} of them wholly there (see: fetch)"
        return f"{last['of']} files pinned{rest}"

    return carry_out(options, "pin", targets, tell)


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="COURSE… | PATH… | all")
@pass_globals
def unpin(options: Globals, targets: tuple[str, ...]) -> int:
    """Let files leave the cache like all others, when there is no room; `all` also those that are no longer shown.

    \b
    Example: coursefs unpin ~/courses/"Sound and Hearing"
    """
    return carry_out(options, "unpin", targets, lambda last: f"{last['unpinned']} files unpinned")
