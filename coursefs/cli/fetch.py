"""`coursefs fetch`."""

from __future__ import annotations

import click

from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.progress import summary
from coursefs.cli.transfers import carry_out


@click.command()
@click.argument("targets", nargs=-1, metavar="[COURSE… | PATH… | all]")
@pass_globals
def fetch(options: Globals, targets: tuple[str, ...]) -> int:
    """Bring contents into the cache, so that they can be read without a network.

    A COURSE is named by its folder, its slug, its id or its URL, a PATH is a folder or file in the mount; without any,
    it is all.  What is cached already is not asked for again, and neither is what an earlier run brought.  Whoever
    reads in the mount goes first.  Ends with status 1 when something could not be had.

    \b
    Example: coursefs fetch ~/courses/"Sound and Hearing"
    """
    return carry_out(options, "fetch", targets, lambda last: summary(last["state"], "already there"))
