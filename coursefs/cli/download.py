"""`coursefs download`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from coursefs.cli.options import Globals, pass_globals
from coursefs.cli.progress import summary
from coursefs.cli.transfers import carry_out
from coursefs.errors import UsageError


@click.command()
@click.argument("targets", nargs=-1, metavar="[COURSE… | PATH… | all]")
@click.option(
    "--to", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Made if it is missing."
)
@pass_globals
def download(options: Globals, targets: tuple[str, ...], folder: Path) -> int:
    """Make plain copies of your courses in the folder DIR, with the names that the mount has; no FUSE is needed.

    A COURSE is named by its folder, its slug, its id or its URL, a PATH is a folder or file in the mount; without any,
    it is all.  Copies of the same size and date are skipped, so that the next run brings what is new.  Nothing is ever
    deleted.  Ends with status 1 when something could not be had.

    \b
    Example: coursefs download sound-and-hearing --to /media/stick
    """
    from coursefs.mount import mountinfo  # noqa: PLC0415  # slow to import

    to = mountinfo.absolute(folder)
    if any(one.is_coursefs and to.is_relative_to(one.mountpoint) for one in mountinfo.mounted()):
        raise UsageError(f"{folder}: lies in the mount itself; choose another folder")
    umask = os.umask(0o077)
    os.umask(umask)
    return carry_out(
        options, "download", targets, lambda last: summary(last["state"], "skipped"), to=str(to), umask=umask
    )
