"""`coursefs demo`: try it without an account."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from coursefs.cli.mount import global_options, in_background, start_log
from coursefs.cli.options import Globals, pass_globals

_DEFAULT = Path("~/courses")


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@click.option("--background", is_flag=True, help="Return when the mount answers.")
@pass_globals
def demo(options: Globals, mountpoint: Path | None, background: bool) -> None:
    """Try it without an account: sample courses from sample platforms on this machine.

    They are shown at MOUNTPOINT (~/courses if not said).  Your own accounts, catalogue and cache are not touched.

    \b
    Example: coursefs demo
    """
    from coursefs.mount import mountinfo  # noqa: PLC0415  # slow to import
    from coursefs.mount.mountpoint import prepare, require_binding, require_fuse  # noqa: PLC0415

    require_fuse()
    if mountpoint is None:
        mountpoint = mountinfo.absolute(_DEFAULT)
        if mountinfo.at(mountpoint) is None:  # else a dead mount may lie there, which says that it is no folder
            with suppress(FileExistsError):  # `prepare` says what is wrong with it
                mountpoint.mkdir(parents=True, exist_ok=True)
    mountpoint = prepare(mountpoint)
    places = options.places("demo")
    if background:
        in_background([*global_options(options), "demo", "--", str(mountpoint)], places.log_dir / "mount.log")
        return

    require_binding()
    from coursefs.config import Settings  # noqa: PLC0415
    from coursefs.daemon.platform import demo_accounts  # noqa: PLC0415
    from coursefs.daemon.readiness import Readiness  # noqa: PLC0415
    from coursefs.daemon.serve import Job, run  # noqa: PLC0415
    from coursefs.daemon.setup import library_settings  # noqa: PLC0415
    from coursefs.mount.options import MountOptions  # noqa: PLC0415

    readiness = Readiness()
    start_log(options, readiness.is_background)
    with demo_accounts() as accounts:
        library = replace(library_settings(Settings(), places), accounts=accounts)
        if not readiness.is_background:
            click.echo(f"sample courses at {mountpoint}; Ctrl-C ends it", err=True)
        run(Job(library, mountpoint, MountOptions(), options.places().runtime_dir, is_demo=True), readiness)
