"""The helper of mount(8) for fstab: `mount.fuse.coursefs SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS]`.

mount(8) looks for `/sbin/mount.fuse.coursefs` first, then for mount.fuse(8) of libfuse, which calls `coursefs SOURCE
MOUNTPOINT -o OPTIONS`; `coursefs.cli.main` passes that on to this module if the source is `coursefs`. It is a module of
its own because it is a program of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from coursefs.cli import streams
from coursefs.cli.main import cli, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source")
@click.argument("mountpoint", type=click.Path(path_type=Path))
@click.option("-s", "sloppy", is_flag=True, help="Ignore unknown options.")
@click.option("-f", "fake", is_flag=True, help="Check everything, but do not mount.")
@click.option("-n", "no_mtab", is_flag=True, help="No effect: /etc/mtab is never written.")
@click.option("-v", "verbose", is_flag=True, help="Show log messages.")
@click.option("-t", "kind", metavar="TYPE", help="fuse.coursefs.")
@click.option("-o", "texts", multiple=True, metavar="OPT[,OPT…]", help="As for coursefs mount.")
def helper(
    source: str,  # noqa: ARG001  # the accounts are the source; fstab has to have some word there
    mountpoint: Path,
    sloppy: bool,
    fake: bool,
    no_mtab: bool,  # noqa: ARG001  # as its help says
    verbose: bool,
    kind: str | None,  # noqa: ARG001  # there is one
    texts: tuple[str, ...],
) -> object:
    """Mount as mount(8) wants it."""
    from coursefs.mount.options import as_text, parse  # slow to import

    options = as_text(parse(texts, sloppy=sloppy))
    if fake:
        return 0
    before = ["-v"] if verbose else []
    return cli.main(
        [*before, "mount", "-o", options, "--", str(mountpoint)], prog_name="coursefs", standalone_mode=False
    )


def main() -> int:
    """Run the helper on `sys.argv` and give the exit status of the process."""
    streams.ensure()
    return run(helper, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
